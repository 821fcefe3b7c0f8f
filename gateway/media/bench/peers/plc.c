/* spandsp's packet loss concealment, new for every question. The samples come in packets of 20 ms, each behind a sample that is
   zero if it was lost; the answer is all samples played, in decimal digits. */
#include <spandsp.h>
#include "peer.h"

#define PACKET 160

int main(void)
{
    uint32_t count;
    int16_t *samples;
    while ((samples = question(&count)) != NULL) {
        plc_state_t *plc = plc_init(NULL);
        for (uint32_t at = 0; at + 1 + PACKET <= count; at += 1 + PACKET) {
            int16_t *packet = samples + at + 1;
            if (samples[at])
                plc_rx(plc, packet, PACKET);
            else
                plc_fillin(plc, packet, PACKET);
            for (int i = 0; i < PACKET; i++)
                printf("%d ", packet[i]);
        }
        putchar('\n');
        fflush(stdout);
        plc_free(plc);
    }
}
