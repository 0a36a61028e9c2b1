/* Depthwise convolution of 3 x 3 for Cortex-M4, M7 and M33: two output columns at a time, all channels of both, of
 * which two are made at once. An input column under both is unpacked once. Sums are kept doubled, which is how
 * au_rescale_right() wants them. */
#include "au_depthwise.h"
#include "au_rescale.h"
#include "au_threes.h"

/* An input column: so many strides and dilations from the first. */
typedef struct {
    uint8_t strides;
    uint8_t dilations;
} column_t;

/* As common_t says. */
static const column_t columns_of[3][6] = {
    {{0, 0}, {0, 1}, {0, 2}, {1, 2}, {0, 0}, {0, 0}},
    {{0, 0}, {1, 0}, {1, 2}, {0, 1}, {1, 1}, {0, 0}},
    {{0, 0}, {1, 0}, {0, 1}, {1, 1}, {0, 2}, {1, 2}},
};

/* Two out of four channels, 0 and 2 or `odd`, in one output column, however they are scaled and clamped. */
static void two_channels(const au_depthwise_t *conv, const int32_t *known, const au_value_t *const *under, uint32_t at,
                         bool odd, common_t common, au_value_t *out)
{
    const int32_t how = known[HOW];
    const int32_t second = (int32_t)((uint32_t)how >> AU_SECOND_HALF);
    int32_t twice[2];
    add_columns(twice, known, under, at, odd, common);
    out[0] = (au_value_t)au_finish_clamped(twice[0] >> 1, known + SCALE, how, conv->out_zero, conv->low, conv->high);
    out[2] = (au_value_t)au_finish_clamped(twice[1] >> 1, known + SECOND_SCALE, second, conv->out_zero, conv->low,
                                           conv->high);
}

/* Four channels of two output columns, however they are scaled and clamped. */
AU_OUT_OF_LINE static const int32_t *four_anyhow(const au_depthwise_t *conv, const int32_t *known, place_t *place,
                                                 uint32_t at, common_t common)
{
    const au_value_t *const *const under = first_under(place, common);
    const int32_t *const odd = known + WORDS_OF_TWO;
    two_channels(conv, known, under + 3, at, false, common, place->beside);
    two_channels(conv, odd, under + 3, at, true, common, place->beside + 1);
    two_channels(conv, known, under, at, false, common, place->out);
    two_channels(conv, odd, under, at, true, common, place->out + 1);
    place->beside += 4;
    place->out += 4;
    return odd + WORDS_OF_TWO;
}

/* All channels of two columns; the last four overlap those before them where the channels are no multiple of four. */
AU_DISSOLVED void two_columns(const au_depthwise_t *conv, place_t *place, uint32_t at, common_t common)
{
    const int32_t *known = conv->fours;
    const uint32_t end = at + conv->in_channels;
    const uint32_t last = end - 4u;
    uint32_t first = at;
    place->last = last;
    while (first != end) {
#ifdef AU_FINISHES
        known = by_fours(known, place, &first, common);
#endif
        if (first <= last) {
            known = four_anyhow(conv, known, place, first, common);
            first += 4u;
        }
        if ((first > last) && (first != end)) {
            place->out -= first - last;
            place->beside -= first - last;
            first = last;
        }
    }
}

/* The input columns under two output columns, of which the first begins `left`. */
static void list(const au_depthwise_t *conv, const au_value_t *const *rows, int32_t left, const column_t *columns,
                 const au_value_t **under, const au_value_t *const *end)
{
    const column_t *column = columns;
    for (const au_value_t **next = under; next != end; next += 3) {
        const int32_t x = left + ((int32_t)column->strides * (int32_t)conv->stride_w) +
                          ((int32_t)column->dilations * (int32_t)conv->dilation_w);
        const bool inside = (x >= 0) && (x < (int32_t)conv->in_width);
        const uint32_t at = inside ? ((uint32_t)x * conv->in_channels) : 0u;
        for (uint32_t i = 0; i < 3u; ++i) {
            next[i] = inside ? (rows[i] + at) : conv->outside;
        }
        ++column;
    }
}

static common_t common_of(const au_depthwise_t *conv)
{
    common_t common = APART;
    if (conv->stride_w == conv->dilation_w) {
        common = SHARED;
    } else if (conv->stride_w == (2u * conv->dilation_w)) {
        common = OVERLAPPING;
    } else {
        /* nothing in common */
    }
    return common;
}

void au_depthwise_threes(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_depthwise_t *const conv = (const au_depthwise_t *)op;
    const common_t common = common_of(conv);
    const int32_t hop = 2 * (int32_t)conv->stride_w;
    const int32_t last = (int32_t)conv->in_width - ((int32_t)conv->stride_w + (2 * (int32_t)conv->dilation_w));
    place_t place;
    bool listed = false;
    uint32_t at = 0;
    int32_t left = -(int32_t)conv->pad_left;
    place.out = out;
    for (uint32_t x = 0; x < conv->out_width; x += 2u) {
        const bool inside = (left >= 0) && (left < last);
        place.beside = ((x + 1u) < conv->out_width) ? (place.out + conv->in_channels) : place.out;
        if (!(listed && inside)) { /* what lies inside is found once: the next lies as far behind all of it */
            list(conv, rows, left, columns_of[common], first_under(&place, common), place.under + (3 * MOST_COLUMNS));
            at = 0;
        }
        listed = inside;
        if ((AU_THREES_SHARED != 0) && (common == SHARED)) {
            two_columns(conv, &place, at, SHARED);
        }
        if ((AU_THREES_OVERLAPPING != 0) && (common == OVERLAPPING)) {
            two_columns(conv, &place, at, OVERLAPPING);
        }
        if ((AU_THREES_APART != 0) && (common == APART)) {
            two_columns(conv, &place, at, APART);
        }
        at += (uint32_t)hop * conv->in_channels;
        left += hop;
        place.out = place.beside;
    }
}
