/* A peer is asked on its standard input and answers on its standard output: a question is a 32-bit count in the machine's order
   and as many 16-bit samples of 8 kHz, an answer is a line of text. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The next question; NULL at the end of the input. */
static int16_t *question(uint32_t *count)
{
    static int16_t *samples;
    if (fread(count, sizeof(*count), 1, stdin) != 1)
        return NULL;
    samples = realloc(samples, (*count + 1) * sizeof(*samples));
    if (samples == NULL || fread(samples, sizeof(*samples), *count, stdin) != *count)
        exit(1);
    return samples;
}
