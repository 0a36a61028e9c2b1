/* Depthwise convolution in plain C: four output channels at a time where they have an input channel each or one in
 * common. */
#include "au_depthwise.h"

/* Adds the products of `count` output channels, 1 or 4, whose input channels lie `spread`; `left` is the kernel's first
 * column. */
static inline void add_kernel(const au_depthwise_t *conv, const au_value_t *const *rows, int32_t left, uint32_t channel,
                              const int8_t *weights, uint32_t count, uint32_t spread, int32_t sums[4])
{
    const uint32_t step = (uint32_t)conv->in_channels * conv->depth_multiplier;
    const uint32_t apart = (uint32_t)conv->in_channels * conv->dilation_w;
    const uint32_t offset = ((uint32_t)left * conv->in_channels) + channel;
    const au_value_t *const outside = conv->outside;
    const int8_t *weight = weights;
    for (uint32_t ky = 0; ky < conv->kernel_h; ++ky) {
        const au_value_t *const row = rows[ky];
        uint32_t column = (uint32_t)left;
        uint32_t at = offset;
        for (uint32_t kx = 0; kx < conv->kernel_w; ++kx) {
            const au_value_t *const values = (column < conv->in_width) ? (row + at) : outside;
            sums[0] += (int32_t)values[0] * (int32_t)weight[0];
            if (count == 4u) {
                sums[1] += (int32_t)values[spread] * (int32_t)weight[1];
                sums[2] += (int32_t)values[2u * spread] * (int32_t)weight[2];
                sums[3] += (int32_t)values[3u * spread] * (int32_t)weight[3];
            }
            weight += step;
            column += conv->dilation_w;
            at += apart;
        }
    }
}

void au_depthwise(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_depthwise_t *const conv = (const au_depthwise_t *)op;
    const uint32_t multiple = conv->depth_multiplier;
    const uint32_t channels = (uint32_t)conv->in_channels * multiple;
    au_value_t *next = out;
    for (uint32_t x = 0; x < conv->out_width; ++x) {
        const int32_t left = (int32_t)(x * conv->stride_w) - (int32_t)conv->pad_left;
        uint32_t output = 0;
        while (output < channels) {
            const int8_t *const weights = conv->weights + output;
            int32_t sums[4] = {0, 0, 0, 0};
            uint32_t count = 4;
            if ((multiple == 1u) && ((output + 4u) <= channels)) {
                add_kernel(conv, rows, left, output, weights, 4, 1, sums);
            } else if ((multiple % 4u) == 0u) {
                add_kernel(conv, rows, left, output / multiple, weights, 4, 0, sums);
            } else {
                count = 1;
                add_kernel(conv, rows, left, output / multiple, weights, 1, 0, sums);
            }
            for (uint32_t c = 0; c < count; ++c) {
                const int32_t sum = sums[c] + conv->bias[output];
                const int32_t value =
                    au_plus(au_requantize(sum, conv->multiplier[output], conv->shift[output]), conv->out_zero);
                *next = (au_value_t)au_clamp(value, conv->low, conv->high);
                ++next;
                ++output;
            }
        }
    }
}
