/* Depthwise convolution of 3 x 3 for Cortex-M4, M7 and M33: two output columns at a time, all channels of both, of
 * which two are made at once. An input column under both is unpacked once. Sums are kept doubled, which is how
 * au_rescale_right() wants them. */
#include "au_depthwise.h"
#include "au_rescale.h"
#include "au_threes.h"

/* Input columns under two output columns at most, those under both counted twice. */
enum { COLUMNS = 6 };

/* A sum becomes a value, however it is scaled and clamped. */
AU_OUT_OF_LINE static int32_t finish_any(const au_depthwise_t *conv, const int32_t *scale, uint32_t how, int32_t twice)
{
    const int32_t value = au_rescale_any(twice >> 1, scale, (int32_t)(how & 0xFFu), conv->out_zero);
    return au_clamp(value, conv->low, conv->high);
}

/* A channel in two columns; where there is no second column, it lies where the first does. */
DISSOLVED void finish(const au_depthwise_t *conv, const int32_t *known, uint32_t how, int32_t a, int32_t b,
                      au_value_t *out, au_value_t *beside)
{
    const int32_t zero = AU_SINGLE_ROUNDING ? conv->out_zero : 0;
    const int32_t scale[2] = {known[0], known[1]};
    const uint32_t left = how - (uint32_t)AU_LEFT;
    int32_t first;
    int32_t second;
    if (how < 32u) {
        first = au_saturate(au_rescale_right(a, a, scale, (int32_t)how, zero));
        second = au_saturate(au_rescale_right(b, b, scale, (int32_t)how, zero));
    } else if (left < 32u) {
        first = au_saturate(au_rescale_left(a, scale, (int32_t)left));
        second = au_saturate(au_rescale_left(b, scale, (int32_t)left));
    } else {
        first = finish_any(conv, known, how, a);
        second = finish_any(conv, known, how, b);
    }
    *beside = (au_value_t)second;
    *out = (au_value_t)first;
}

/* Two out of four channels, 0 and 2 or `odd`, of two columns. Returns what is known of the next two. */
DISSOLVED const int32_t *two_channels(const au_depthwise_t *conv, const int32_t *known, const au_value_t *const *under,
                                      uint32_t at, bool odd, bool shared, au_value_t *out, au_value_t *beside)
{
    const uint32_t lane = odd ? 1u : 0u;
    sums_t sums;
    const int32_t *const scale = accumulate(&sums, known, under, at, odd, shared);
    const uint32_t how = (uint32_t)scale[HOW - SCALE];
    finish(conv, scale, how & 0xFFFFu, sums.a0, sums.b0, out + lane, beside + lane);
    finish(conv, scale + (SECOND_SCALE - SCALE), how >> 16, sums.a1, sums.b1, out + lane + 2, beside + lane + 2);
    return scale + (WORDS_OF_TWO - SCALE);
}

/* All channels of two columns. */
DISSOLVED void two_columns(const au_depthwise_t *conv, const au_value_t *const *under, bool shared, au_value_t *out,
                           au_value_t *beside)
{
    const uint32_t channels = conv->in_channels;
    const int32_t *known = conv->fours;
    for (uint32_t channel = 0; channel < channels; channel += 4u) {
        const uint32_t first = au_first_of_four(channel, channels);
        au_value_t *const here = out + first;
        au_value_t *const there = beside + first;
        known = two_channels(conv, known, under, first, false, shared, here, there);
        known = two_channels(conv, known, under, first, true, shared, here, there);
    }
}

/* One input column, which may lie beside the tensor. */
static inline void point(const au_depthwise_t *conv, const au_value_t *const *rows, int32_t column,
                         const au_value_t **under)
{
    const bool inside = (column >= 0) && (column < (int32_t)conv->in_width);
    const uint32_t at = inside ? ((uint32_t)column * conv->in_channels) : 0u;
    for (uint32_t i = 0; i < 3u; ++i) {
        under[i] = inside ? (rows[i] + at) : conv->outside;
    }
}

/* `twice` two input columns, the first of them `left`: the second of two lies `hop` from the first, that of the next
 * two `step`. */
static void list(const au_depthwise_t *conv, const au_value_t *const *rows, int32_t left, int32_t hop, int32_t step,
                 uint32_t twice, const au_value_t **under)
{
    const int32_t channels = (int32_t)conv->in_channels;
    const int32_t last = left + hop + (step * ((int32_t)twice - 1));
    const au_value_t **const end = under + (6u * twice);
    const au_value_t **next = under;
    if ((left >= 0) && (last < (int32_t)conv->in_width)) {
        const int32_t beside = hop * channels;
        int32_t at = left * channels;
        for (; next != end; next += 6) {
            const au_value_t *const a = rows[0] + at;
            const au_value_t *const b = rows[1] + at;
            const au_value_t *const c = rows[2] + at;
            next[0] = a;
            next[1] = b;
            next[2] = c;
            next[3] = a + beside;
            next[4] = b + beside;
            next[5] = c + beside;
            at += step * channels;
        }
    } else {
        int32_t column = left;
        for (; next != end; next += 6) {
            point(conv, rows, column, next);
            point(conv, rows, column + hop, next + 3);
            column += step;
        }
    }
}

void au_depthwise_threes(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_depthwise_t *const conv = (const au_depthwise_t *)op;
    const int32_t stride = (int32_t)conv->stride_w;
    const int32_t dilation = (int32_t)conv->dilation_w;
    const bool shared = stride == dilation;
    const au_value_t *under[3 * COLUMNS];
    au_value_t *here = out;
    int32_t left = -(int32_t)conv->pad_left;
    for (uint32_t x = 0; x < conv->out_width; x += 2u) {
        au_value_t *const beside = ((x + 1u) < conv->out_width) ? (here + conv->in_channels) : here;
        if (shared) {
            list(conv, rows, left, dilation, 2 * dilation, 2, under);
            two_columns(conv, under, true, here, beside);
        } else {
            list(conv, rows, left, stride, dilation, 3, under);
            two_columns(conv, under, false, here, beside);
        }
        left += 2 * stride;
        here += 2u * conv->in_channels;
    }
}
