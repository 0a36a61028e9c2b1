/* Depthwise convolution for Cortex-M4, M7 and M33: four channels at a time, one product each for every kernel value. */
#include "au_depthwise.h"
#include "au_rescale.h"

/* Sums of channels 0 and 2, and of 1 and 3. */
typedef struct {
    int32_t s0;
    int32_t s2;
    int32_t s1;
    int32_t s3;
} four_t;

/* The values under one output column, kernel row by kernel row: where the first channel of each is. */
static uint32_t find(const au_depthwise_t *conv, const au_value_t *const *rows, uint32_t x, const au_value_t **under)
{
    const int32_t left = (int32_t)(x * conv->stride_w) - (int32_t)conv->pad_left;
    const int32_t dilation = (int32_t)conv->dilation_w;
    uint32_t count = 0;
    for (uint32_t ky = 0; ky < conv->kernel_h; ++ky) {
        int32_t column = left;
        for (uint32_t kx = 0; kx < conv->kernel_w; ++kx) {
            const bool inside = (column >= 0) && (column < (int32_t)conv->in_width);
            under[count] = inside ? (rows[ky] + ((uint32_t)column * conv->in_channels)) : conv->outside;
            ++count;
            column += dilation;
        }
    }
    return count;
}

/* Add the products of all values from `channel` on; weights lie in fours, one behind the other. */
static inline four_t sums_of(const au_value_t *const *under, const au_value_t *const *last, uint32_t channel,
                             const int8_t *weights, const int32_t *four)
{
    four_t sums = {four[0], four[2], four[1], four[3]};
    const int8_t *weight = weights;
    for (const au_value_t *const *value = under; value != last; ++value) {
        const uint32_t w = au_load4(weight);
        const uint32_t x = au_load4(*value + channel);
        const int32_t w_even = au_even(w);
        const int32_t w_odd = au_odd(w);
        const int32_t x_even = au_even(x);
        const int32_t x_odd = au_odd(x);
        sums.s0 = __smlabb(x_even, w_even, sums.s0);
        sums.s2 = __smlatt(x_even, w_even, sums.s2);
        sums.s1 = __smlabb(x_odd, w_odd, sums.s1);
        sums.s3 = __smlatt(x_odd, w_odd, sums.s3);
        weight += 4;
    }
    return sums;
}

/* Sums of four channels become values, however they are scaled and clamped. */
AU_OUT_OF_LINE static void finish_any(const au_depthwise_t *conv, const int32_t *four, int32_t sums[4])
{
    for (uint32_t c = 0; c < 4u; ++c) {
        const int32_t how = (int32_t)(((uint32_t)four[AU_HOW_OF_FOUR] >> (8u * c)) & 0xFFu);
        const int32_t value = au_rescale_any(sums[c], four + AU_SCALES + (2u * c), how, conv->out_zero);
        sums[c] = au_clamp(value, conv->low, conv->high);
    }
}

/* The same for shifts to the right and the range of int8. */
static inline int32_t finish(const au_depthwise_t *conv, const int32_t *four, uint32_t c, int32_t sum)
{
    const int32_t how = (int32_t)(((uint32_t)four[AU_HOW_OF_FOUR] >> (8u * c)) & 0xFFu);
    return au_saturate(au_rescale_right(sum, sum * 2, four + AU_SCALES + (2u * c), how, conv->out_zero));
}

void au_depthwise_fours(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_depthwise_t *const conv = (const au_depthwise_t *)op;
    const bool saturate = (conv->low == INT8_MIN) && (conv->high == INT8_MAX);
    const uint32_t channels = conv->in_channels;
    const uint32_t multiple = conv->depth_multiplier;
    const au_value_t *under[AU_MAX_UNDER];
    au_value_t *here = out;
    for (uint32_t x = 0; x < conv->out_width; ++x) {
        const uint32_t count = find(conv, rows, x, under);
        const int8_t *weights = conv->weights;
        const int32_t *four = conv->fours;
        uint32_t channel = 0;
        uint32_t m = 0;
        while (channel < channels) {
            const uint32_t first = au_first_of_four(channel, channels);
            const four_t sums = sums_of(under, under + count, first, weights, four);
            au_value_t *const next = here + (first * multiple) + m;
            int32_t a;
            int32_t b;
            int32_t c;
            int32_t d;
            if (saturate && !au_any_but_right((uint32_t)four[AU_HOW_OF_FOUR])) {
                a = finish(conv, four, 0, sums.s0);
                b = finish(conv, four, 1, sums.s1);
                c = finish(conv, four, 2, sums.s2);
                d = finish(conv, four, 3, sums.s3);
            } else {
                int32_t all[4] = {sums.s0, sums.s1, sums.s2, sums.s3};
                finish_any(conv, four, all);
                a = all[0];
                b = all[1];
                c = all[2];
                d = all[3];
            }
            if (multiple == 1u) {
                next[0] = (au_value_t)a;
                next[1] = (au_value_t)b;
                next[2] = (au_value_t)c;
                next[3] = (au_value_t)d;
                channel += 4u;
            } else {
                next[0] = (au_value_t)a;
                next[multiple] = (au_value_t)b;
                next[2u * multiple] = (au_value_t)c;
                next[3u * multiple] = (au_value_t)d;
                ++m;
                if (m == multiple) {
                    m = 0;
                    channel += 4u;
                }
            }
            weights += 4u * count;
            four += AU_WORDS_OF_FOUR;
        }
        here += channels * multiple;
    }
}
