#include "au_depthwise.h"

/* The sum for input channel `channel` and output channel `output` of the kernel whose first column is `left`. */
static int32_t kernel_sum(const au_depthwise_t *conv, const au_value_t *const *rows, int32_t left, uint32_t channel, uint32_t output)
{
    const uint32_t step = (uint32_t)conv->in_channels * conv->depth_multiplier;
    const int8_t *weight = conv->weights + output;
    int32_t sum = conv->bias[output];
    for (uint32_t ky = 0; ky < conv->kernel_h; ++ky) {
        int32_t column = left;
        for (uint32_t kx = 0; kx < conv->kernel_w; ++kx) {
            int32_t value = conv->in_zero;
            if ((column >= 0) && (column < (int32_t)conv->in_width)) {
                value = rows[ky][((uint32_t)column * conv->in_channels) + channel];
            }
            sum += value * (int32_t)*weight;
            weight += step;
            column += (int32_t)conv->dilation_w;
        }
    }
    return sum;
}

void au_depthwise(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_depthwise_t *const conv = (const au_depthwise_t *)op;
    au_value_t *next = out;
    for (uint32_t x = 0; x < conv->out_width; ++x) {
        const int32_t left = (int32_t)(x * conv->stride_w) - (int32_t)conv->pad_left;
        uint32_t output = 0;
        for (uint32_t channel = 0; channel < conv->in_channels; ++channel) {
            for (uint32_t m = 0; m < conv->depth_multiplier; ++m) {
                const int32_t sum = kernel_sum(conv, rows, left, channel, output);
                const int32_t value = au_requantize(sum, conv->multiplier[output], conv->shift[output]) + conv->out_zero;
                *next = (au_value_t)au_clamp(value, conv->low, conv->high);
                ++next;
                ++output;
            }
        }
    }
}
