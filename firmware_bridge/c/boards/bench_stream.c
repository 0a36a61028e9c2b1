/* The benchmark of windows that overlap: the front end alone, then the listener on the same sound, to its end.
 *
 * samples.bin is the sound; every decision goes to outputs.bin. The front end's codes go to codes.bin: those of the
 * whole sound, or, where frames are centred, those of the windows that pieces.bin holds cut out, one after the other.
 */
#include "auscult.h"
#include "board.h"

enum { CHUNK = FRONTEND_HOP };

/* The part first, then the listener: small devices have the memory once. */
static union {
    frontend_t frontend;
    auscult_t listener;
} memory;
static int16_t chunk[CHUNK];

static size_t next_chunk(int input, size_t count)
{
    return board_read(input, chunk, count * sizeof chunk[0]) / sizeof chunk[0];
}

static void write_row(int codes, const int8_t *row)
{
    if (row != NULL) {
        (void)board_write(codes, row, FRONTEND_MELS);
    }
}

static uint64_t push_chunk(size_t count, int codes)
{
    uint64_t ticks = 0u;
    size_t taken = 0u;

    while (taken < count) {
        const uint32_t start = board_counter();
        const int8_t *row;

        taken += frontend_push(&memory.frontend, &chunk[taken], count - taken, &row);
        ticks += board_elapsed(start);
        write_row(codes, row);
    }
    return ticks;
}

#if FRONTEND_CENTRED

#define FRAMES_OF "pieces.bin"

static uint64_t hear_frames(int input, int codes)
{
    uint64_t ticks = 0u;
    size_t left = AUSCULT_SAMPLES;
    size_t count;

    frontend_init(&memory.frontend);
    for (count = next_chunk(input, CHUNK); count > 0u; count = next_chunk(input, (left < CHUNK) ? left : CHUNK)) {
        ticks += push_chunk(count, codes);
        left -= count;
        if (left == 0u) {
            const int8_t *row;

            for (row = frontend_finish(&memory.frontend); row != NULL; row = frontend_finish(&memory.frontend)) {
                write_row(codes, row);
            }
            frontend_init(&memory.frontend);
            left = AUSCULT_SAMPLES;
        }
    }
    return ticks;
}

#else

#define FRAMES_OF "samples.bin"

static uint64_t hear_frames(int input, int codes)
{
    uint64_t ticks = 0u;
    size_t count;

    frontend_init(&memory.frontend);
    for (count = next_chunk(input, CHUNK); count > 0u; count = next_chunk(input, CHUNK)) {
        ticks += push_chunk(count, codes);
    }
    return ticks;
}

#endif

/* What the listener took, from the first decision to the last. */
typedef struct {
    uint64_t ticks;
    uint32_t worst;
    uint32_t decisions;
} heard_t;

static void listen(int input, int outputs, heard_t *heard)
{
    auscult_t *const listener = &memory.listener;
    uint64_t since = 0u;
    size_t count;

    auscult_init(listener);
    for (count = next_chunk(input, CHUNK); count > 0u; count = next_chunk(input, CHUNK)) {
        size_t taken = 0u;

        while ((taken < count) || auscult_busy(listener)) {
            const uint32_t start = board_counter();
            const int8_t *scores;
            uint32_t took;

            taken += auscult_push(listener, &chunk[taken], count - taken, &scores);
            took = board_elapsed(start);
            since += took;
            heard->worst = (took > heard->worst) ? took : heard->worst;
            if (scores != NULL) {
                (void)board_write(outputs, scores, NET_OUTPUT_VALUES);
                heard->ticks += (heard->decisions > 0u) ? since : 0u;
                heard->decisions++;
                since = 0u;
            }
        }
    }
}

int main(void)
{
    static heard_t heard;
    const int outputs = board_open_write("outputs.bin");
    const int codes = board_open_write("codes.bin");
    int input = board_open_read(FRAMES_OF);
    uint64_t frontend = 0u;

    if ((outputs < 0) || (codes < 0) || (input < 0)) {
        return 3;
    }
    board_counter_start();
    frontend = hear_frames(input, codes);
    board_close(input);
    board_close(codes);
    input = board_open_read("samples.bin");
    if (input < 0) {
        return 3;
    }
    listen(input, outputs, &heard);
    board_close(input);
    board_close(outputs);
    board_report("frontend_ticks", frontend);
    board_report("listener_ticks", heard.ticks);
    board_report("worst_call_ticks", heard.worst);
    board_report("decisions", heard.decisions);
    board_report("frontend_bytes", sizeof memory.listener - sizeof memory.listener.nets);
    board_report("network_bytes", sizeof memory.listener.nets);
    return 0;
}
