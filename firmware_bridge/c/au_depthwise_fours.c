/* Depthwise convolution for Cortex-M4, M7 and M33: four channels at a time, one product each for every kernel column. */
#include "au_depthwise.h"
#include "au_dsp.h"

typedef struct {
    int32_t sum[4];
} four_t;

/* Adds one kernel column of four channels. */
static inline void add(four_t *four, const au_value_t *values, const int8_t *weights)
{
    const uint32_t w = au_load4(weights);
    const int32_t w_even = au_even(w);
    const int32_t w_odd = au_odd(w);
#if AU_VALUE_BITS == 16
    const int32_t x01 = (int32_t)au_load4(values);
    const int32_t x23 = (int32_t)au_load4(values + 2);
    four->sum[0] = __smlabb(x01, w_even, four->sum[0]);
    four->sum[1] = __smlatb(x01, w_odd, four->sum[1]);
    four->sum[2] = __smlabt(x23, w_even, four->sum[2]);
    four->sum[3] = __smlatt(x23, w_odd, four->sum[3]);
#else
    const uint32_t x = au_load4(values);
    const int32_t x_even = au_even(x);
    const int32_t x_odd = au_odd(x);
    four->sum[0] = __smlabb(x_even, w_even, four->sum[0]);
    four->sum[2] = __smlatt(x_even, w_even, four->sum[2]);
    four->sum[1] = __smlabb(x_odd, w_odd, four->sum[1]);
    four->sum[3] = __smlatt(x_odd, w_odd, four->sum[3]);
#endif
}

/* Kernel columns under one output column: those before `begin` and from `end` on lie beside the tensor. */
typedef struct {
    int32_t left; /* input column under the first */
    uint32_t begin;
    uint32_t end;
} reach_t;

static reach_t reach_of(const au_depthwise_t *conv, uint32_t x)
{
    reach_t reach;
    reach.left = (int32_t)(x * conv->stride_w) - (int32_t)conv->pad_left;
    const int32_t room = (int32_t)conv->in_width - reach.left;
    reach.begin = (reach.left < 0) ? (uint32_t)-reach.left : 0u;
    reach.end = (room < (int32_t)conv->kernel_w) ? (uint32_t)room : conv->kernel_w;
    return reach;
}

static four_t sums_of(const au_depthwise_t *conv, const au_value_t *const *rows, const reach_t *reach, uint32_t channel)
{
    const uint32_t channels = conv->in_channels;
    const int8_t *weights = conv->weights + channel;
    four_t four = {{conv->bias[channel], conv->bias[channel + 1u], conv->bias[channel + 2u], conv->bias[channel + 3u]}};
    for (uint32_t ky = 0; ky < conv->kernel_h; ++ky) {
        const au_value_t *values = rows[ky] + (((uint32_t)(reach->left + (int32_t)reach->begin) * channels) + channel);
        uint32_t kx = 0;
        for (; kx < reach->begin; ++kx) {
            add(&four, conv->outside, weights);
            weights += channels;
        }
        for (; kx < reach->end; ++kx) {
            add(&four, values, weights);
            values += channels;
            weights += channels;
        }
        for (; kx < conv->kernel_w; ++kx) {
            add(&four, conv->outside, weights);
            weights += channels;
        }
    }
    return four;
}

void au_depthwise_fours(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_depthwise_t *const conv = (const au_depthwise_t *)op;
    const int32_t zero = conv->out_zero;
    const int32_t low = conv->low;
    const int32_t high = conv->high;
    const uint32_t channels = conv->in_channels;
    au_value_t *next = out;
    for (uint32_t x = 0; x < conv->out_width; ++x) {
        const reach_t reach = reach_of(conv, x);
        for (uint32_t channel = 0; channel < channels; channel += 4u) {
            const four_t four = sums_of(conv, rows, &reach, channel);
            for (uint32_t c = 0; c < 4u; ++c) {
                const au_scale_t scale = au_scale(conv->multiplier, conv->shift, channel + c);
                *next = (au_value_t)au_clamp(au_rescale(four.sum[c], scale) + zero, low, high);
                ++next;
            }
        }
    }
}
