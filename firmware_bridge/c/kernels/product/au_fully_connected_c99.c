#include "au_fully_connected.h"

void au_fully_connected(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_fully_connected_t *const full = (const au_fully_connected_t *)op;
    const uint32_t channels = full->out_channels;
    const au_value_t *values = rows[0];
    au_value_t *next = out;
    for (uint32_t p = 0; p < full->positions; ++p) {
        const int8_t *weights = full->weights;
        uint32_t c = 0;
        while (c < channels) {
            /* Two channels at a time; the last of an odd number is paired with itself. */
            const uint32_t count = ((c + 1u) < channels) ? 2u : 1u;
            int32_t sums[2] = {full->bias[c], full->bias[(c + count) - 1u]};
            au_add_to_two(sums, values, weights, weights + ((count - 1u) * full->in_channels), full->in_channels);
            for (uint32_t i = 0; i < count; ++i) {
                *next = au_full_value(full, c, sums[i]);
                ++next;
                ++c;
            }
            weights += count * full->in_channels;
        }
        values += full->in_channels;
    }
}
