/* spandsp's DTMF receiver, new for every question: the digits that it heard. */
#include <spandsp.h>
#include "peer.h"

int main(void)
{
    uint32_t count;
    int16_t *samples;
    while ((samples = question(&count)) != NULL) {
        dtmf_rx_state_t *receiver = dtmf_rx_init(NULL, NULL, NULL);
        char digits[MAX_DTMF_DIGITS + 1];
        /* It keeps no more digits than this until they are asked for. */
        for (uint32_t at = 0; at < count; at += 160) {
            dtmf_rx(receiver, samples + at, count - at < 160 ? count - at : 160);
            digits[dtmf_rx_get(receiver, digits, MAX_DTMF_DIGITS)] = 0;
            fputs(digits, stdout);
        }
        putchar('\n');
        fflush(stdout);
        dtmf_rx_free(receiver);
    }
}
