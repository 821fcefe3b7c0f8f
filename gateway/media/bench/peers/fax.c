/* A FAX terminal of spandsp: `fax call FILE` sends the TIFF file, `fax answer FILE` receives one. It is asked with what it hears and
   answers with as many samples that it says, in decimal digits; a question without samples is a lost packet of 20 ms, for spandsp's own
   concealment. Once its call has ended the answer is a word instead: its completion
   code (0: well), and a sum over the pixels of its file. V.17, V.29 and V.27ter, with error correction. */
#include <spandsp.h>
#include <tiffio.h>
#include <string.h>
#include "peer.h"

static int ended = -1;

static void end(t30_state_t *session, void *unused, int code)
{
    ended = code;
}

/* FNV-1a over width, length and rows of the first page. */
static uint32_t sum(const char *file)
{
    uint32_t width = 0, length = 0, hash = 2166136261u;
    uint8_t row[4096] = { 0 };
    TIFFSetErrorHandler(NULL);
    TIFFSetWarningHandler(NULL);
    TIFF *tiff = TIFFOpen(file, "r");
    if (tiff == NULL)
        return 0;
    TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &length);
    for (uint32_t y = 0; y < length && TIFFReadScanline(tiff, row, y, 0) == 1; y++)
        for (uint32_t x = 0; x < width / 8; x++)
            hash = (hash ^ row[x]) * 16777619u;
    TIFFClose(tiff);
    return (hash ^ length) * 16777619u;
}

int main(int count_of_arguments, char **arguments)
{
    if (count_of_arguments != 3)
        return 2;
    int calls = strcmp(arguments[1], "call") == 0;
    const char *file = arguments[2];
    fax_state_t *fax = fax_init(NULL, calls);
    t30_state_t *session = fax_get_t30_state(fax);
    fax_set_transmit_on_idle(fax, TRUE);
    t30_set_supported_modems(session, T30_SUPPORT_V27TER | T30_SUPPORT_V29 | T30_SUPPORT_V17);
    t30_set_ecm_capability(session, TRUE);
    t30_set_supported_compressions(session, T30_SUPPORT_T4_1D_COMPRESSION | T30_SUPPORT_T4_2D_COMPRESSION | T30_SUPPORT_T6_COMPRESSION);
    t30_set_supported_resolutions(session, T30_SUPPORT_STANDARD_RESOLUTION | T30_SUPPORT_FINE_RESOLUTION);
    t30_set_supported_image_sizes(session, T30_SUPPORT_215MM_WIDTH | T30_SUPPORT_A4_LENGTH | T30_SUPPORT_UNLIMITED_LENGTH);
    t30_set_phase_e_handler(session, end, NULL);
    if (calls)
        t30_set_tx_file(session, file, -1, -1);
    else
        t30_set_rx_file(session, file, -1);

    plc_state_t *plc = plc_init(NULL);
    uint32_t count;
    int16_t *samples, lost[160];
    while ((samples = question(&count)) != NULL) {
        if (count > 0) {
            plc_rx(plc, samples, count);
        } else {
            samples = lost;
            count = plc_fillin(plc, lost, 160);
        }
        fax_rx(fax, samples, count);
        uint32_t said = fax_tx(fax, samples, count);
        if (ended >= 0) {
            fax_release(fax);
            printf("end %d %u\n", ended, sum(file));
            fflush(stdout);
            return 0;
        }
        for (uint32_t i = 0; i < count; i++)
            printf("%d ", i < said ? samples[i] : 0);
        putchar('\n');
        fflush(stdout);
    }
}
