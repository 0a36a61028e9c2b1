/* FULLY_CONNECTED for cores with vectors (MVE: Cortex-M55): sixteen values times sixteen weights of a channel at a
 * time. */
#include <arm_mve.h>

#include "au_fully_connected.h"

static inline int32_t dot(const au_value_t *values, const int8_t *weights, uint32_t count)
{
    const au_value_t *x = values;
    const int8_t *w = weights;
    int32_t sum = 0;
    __asm volatile("wlstp.8 lr, %[count], 2f\n"
                   "1:\n\t"
                   "vldrb.8 q0, [%[x]], #16\n\t"
                   "vldrb.8 q1, [%[w]], #16\n\t"
                   "vmladava.s8 %[sum], q0, q1\n\t"
                   "letp lr, 1b\n"
                   "2:\n"
                   : [sum] "+Te"(sum), [x] "+r"(x), [w] "+r"(w)
                   : [count] "r"(count)
                   : "q0", "q1", "lr", "memory");
    return sum;
}

void au_fully_connected_mve(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_fully_connected_t *const full = (const au_fully_connected_t *)op;
    const uint32_t count = full->in_channels;
    const au_value_t *values = rows[0];
    au_value_t *next = out;
    for (uint32_t p = 0; p < full->positions; ++p) {
        const int8_t *weights = full->weights;
        for (uint32_t c = 0; c < full->out_channels; ++c) {
            *next = au_full_value(full, c, au_plus(full->bias[c], dot(values, weights, count)));
            ++next;
            weights += count;
        }
        values += count;
    }
}
