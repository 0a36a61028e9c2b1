/* How many instructions each step of a network takes: one window of noise through the network as it is, and once more
 * with a counter around every kernel. The kernels are wrapped by the linker (--wrap); counted_steps.h, generated, names
 * them and the constants of every step, which tell the steps apart. */
#include "net.c"

#include "board.h"

#include <string.h>

enum { STEPS = sizeof steps / sizeof steps[0] };

static uint32_t took[STEPS]; /* ticks, by step, deepest first */
static uint32_t around;      /* ticks of the counter itself */
static bool counting;

static void count(const void *op, uint32_t ticks)
{
    uint32_t i;

    for (i = 0u; i < STEPS; i++) {
        if (steps[i].op == op) {
            took[i] += ticks - around;
        }
    }
}

#define COUNT_RUN(kernel)                                                                 \
    void __real_##kernel(const void *op, const au_value_t *const *rows, au_value_t *out); \
    void __wrap_##kernel(const void *op, const au_value_t *const *rows, au_value_t *out); \
    void __wrap_##kernel(const void *op, const au_value_t *const *rows, au_value_t *out)  \
    {                                                                                     \
        const uint32_t start = board_counter();                                           \
                                                                                          \
        __real_##kernel(op, rows, out);                                                   \
        if (counting) {                                                                   \
            count(op, board_elapsed(start));                                              \
        }                                                                                 \
    }

#define COUNT_FOLD(kernel)                                                                                        \
    void __real_##kernel(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out); \
    void __wrap_##kernel(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out); \
    void __wrap_##kernel(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out)  \
    {                                                                                                             \
        const uint32_t start = board_counter();                                                                   \
                                                                                                                  \
        __real_##kernel(op, rows, sums, first, out);                                                              \
        if (counting) {                                                                                           \
            count(op, board_elapsed(start));                                                                      \
        }                                                                                                         \
    }

#include "counted_steps.h"

static net_t net;

static uint32_t noise_state;

static int8_t noise(void)
{
    noise_state = (noise_state * 1664525u) + 1013904223u;
    return (int8_t)(int32_t)(noise_state >> 24);
}

/* Returns the ticks of the network alone. */
static uint64_t hear_window(void)
{
    static int8_t row[NET_ROW_VALUES];
    uint64_t ticks = 0u;
    uint32_t start;
    uint32_t r;
    uint32_t i;

    noise_state = 1u;
    net_init(&net);
    for (r = 0u; r < NET_ROWS; r++) {
        for (i = 0u; i < NET_ROW_VALUES; i++) {
            row[i] = noise();
        }
        start = board_counter();
        (void)net_push(&net, row);
        ticks += board_elapsed(start) - around;
    }
    return ticks;
}

int main(void)
{
    char name[] = "step_000";
    uint64_t wrapped;
    uint32_t runs = 0u;
    uint32_t i;

    board_counter_start();
    around = board_counter();
    around = board_elapsed(around);
    wrapped = hear_window();
    counting = true;
    (void)hear_window();
    for (i = 0u; i < STEPS; i++) {
        const uint32_t step = STEPS - 1u - i;

        name[5] = (char)('0' + ((i / 100u) % 10u));
        name[6] = (char)('0' + ((i / 10u) % 10u));
        name[7] = (char)('0' + (i % 10u));
        board_report(name, took[step]);
        runs += steps[step].runs;
    }
    board_report("network", wrapped - ((uint64_t)runs * around));
    return 0;
}
