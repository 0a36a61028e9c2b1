/* The listener as a program of an operating system: messages of samples on stdin, decisions on stdout.
 *
 * A message is a count, 32 bits, and so many samples of 16, both as this computer orders bytes. After the last sample
 * of a message every decision that it brought has been written: the scores, a byte a label. */
#include <stdint.h>
#include <stdio.h>

#include "auscult.h"

enum { CHUNK = 1024 };

static auscult_t listener;
static int16_t chunk[CHUNK];

static int decide(const int8_t *scores)
{
    return ((scores == NULL) || (fwrite(scores, 1u, NET_OUTPUT_VALUES, stdout) == NET_OUTPUT_VALUES)) ? 0 : -1;
}

static int hear(size_t count)
{
    size_t taken = 0u;
    int status = 0;

    while ((status == 0) && ((taken < count) || auscult_busy(&listener))) {
        const int8_t *scores;

        taken += auscult_push(&listener, &chunk[taken], count - taken, &scores);
        status = decide(scores);
    }
    return status;
}

static int hear_message(uint32_t samples)
{
    int status = 0;

    while ((status == 0) && (samples > 0u)) {
        const size_t wanted = (samples < (uint32_t)CHUNK) ? samples : (size_t)CHUNK;

        status = (fread(chunk, sizeof chunk[0], wanted, stdin) == wanted) ? hear(wanted) : -1;
        samples -= (uint32_t)wanted;
    }
    return ((status == 0) && (fflush(stdout) == 0)) ? 0 : -1;
}

int main(void)
{
    uint32_t samples;
    int status = 0;

    auscult_init(&listener);
    while ((status == 0) && (fread(&samples, sizeof samples, 1u, stdin) == 1u)) {
        status = hear_message(samples);
    }
    return (status == 0) ? 0 : 1;
}
