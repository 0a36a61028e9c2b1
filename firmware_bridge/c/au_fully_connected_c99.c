#include "au_fully_connected.h"

/* TFLite's reference kernel rounds once here and twice in its convolutions; TFLM rounds twice in both. What was evaluated is LiteRT. */
static int32_t requantize(int32_t value, int32_t multiplier, int32_t shift)
{
#if AU_SINGLE_ROUNDING
    return au_requantize(value, multiplier, shift);
#else
    return au_requantize_once(value, multiplier, shift);
#endif
}

void au_fully_connected(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_fully_connected_t *const full = (const au_fully_connected_t *)op;
    const au_value_t *values = rows[0];
    au_value_t *next = out;
    for (uint32_t p = 0; p < full->positions; ++p) {
        const int8_t *weight = full->weights;
        for (uint32_t c = 0; c < full->out_channels; ++c) {
            int32_t sum = full->bias[c];
            for (uint32_t i = 0; i < full->in_channels; ++i) {
                sum += (int32_t)values[i] * (int32_t)*weight;
                ++weight;
            }
            const int32_t value = requantize(sum, full->multiplier[c], full->shift[c]) + full->out_zero;
            *next = (au_value_t)au_clamp(value, full->low, full->high);
            ++next;
        }
        values += full->in_channels;
    }
}
