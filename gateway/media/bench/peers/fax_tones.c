/* spandsp's signals of FAX machines and modems: asked with one sample, the kind, it answers with the samples of 3 s of it, at
   -11 to -14 dBm0: 0 CNG, 1 CED, 2 CED with reversals, 3 ANSam, 4 ANSam with reversals, 5 the preamble. */
#include <spandsp.h>
#include "peer.h"

enum { MADE = 24000 };

static int tone(int kind, int16_t *samples)
{
    static const int kinds[] = {
        MODEM_CONNECT_TONES_FAX_CNG, MODEM_CONNECT_TONES_ANS, MODEM_CONNECT_TONES_ANS_PR,
        MODEM_CONNECT_TONES_ANSAM, MODEM_CONNECT_TONES_ANSAM_PR,
    };
    modem_connect_tones_tx_state_t *sender = modem_connect_tones_tx_init(NULL, kinds[kind]);
    int made = modem_connect_tones_tx(sender, samples, MADE);
    modem_connect_tones_tx_free(sender);
    return made;
}

static int preamble(int16_t *samples)
{
    hdlc_tx_state_t *flags = hdlc_tx_init(NULL, FALSE, 2, FALSE, NULL, NULL);
    hdlc_tx_flags(flags, 200);
    fsk_tx_state_t *modem = fsk_tx_init(NULL, &preset_fsk_specs[FSK_V21CH2], (get_bit_func_t) hdlc_tx_get_bit, flags);
    int made = fsk_tx(modem, samples, MADE);
    fsk_tx_free(modem);
    hdlc_tx_free(flags);
    return made;
}

int main(void)
{
    uint32_t count;
    int16_t *kind;
    while ((kind = question(&count)) != NULL) {
        static int16_t samples[MADE];
        if (count != 1 || kind[0] < 0 || kind[0] > 5)
            return 1;
        int made = kind[0] == 5 ? preamble(samples) : tone(kind[0], samples);
        for (int i = 0; i < made; i++)
            printf("%d ", samples[i]);
        putchar('\n');
        fflush(stdout);
    }
}
