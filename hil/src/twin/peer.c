/* What spandsp and libtiff do for the rig's telephone sets, as a program of its own (see peer.rs).

   peer display            40 samples in, then an octet: how long a text follows; a message's fields
   peer announce FIELD...  type and content of a message's fields in, its sound out, as an exchange makes it
   peer send|receive FILE  40 samples in, then an octet (0 goes on, 1 done, 2 failed) and 40 samples
   peer modem PROGRAM...   the same: runs a program with a T.31 modem (FAX Class 1) as its terminal and standard input
   peer write FILE         rows of 216 octets in, a TIFF page out
   peer read FILE          rows of 216 octets out */

#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <tiffio.h>
#include <time.h>
#include <unistd.h>

#define SPANDSP_EXPOSE_INTERNAL_STRUCTURES
#include <spandsp.h>

#define BLOCK 40
#define ROW 216

static char text[256];
static adsi_rx_state_t *adsi;

static void message(void *user, const uint8_t *msg, int len)
{
    int pos = -1, length, used = 0;
    uint8_t type;
    const uint8_t *body;

    (void)user;
    while ((pos = adsi_next_field(adsi, msg, len, pos, &type, &body, &length)) > 0) {
        /* The first one is the message's own type. */
        if (body != NULL && used < 200)
            used += snprintf(text + used, sizeof(text) - used, "%s%02X=%.*s", used ? " " : "", type, length, (const char *)body);
    }
}

static int display(void)
{
    int16_t amp[BLOCK];

    adsi = adsi_rx_init(NULL, ADSI_STANDARD_JCLIP, message, NULL);
    while (fread(amp, sizeof(amp), 1, stdin) == 1) {
        adsi_rx(adsi, amp, BLOCK);
        putchar((int)strlen(text));
        fputs(text, stdout);
        fflush(stdout);
        text[0] = 0;
    }
    return 0;
}

static int announce(int count, char *fields[])
{
    int16_t amp[BLOCK];
    uint8_t msg[256];
    unsigned type;
    int n, len;
    adsi_tx_state_t *tx = adsi_tx_init(NULL, ADSI_STANDARD_JCLIP);

    len = adsi_add_field(tx, msg, -1, JCLIP_MDMF_CALLERID, NULL, 0);
    for (n = 0; n < count; n++)
        if (sscanf(fields[n], "%2x=", &type) == 1)
            len = adsi_add_field(tx, msg, len, type, (const uint8_t *)fields[n] + 3, (int)strlen(fields[n]) - 3);
    adsi_tx_put_message(tx, msg, len);
    while ((n = adsi_tx(tx, amp, BLOCK)) > 0)
        fwrite(amp, sizeof(amp[0]), n, stdout);
    return 0;
}

static int ended;

static void phase_e(t30_state_t *t30, void *user, int result)
{
    t30_stats_t stats;

    (void)user;
    t30_get_transfer_statistics(t30, &stats);
    fprintf(stderr, "%s; %d bit/s, pages out %d, in %d\n", t30_completion_code_to_str(result), stats.bit_rate, stats.pages_tx,
            stats.pages_rx);
    ended = result == T30_ERR_OK ? 1 : 2;
}

/* Exchanges sound block by block; `block` hears one and puts another in its place. */
static int converse(void (*block)(void *state, int16_t amp[]), void *state)
{
    int16_t amp[BLOCK];
    int after = 0;

    while (fread(amp, sizeof(amp), 1, stdin) == 1) {
        block(state, amp);
        /* The other side may still wait for the last signal: half a second more. */
        if (ended)
            after++;
        putchar(after > 100 ? ended : 0);
        fwrite(amp, sizeof(amp), 1, stdout);
        fflush(stdout);
    }
    return 0;
}

static void fax_block(void *state, int16_t amp[])
{
    int length;

    fax_rx(state, amp, BLOCK);
    length = fax_tx(state, amp, BLOCK);
    memset(amp + length, 0, (BLOCK - length) * sizeof(amp[0]));
}

static int fax(int sends, const char *file)
{
    fax_state_t *state = fax_init(NULL, sends);
    t30_state_t *t30 = fax_get_t30_state(state);

    t30_set_tx_ident(t30, sends ? "sender" : "receiver");
    t30_set_supported_modems(t30, T30_SUPPORT_V27TER | T30_SUPPORT_V29 | T30_SUPPORT_V17);
    t30_set_supported_compressions(t30, T30_SUPPORT_T4_1D_COMPRESSION | T30_SUPPORT_T4_2D_COMPRESSION | T30_SUPPORT_T6_COMPRESSION);
    t30_set_supported_image_sizes(t30, T30_SUPPORT_215MM_WIDTH | T30_SUPPORT_UNLIMITED_LENGTH | T30_SUPPORT_A4_LENGTH);
    t30_set_supported_resolutions(t30, T30_SUPPORT_STANDARD_RESOLUTION | T30_SUPPORT_FINE_RESOLUTION);
    t30_set_ecm_capability(t30, TRUE);
    t30_set_phase_e_handler(t30, phase_e, NULL);
    if (sends)
        t30_set_tx_file(t30, file, -1, -1);
    else
        t30_set_rx_file(t30, file, -1);
    fax_set_transmit_on_idle(state, TRUE);
    return converse(fax_block, state);
}

/* The modem's side of the pseudo-terminal, and the program at the other. */
static int terminal;
static pid_t program;
/* What the program has asked for: AT_CALL_EVENT_CONNECTED to call, AT_CALL_EVENT_ANSWERED to answer. */
static int wanted;
/* The modem has spoken and the program has not replied. */
static int said;
/* A command to transmit, and the blocks until the modem gets it: 75 ms are between two signals (ITU-T T.30 §5), for which
   a program relies on its own slowness. */
static char command[256];
static int command_length, gap;
/* When the data of a transmission began, and the blocks that may not be earlier than by the host's clock from there on: one
   second, for efax divides by the whole seconds that a page has taken. */
static struct timespec begun;
static int paced;

static int to_program(at_state_t *at, void *user, const uint8_t *octets, size_t length)
{
    (void)at;
    (void)user;
    said = 1;
    return write(terminal, octets, length) == (ssize_t)length ? 0 : -1;
}

static int control(t31_state_t *modem, void *user, int operation, const char *number)
{
    (void)modem;
    (void)user;
    (void)number;
    if (operation == AT_MODEM_CONTROL_CALL)
        wanted = AT_CALL_EVENT_CONNECTED;
    else if (operation == AT_MODEM_CONTROL_ANSWER)
        wanted = AT_CALL_EVENT_ANSWERED;
    return 0;
}

/* Reads what the program says within so many milliseconds; 0 if it says nothing. */
static int from_program(t31_state_t *modem, int milliseconds)
{
    struct pollfd polled = {.fd = terminal, .events = POLLIN};
    ssize_t length;
    int status;

    if (poll(&polled, 1, milliseconds) <= 0)
        return 0;
    length = read(terminal, command, sizeof(command));
    if (length <= 0) {
        /* It has closed its terminal: it is at its end. */
        waitpid(program, &status, 0);
        ended = status == 0 ? 1 : 2;
        return 0;
    }
    said = 0;
    if (modem->at_state.at_rx_mode == AT_MODE_STUFFED && modem->tx.in_bytes == 0) {
        clock_gettime(CLOCK_MONOTONIC, &begun);
        paced = 8000 / BLOCK;
    }
    if (modem->at_state.at_rx_mode == AT_MODE_OFFHOOK_COMMAND && memmem(command, length, "+FT", 3) != NULL) {
        command_length = (int)length;
        gap = 75 * 8 / BLOCK;
        return 1;
    }
    t31_at_rx(modem, command, (int)length);
    return 1;
}

/* Is it for the program to go on: with a command, or with data that the modem would lack? */
static int its_turn(const t31_state_t *modem)
{
    switch (modem->at_state.at_rx_mode) {
    case AT_MODE_DELIVERY:
        return 0;
    case AT_MODE_STUFFED:
        return said || modem->tx.in_bytes - modem->tx.out_bytes < 256;
    default:
        return said && !modem->at_state.ok_is_pending;
    }
}

static void pace(void)
{
    begun.tv_nsec += 1000000000 / (8000 / BLOCK);
    if (begun.tv_nsec >= 1000000000) {
        begun.tv_nsec -= 1000000000;
        begun.tv_sec++;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &begun, NULL);
}

/* The line's time stands still in the program's turn: it is never too slow, however fast the line's clock is. Data that the
   modem has no room for (CTS is off) stay in the terminal. */
static void modem_block(void *state, int16_t amp[])
{
    t31_state_t *modem = state;
    int length, turn;

    if (!ended && wanted) {
        t31_call_event(modem, wanted);
        wanted = 0;
    }
    if (gap > 0 && --gap == 0)
        t31_at_rx(modem, command, command_length);
    while (!ended && !gap && !modem->tx.holding) {
        turn = its_turn(modem);
        if (!from_program(modem, turn ? 10000 : 0)) {
            if (turn && !ended)
                ended = 2;
            break;
        }
    }
    if (paced > 0) {
        paced--;
        pace();
    }
    t31_rx(modem, amp, BLOCK);
    length = t31_tx(modem, amp, BLOCK);
    memset(amp + length, 0, (BLOCK - length) * sizeof(amp[0]));
}

static int modem(char *arguments[])
{
    t31_state_t *state = t31_init(NULL, to_program, NULL, control, NULL, NULL, NULL);
    struct termios raw;
    int line;

    terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (state == NULL || terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0)
        return 1;
    line = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (line < 0 || tcgetattr(line, &raw) != 0)
        return 1;
    cfmakeraw(&raw);
    tcsetattr(line, TCSANOW, &raw);
    program = fork();
    if (program == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(line, STDIN_FILENO);
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execvp(arguments[0], arguments);
        _exit(127);
    }
    close(line);
    t31_set_transmit_on_idle(state, TRUE);
    /* It sets the modem up before the line's time begins. */
    while (!ended && !wanted)
        from_program(state, -1);
    return converse(modem_block, state);
}

static int write_page(const char *file)
{
    uint8_t row[ROW];
    uint32_t rows = 0;
    TIFF *tiff = TIFFOpen(file, "w");

    if (tiff == NULL)
        return 1;
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, 1728);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 1);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_CCITT_T6);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
    TIFFSetField(tiff, TIFFTAG_FILLORDER, FILLORDER_LSB2MSB);
    TIFFSetField(tiff, TIFFTAG_RESOLUTIONUNIT, RESUNIT_CENTIMETER);
    TIFFSetField(tiff, TIFFTAG_XRESOLUTION, 80.4f);
    TIFFSetField(tiff, TIFFTAG_YRESOLUTION, 38.5f);
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, -1L);
    while (fread(row, sizeof(row), 1, stdin) == 1)
        if (TIFFWriteScanline(tiff, row, rows++, 0) < 0)
            return 1;
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, rows);
    TIFFClose(tiff);
    return 0;
}

static int read_pages(const char *file)
{
    uint8_t row[ROW];
    uint32_t n, rows, width;
    TIFF *tiff = TIFFOpen(file, "r");

    if (tiff == NULL)
        return 1;
    do {
        TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &rows);
        TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
        if (width != 8 * ROW)
            return 1;
        for (n = 0; n < rows; n++) {
            if (TIFFReadScanline(tiff, row, n, 0) < 0)
                return 1;
            fwrite(row, sizeof(row), 1, stdout);
        }
    } while (TIFFReadDirectory(tiff));
    return 0;
}

int main(int argc, char *argv[])
{
    if (argc == 2 && strcmp(argv[1], "display") == 0)
        return display();
    if (argc > 2 && strcmp(argv[1], "announce") == 0)
        return announce(argc - 2, argv + 2);
    if (argc == 3 && (strcmp(argv[1], "send") == 0 || strcmp(argv[1], "receive") == 0))
        return fax(argv[1][0] == 's', argv[2]);
    if (argc > 2 && strcmp(argv[1], "modem") == 0)
        return modem(argv + 2);
    if (argc == 3 && strcmp(argv[1], "write") == 0)
        return write_page(argv[2]);
    if (argc == 3 && strcmp(argv[1], "read") == 0)
        return read_pages(argv[2]);
    return 2;
}
