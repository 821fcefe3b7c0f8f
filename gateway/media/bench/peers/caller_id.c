/* spandsp's receiver of Japan's number display (J-CLIP), new for every question: for every frame whose CRC is right, its octets
   without the parity in hexadecimal digits, and a space. */
#include <spandsp.h>
#include "peer.h"

static void message(void *unused, const uint8_t *octets, int count)
{
    for (int i = 0; i < count; i++)
        printf("%02x", octets[i]);
    putchar(' ');
}

int main(void)
{
    uint32_t count;
    int16_t *samples;
    while ((samples = question(&count)) != NULL) {
        adsi_rx_state_t *receiver = adsi_rx_init(NULL, ADSI_STANDARD_JCLIP, message, NULL);
        adsi_rx(receiver, samples, count);
        putchar('\n');
        fflush(stdout);
        adsi_rx_free(receiver);
    }
}
