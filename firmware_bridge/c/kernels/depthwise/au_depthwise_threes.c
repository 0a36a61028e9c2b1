/* Depthwise convolution of 3 x 3 for Cortex-M4, M7 and M33: two channels at a time along a whole row, three output
 * columns at a time. Weights are unpacked once for the row; an input column under several output columns is unpacked
 * once for all of them. Sums are kept doubled, which is how au_rescale_right() wants them. */
#include "au_depthwise.h"
#include "au_lines.h"
#include "au_rescale.h"

/* Output columns at a time, and input columns under them at most. */
#define ABREAST 3u
#define COLUMNS 7u

/* What is known of two channels, in words (specialise/depthwise.py): twice their biases, of each two words that
 * au_rescale.h wants, and a byte each that says how it is scaled. */
enum { BIAS = 0, SCALE = 2, SECOND_SCALE = 4, HOW = 6, WORDS_OF_TWO = 7 };

/* A row of output in threes: a first one under which columns lie beside the tensor, those that lie inside, and a last
 * one of either kind or of fewer columns. The values of four channels under the first and the last are gathered. */
typedef struct {
    uint32_t first;
    uint32_t inside;
    uint32_t last;
    uint32_t values[2][3][COLUMNS];
} row_t;

static void unpack(const int8_t *packed, bool odd, two_t *two)
{
    const int8_t *next = packed;
    for (line_t *line = two->lines; line != (two->lines + 3); ++line) {
        const uint32_t a = au_load4(next);
        const uint32_t b = au_load4(next + 4);
        const uint32_t c = au_load4(next + 8);
        const int32_t w0 = odd ? au_odd(a) : au_even(a);
        const int32_t w1 = odd ? au_odd(b) : au_even(b);
        const int32_t w2 = odd ? au_odd(c) : au_even(c);
        line->weights[0] = __sadd16(w0, w0);
        line->weights[1] = __sadd16(w1, w1);
        line->weights[2] = __sadd16(w2, w2);
        next += 12;
    }
    two->odd = odd;
}

AU_OUT_OF_LINE static int32_t scaled_any(int32_t twice, const int32_t *scale, int32_t how, int32_t zero)
{
    return au_rescale_any(twice >> 1, scale, how, zero);
}

/* Three columns of a channel, the last first: where there are fewer, they lie where the first does. */
static inline void finish(const au_depthwise_t *conv, const two_t *two, const int32_t *scale, int32_t how,
                          const int32_t sums[3], const place_t *place, au_value_t *out)
{
    int32_t a;
    int32_t b;
    int32_t c;
    if (how < (AU_OTHERWISE / 2)) {
        a = au_rescale_right(sums[0], sums[0], scale, how, conv->out_zero);
        b = au_rescale_right(sums[1], sums[1], scale, how, conv->out_zero);
        c = au_rescale_right(sums[2], sums[2], scale, how, conv->out_zero);
    } else if (how >= AU_LEFT) {
        a = au_rescale_left(sums[0], scale, how - AU_LEFT);
        b = au_rescale_left(sums[1], scale, how - AU_LEFT);
        c = au_rescale_left(sums[2], scale, how - AU_LEFT);
    } else {
        a = scaled_any(sums[0], scale, how, conv->out_zero);
        b = scaled_any(sums[1], scale, how, conv->out_zero);
        c = scaled_any(sums[2], scale, how, conv->out_zero);
    }
    if (two->saturate) {
        a = au_saturate(a);
        b = au_saturate(b);
        c = au_saturate(c);
    } else {
        a = au_clamp(a, conv->low, conv->high);
        b = au_clamp(b, conv->low, conv->high);
        c = au_clamp(c, conv->low, conv->high);
    }
    out[place->third] = (au_value_t)c;
    out[place->second] = (au_value_t)b;
    out[0] = (au_value_t)a;
}

/* How a row is cut into threes. SAME leaves one column beside the tensor at most, at either end. */
static void cut(const au_depthwise_t *conv, row_t *row)
{
    const uint32_t threes = (conv->out_width + 2u) / ABREAST;
    const uint32_t x = (threes - 1u) * ABREAST;
    const uint32_t end = (((x + 2u) * conv->stride_w) + 3u) - conv->pad_left;
    const bool whole = ((x + 3u) == conv->out_width) && (end <= conv->in_width);
    row->first = (conv->pad_left != 0u) ? 1u : 0u;
    row->last = (whole || (threes == row->first)) ? 0u : 1u;
    row->inside = threes - row->first - row->last;
}

/* Gather four channels under three output columns from `x` on, those beside the tensor included. */
static void gather(const au_depthwise_t *conv, const au_value_t *const *rows, uint32_t x, uint32_t channel,
                   uint32_t values[3][COLUMNS])
{
    const uint32_t columns = 3u + (2u * conv->stride_w);
    const uint32_t beside = (x == 0u) ? conv->pad_left : 0u;
    const uint32_t from = ((x * conv->stride_w) + beside) - conv->pad_left;
    const uint32_t there =
        ((conv->in_width - from) < (columns - beside)) ? (conv->in_width - from) : (columns - beside);
    const uint32_t at = (from * conv->in_channels) + channel;
    const au_value_t *a = rows[0] + at;
    const au_value_t *b = rows[1] + at;
    const au_value_t *c = rows[2] + at;
    const uint32_t outside = au_load4(conv->outside);
    uint32_t *next = values[0];
    uint32_t *const end = next + columns;
    if (beside != 0u) {
        next[0] = outside;
        next[COLUMNS] = outside;
        next[2u * COLUMNS] = outside;
        ++next;
    }
    for (uint32_t *const last = next + there; next != last; ++next) {
        next[0] = au_load4(a);
        next[COLUMNS] = au_load4(b);
        next[2u * COLUMNS] = au_load4(c);
        a += conv->in_channels;
        b += conv->in_channels;
        c += conv->in_channels;
    }
    for (; next != end; ++next) {
        next[0] = outside;
        next[COLUMNS] = outside;
        next[2u * COLUMNS] = outside;
    }
}

/* The values of three lines, side by side in `values` or in `rows`. */
static inline void look_at(two_t *two, const au_value_t *a, const au_value_t *b, const au_value_t *c)
{
    two->lines[0].values = a;
    two->lines[1].values = b;
    two->lines[2].values = c;
}

/* A row of two channels, of which the first is `channel` in the tensor. */
static void one_row(const au_depthwise_t *conv, const au_value_t *const *rows, uint32_t channel, two_t *two,
                    const row_t *row, au_value_t *out)
{
    const uint32_t stride = conv->stride_w;
    const uint32_t channels = conv->in_channels;
    const int32_t *const known = two->known;
    const uint32_t how = (uint32_t)known[HOW];
    const uint32_t *ends = row->first ? row->values[0][0] : row->values[1][0];
    place_t place = {0, 4, channels, 2u * channels};
    au_value_t *here = out;
    uint32_t inside = row->first ? 0u : row->inside;
    uint32_t left = row->first + row->inside + row->last;
    uint32_t gone = 0; /* columns */
    bool moved = true;
    while (left != 0u) {
        if (inside != 0u) {
            if (moved) {
                look_at(two, rows[0], rows[1], rows[2]);
                place.at = (((gone * stride) - conv->pad_left) * channels) + channel;
                place.pitch = channels;
                moved = false;
            }
            --inside;
        } else {
            const uint32_t there = conv->out_width - gone;
            look_at(two, (const au_value_t *)ends, (const au_value_t *)(ends + COLUMNS),
                    (const au_value_t *)(ends + (2u * COLUMNS)));
            place.at = 0;
            place.pitch = 4;
            place.second = (there > 1u) ? channels : 0u;
            place.third = (there > 2u) ? (2u * channels) : 0u;
            moved = true;
            ends = row->values[1][0];
            inside = row->inside;
        }
        sums_t sums = {known[BIAS], known[BIAS + 1], known[BIAS], known[BIAS + 1], known[BIAS], known[BIAS + 1]};
        accumulate(&sums, two, &place, stride);
        const int32_t of_first[3] = {sums.a0, sums.b0, sums.c0};
        const int32_t of_second[3] = {sums.a1, sums.b1, sums.c1};
        finish(conv, two, known + SCALE, (int32_t)(how & 0xFFu), of_first, &place, here);
        finish(conv, two, known + SECOND_SCALE, (int32_t)(how >> 8), of_second, &place, here + 2);
        place.at += ABREAST * stride * channels;
        here += ABREAST * channels;
        gone += ABREAST;
        --left;
    }
}

void au_depthwise_threes(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_depthwise_t *const conv = (const au_depthwise_t *)op;
    const uint32_t channels = conv->in_channels;
    const int8_t *packed = conv->weights;
    two_t two;
    row_t row;
    cut(conv, &row);
    two.known = conv->fours;
    two.saturate = (conv->low == INT8_MIN) && (conv->high == INT8_MAX);
    for (uint32_t channel = 0; channel < channels; channel += 4u) {
        const uint32_t first = au_first_of_four(channel, channels);
        if (row.first != 0u) {
            gather(conv, rows, 0, first, row.values[0]);
        }
        if (row.last != 0u) {
            gather(conv, rows, ABREAST * (row.first + row.inside), first, row.values[1]);
        }
        for (uint32_t i = 0; i < 2u; ++i) {
            unpack(packed, i != 0u, &two);
            one_row(conv, rows, first, &two, &row, out + first + i);
            two.known += WORDS_OF_TWO;
        }
        packed += 36;
    }
}
