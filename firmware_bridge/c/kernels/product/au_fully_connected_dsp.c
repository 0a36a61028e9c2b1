/* FULLY_CONNECTED for Cortex-M4, M7 and M33: two channels at a time, two products in one instruction. */
#include "au_dsp.h"
#include "au_fully_connected.h"

/* Adds the products of a run of values with two of weights. */
static inline void add_to_two(int32_t sums[2], const au_value_t *values, const int8_t *first, const int8_t *second,
                              uint32_t count)
{
    const uint32_t fours = count & ~3u;
    int32_t a = sums[0];
    int32_t b = sums[1];
    for (uint32_t i = 0; i != fours; i += 4u) {
        const uint32_t x = au_load4(values + i);
        const uint32_t v = au_load4(first + i);
        const uint32_t w = au_load4(second + i);
        const int32_t x_even = au_even(x);
        const int32_t x_odd = au_odd(x);
        a = __smlad(x_even, au_even(v), a);
        b = __smlad(x_even, au_even(w), b);
        a = __smlad(x_odd, au_odd(v), a);
        b = __smlad(x_odd, au_odd(w), b);
    }
    sums[0] = a;
    sums[1] = b;
    au_add_to_two(sums, values + fours, first + fours, second + fours, count - fours);
}

void au_fully_connected_dsp(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_fully_connected_t *const full = (const au_fully_connected_t *)op;
    const uint32_t channels = full->out_channels;
    const au_value_t *values = rows[0];
    au_value_t *next = out;
    for (uint32_t p = 0; p < full->positions; ++p) {
        const int8_t *weights = full->weights;
        for (uint32_t c = 0; c < channels; c += 2u) {
            /* The last of an odd number of channels is paired with itself. */
            const uint32_t step = ((c + 1u) < channels) ? 1u : 0u;
            int32_t sums[2] = {full->bias[c], full->bias[c + step]};
            add_to_two(sums, values, weights, weights + (step * full->in_channels), full->in_channels);
            next[c + step] = au_full_value(full, c + step, sums[1]);
            next[c] = au_full_value(full, c, sums[0]);
            weights += 2u * full->in_channels;
        }
        next += channels;
        values += full->in_channels;
    }
}
