/* The benchmark, the same in an emulator and on silicon: five windows, and the median of what they took. Then the
 * listener hears the first two of them again; status 5 unless it decides the same.
 *
 * The counter is the board's (boards/counter.c): instructions in QEMU, cycles on silicon. Text goes out by
 * board_putchar, which silicon without a debugger supplies. With BENCH_FILES the windows are samples.bin, one after the
 * other (the listener must be built for windows that follow each other), every output goes to outputs.bin and the front
 * end's codes to codes.bin; otherwise they are noise. With BENCH_NETWORK_ONLY there is no front end and no listener:
 * windows are rows of int8 values, in rows.bin with BENCH_FILES. */
#include <string.h>

#include "bench_input.h"
#include "board.h"
#include "net.h"

enum { WINDOWS = 5 };

typedef struct {
    uint64_t frontend;
    uint64_t network;
    uint64_t worst_push; /* of a row into the network */
} ticks_t;

/* The parts first, then the listener: small devices have the memory once. */
static union {
    struct {
        net_t net;
#if !defined(BENCH_NETWORK_ONLY)
        frontend_t frontend;
#endif
    } parts;
#if !defined(BENCH_NETWORK_ONLY)
    auscult_t listener;
#endif
} memory;
static int8_t output[NET_OUTPUT_VALUES];
static ticks_t session[WINDOWS];

#if defined(BENCH_FILES)
static int outputs;
#if !defined(BENCH_NETWORK_ONLY)
static int codes;
#endif
#endif

static void count_network(ticks_t *ticks, uint32_t start)
{
    const uint32_t took = board_elapsed(start);

    ticks->network += took;
    ticks->worst_push = (took > ticks->worst_push) ? took : ticks->worst_push;
}

static void push_row(const int8_t *row, ticks_t *ticks)
{
    const uint32_t start = board_counter();

    (void)net_push(&memory.parts.net, row);
    count_network(ticks, start);
}

/* What a limit on pushes has left to do. */
static void finish_window(ticks_t *ticks)
{
    bool ready = false;

    while (!ready) {
        const uint32_t start = board_counter();

        ready = net_work(&memory.parts.net);
        count_network(ticks, start);
    }
}

#if defined(BENCH_NETWORK_ONLY)

static int hear_window(ticks_t *ticks)
{
    size_t row;

    for (row = 0u; row < NET_ROWS; row++) {
        if (next_chunk(CHUNK) != CHUNK) {
            return 2;
        }
        push_row(chunk, ticks);
    }
    return 0;
}

#else

/* Where bands are normalised over the recording, windows that overlap are no stream here: the parts hear what two of
 * them share twice. */
enum { DECISIONS = ((FRONTEND_RECORDING != 0) && (AUSCULT_HOP != AUSCULT_SAMPLES)) ? 1 : 2 };

static int8_t wanted[DECISIONS][NET_OUTPUT_VALUES];

static void hear_row(const int8_t *row, ticks_t *ticks)
{
    if (row != NULL) {
#if defined(BENCH_FILES)
        (void)board_write(codes, row, FRONTEND_MELS);
#endif
        push_row(row, ticks);
    }
}

static int hear_window(ticks_t *ticks)
{
    frontend_t *const frontend = &memory.parts.frontend;
    uint32_t left = AUSCULT_SAMPLES;
    const int8_t *row;
    uint32_t start;

    frontend_begin(frontend);
    while (left > 0u) {
        const size_t count = (left < (uint32_t)CHUNK) ? left : (size_t)CHUNK;
        size_t taken = 0u;

        if (next_chunk(count) != count) {
            return 2;
        }
        while (taken < count) {
            start = board_counter();
            taken += frontend_push(frontend, &chunk[taken], count - taken, &row);
            ticks->frontend += board_elapsed(start);
            /* A frame that began in the window before is none of this one. */
            if ((FRONTEND_CENTRED != 0) || (((AUSCULT_SAMPLES - left) + taken) >= FRONTEND_FFT)) {
                hear_row(row, ticks);
            }
        }
        left -= (uint32_t)count;
    }
    do {
        start = board_counter();
        row = frontend_finish(frontend);
        ticks->frontend += board_elapsed(start);
        hear_row(row, ticks);
    } while (row != NULL);
    return 0;
}

/* The first windows once more, through the listener, a hop of the front end a call. */
static int hear_again(void)
{
    auscult_t *const listener = &memory.listener;
    uint32_t worst = 0u;
    uint32_t differing = 0u;
    size_t decided = 0u;
    int status = begin_window(0u);

    auscult_init(listener);
    while ((decided < DECISIONS) && (status == 0)) {
        size_t taken = 0u;

        status = (next_chunk(CHUNK) != 0u) ? 0 : 2;
        while ((taken < CHUNK) && (decided < DECISIONS)) {
            const uint32_t start = board_counter();
            const int8_t *scores;
            uint32_t took;
            size_t i;

            taken += auscult_push(listener, &chunk[taken], CHUNK - taken, &scores);
            took = board_elapsed(start);
            worst = (took > worst) ? took : worst;
            for (i = 0u; (scores != NULL) && (i < NET_OUTPUT_VALUES); i++) {
                differing += (scores[i] != wanted[decided][i]) ? 1u : 0u;
            }
            decided += (scores != NULL) ? 1u : 0u;
        }
    }
    board_report("worst_call_ticks", worst);
    board_report("listener_differing_bytes", differing);
    status = ((status == 0) && (differing != 0u)) ? 5 : status;
    return status;
}

#endif

/* The middle one of five. */
static uint64_t median(const uint64_t values[WINDOWS])
{
    size_t i;
    size_t j;

    for (i = 0u; i < WINDOWS; i++) {
        size_t smaller = 0u;
        size_t equal = 0u;

        for (j = 0u; j < WINDOWS; j++) {
            smaller += (values[j] < values[i]) ? 1u : 0u;
            equal += (values[j] == values[i]) ? 1u : 0u;
        }
        if ((smaller <= (WINDOWS / 2)) && ((smaller + equal) > (WINDOWS / 2))) {
            break;
        }
    }
    return values[i];
}

static void report(void)
{
    uint64_t frontends[WINDOWS];
    uint64_t networks[WINDOWS];
    uint64_t worst = 0u;
    size_t i;

    for (i = 0u; i < WINDOWS; i++) {
        frontends[i] = session[i].frontend;
        networks[i] = session[i].network;
        worst = (session[i].worst_push > worst) ? session[i].worst_push : worst;
    }
    board_report("frontend_ticks", median(frontends));
    board_report("network_ticks", median(networks));
    board_report("worst_push_ticks", worst);
#if !defined(BENCH_NETWORK_ONLY)
    board_report("frontend_bytes", sizeof memory.parts.frontend);
#endif
    board_report("network_bytes", sizeof memory.parts.net);
}

static int run_window(size_t window)
{
    int status = begin_window(window);

    net_init(&memory.parts.net);
    status = (status == 0) ? hear_window(&session[window]) : status;
    if (status == 0) {
        finish_window(&session[window]);
        net_output(&memory.parts.net, output);
#if !defined(BENCH_NETWORK_ONLY)
        if (window < DECISIONS) {
            (void)memcpy(wanted[window], output, sizeof output);
        }
#endif
#if defined(BENCH_FILES)
        status = (board_write(outputs, output, sizeof output) != 0) ? 4 : 0;
#endif
    }
    return status;
}

int main(void)
{
    size_t window;
    int status = 0;

    board_counter_start();
#if !defined(BENCH_NETWORK_ONLY)
    frontend_init(&memory.parts.frontend);
#endif
#if defined(BENCH_FILES)
    outputs = board_open_write("outputs.bin");
    status = (outputs < 0) ? 3 : 0;
#if !defined(BENCH_NETWORK_ONLY)
    codes = board_open_write("codes.bin");
    status = (codes < 0) ? 3 : status;
#endif
#endif
    for (window = 0u; (window < WINDOWS) && (status == 0); window++) {
        status = run_window(window);
    }
#if defined(BENCH_FILES)
    if (status != 3) {
        board_close(input);
        board_close(outputs);
#if !defined(BENCH_NETWORK_ONLY)
        board_close(codes);
#endif
    }
#endif
    report();
#if !defined(BENCH_NETWORK_ONLY)
    status = (status == 0) ? hear_again() : status;
#endif
    return status;
}
