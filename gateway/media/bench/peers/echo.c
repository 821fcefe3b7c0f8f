/* spandsp's echo canceller of 16 ms, new for every question, without its non-linear processor. The samples are pairs of what goes
   to the line and what comes from it; the answer is all that is left of the latter, in decimal digits. */
#include <spandsp.h>
#include <unistd.h>
#include "peer.h"

int main(void)
{
    uint32_t count;
    int16_t *samples;
    /* It says on the standard output what it thinks: that goes where it can be thrown away. */
    FILE *answer = fdopen(dup(1), "w");
    if (answer == NULL || freopen("/dev/null", "w", stdout) == NULL)
        return 1;
    while ((samples = question(&count)) != NULL) {
        echo_can_state_t *canceller = echo_can_init(128, ECHO_CAN_USE_ADAPTION);
        for (uint32_t at = 0; at + 1 < count; at += 2)
            fprintf(answer, "%d ", echo_can_update(canceller, samples[at], samples[at + 1]));
        putc('\n', answer);
        fflush(answer);
        echo_can_free(canceller);
    }
}
