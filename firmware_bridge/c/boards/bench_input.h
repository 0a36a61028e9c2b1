/* Where the benchmark's windows come from: a file that holds one after the other, or noise. Included once. */
#ifndef BENCH_INPUT_H
#define BENCH_INPUT_H

#include "board.h"
#include "net.h"

#if defined(BENCH_NETWORK_ONLY)
#define INPUT_FILE "rows.bin"
typedef int8_t sample_t;
enum { CHUNK = NET_ROW_VALUES };
#else
#include "auscult.h"
#define INPUT_FILE "samples.bin"
typedef int16_t sample_t;
enum { CHUNK = FRONTEND_HOP };
#endif

static sample_t chunk[CHUNK];

#if defined(BENCH_FILES)

static int input;

/* In the file the windows follow each other. */
static int begin_window(size_t window)
{
    if (window == 0u) {
        input = board_open_read(INPUT_FILE);
    }
    return (input < 0) ? 3 : 0;
}

static size_t next_chunk(size_t count)
{
    return board_read(input, chunk, count * sizeof chunk[0]) / sizeof chunk[0];
}

#else

static uint32_t noise_state;

static sample_t noise(void)
{
    noise_state = (noise_state * 1664525u) + 1013904223u;
    return (sample_t)(int32_t)(noise_state >> 20);
}

static int begin_window(size_t window)
{
#if defined(BENCH_NETWORK_ONLY)
    noise_state = (uint32_t)window;
#else
    size_t i;

    noise_state = 1u;
    for (i = 0u; i < (window * AUSCULT_HOP); i++) {
        (void)noise();
    }
#endif
    return 0;
}

static size_t next_chunk(size_t count)
{
    size_t i;

    for (i = 0u; i < count; i++) {
        chunk[i] = noise();
    }
    return count;
}

#endif

#endif
