#include "au_conv.h"

static int32_t dot(const au_value_t *values, const int8_t *weights, uint32_t count)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < count; ++i) {
        sum += (int32_t)values[i] * (int32_t)weights[i];
    }
    return sum;
}

static int32_t weight_sum(const int8_t *weights, uint32_t count)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < count; ++i) {
        sum += weights[i];
    }
    return sum;
}

/* One kernel row: columns outside of the tensor hold the zero point. */
static int32_t kernel_row(const au_conv_t *conv, const au_value_t *row, const int8_t *weights, int32_t left)
{
    int32_t sum = 0;
    int32_t column = left;
    const uint32_t channels = conv->in_channels;
    for (uint32_t k = 0; k < conv->kernel_w; ++k) {
        const int8_t *const w = weights + (k * channels);
        if ((column >= 0) && (column < (int32_t)conv->in_width)) {
            sum += dot(row + ((uint32_t)column * channels), w, channels);
        } else {
            sum += (int32_t)conv->in_zero * weight_sum(w, channels);
        }
        column += (int32_t)conv->dilation_w;
    }
    return sum;
}

void au_conv(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_conv_t *const conv = (const au_conv_t *)op;
    const uint32_t run = (uint32_t)conv->kernel_w * conv->in_channels;
    const int32_t span = ((int32_t)conv->kernel_w - 1) * (int32_t)conv->dilation_w;
    au_value_t *next = out;
    for (uint32_t x = 0; x < conv->out_width; ++x) {
        const int32_t left = (int32_t)(x * conv->stride_w) - (int32_t)conv->pad_left;
        /* Without dilation and inside of the tensor, a kernel row and its weights are both contiguous. */
        const bool plain = (conv->dilation_w == 1u) && (left >= 0) && ((left + span) < (int32_t)conv->in_width);
        const int8_t *weights = conv->weights;
        for (uint32_t c = 0; c < conv->out_channels; ++c) {
            int32_t sum = conv->bias[c];
            for (uint32_t k = 0; k < conv->kernel_h; ++k) {
                if (plain) {
                    sum += dot(rows[k] + ((uint32_t)left * conv->in_channels), weights, run);
                } else {
                    sum += kernel_row(conv, rows[k], weights, left);
                }
                weights += run;
            }
            const int32_t value = au_requantize(sum, conv->multiplier[c], conv->shift[c]) + conv->out_zero;
            *next = (au_value_t)au_clamp(value, conv->low, conv->high);
            ++next;
        }
    }
}
