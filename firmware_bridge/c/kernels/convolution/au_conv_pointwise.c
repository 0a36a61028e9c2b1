/* Convolution of 1 x 1 for Cortex-M4, M7 and M33: two columns at a time where they lie, as au_conv_paired.c does it,
 * but without pieces to look for; what is known of two channels lies around their weights. */
#include "au_conv.h"

#include AU_BLOCK_IN_PLACE

/* Words before two channels' weights, which begin what au_packed.h lists, and words behind them, which end it but for
 * the last: a half each that says how either is scaled, and 256 more where values are clamped to less than int8. */
enum { BEFORE = AU_SCALE, BEHIND = AU_WORDS_OF_PAIR - AU_SCALE };

/* The second channel's scale and how both are scaled, counted from the first's scale. */
enum { SECOND_SCALE = AU_SECOND_SCALE - AU_SCALE, HOW = AU_HOW - AU_SCALE };

/* A sum becomes a value, however it is scaled and clamped. */
AU_OUT_OF_LINE static int32_t finish_any(const au_conv_t *conv, const int32_t *scale, uint32_t how, int32_t sum)
{
    const int32_t value = au_rescale_any(sum, scale, (int32_t)(how & 0xFFu), conv->out_zero);
    return au_clamp(value, conv->low, conv->high);
}

/* Two sums of a channel become values. */
static inline void finish(const au_conv_t *conv, const int32_t *known, uint32_t how, int32_t sums[2])
{
    const int32_t zero = AU_SINGLE_ROUNDING ? conv->out_zero : 0;
    const int32_t scale[2] = {known[0], known[1]};
    const uint32_t left = how - (uint32_t)AU_LEFT;
    const int32_t a = sums[0];
    const int32_t b = sums[1];
    if (how < 32u) {
        sums[0] = au_saturate(au_rescale_right(a, a * 2, scale, (int32_t)how, zero));
        sums[1] = au_saturate(au_rescale_right(b, b * 2, scale, (int32_t)how, zero));
    } else if (left < 32u) {
        sums[0] = au_saturate(au_rescale_left(a * 2, scale, (int32_t)left));
        sums[1] = au_saturate(au_rescale_left(b * 2, scale, (int32_t)left));
    } else {
        sums[0] = finish_any(conv, known, how, a);
        sums[1] = finish_any(conv, known, how, b);
    }
}

/* All channels of two columns whose values sum to `sums`. */
static inline void two_columns(const au_conv_t *conv, const au_piece_t *piece, const int32_t sums[2], au_value_t *out,
                               au_value_t *beside)
{
    const int32_t excess0 = sums[0] * 128;
    const int32_t excess1 = sums[1] * 128;
    const int8_t *weights = conv->weights;
    const au_value_t *const end = out + conv->out_channels;
    au_value_t *here = out;
    au_value_t *there = beside;
    while (here != end) {
        const int32_t *const before = (const int32_t *)(const void *)weights;
        au_block_t block = {before[0] - excess0, before[1], before[0] - excess1, before[1]};
        weights = au_accumulate(&block, piece, weights + (BEFORE * 4));
        const int32_t *const known = (const int32_t *)(const void *)weights;
        const uint32_t how = (uint32_t)known[HOW];
        int32_t first[2] = {block.s00 - au_shift_left(block.s01, 8), block.s10 - au_shift_left(block.s11, 8)};
        int32_t second[2] = {block.s01, block.s11};
        finish(conv, known, how & 0xFFFFu, first);
        finish(conv, known + SECOND_SCALE, how >> 16, second);
        here[0] = (au_value_t)first[0];
        here[1] = (au_value_t)second[0];
        there[0] = (au_value_t)first[1];
        there[1] = (au_value_t)second[1];
        here += 2;
        there += 2;
        weights += BEHIND * 4;
    }
}

void au_conv_pointwise(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_conv_t *const conv = (const au_conv_t *)op;
    const uint32_t apart = (uint32_t)conv->stride_w * conv->in_channels;
    const uint32_t channels = conv->out_channels;
    au_piece_t piece = {{rows[0], rows[0] + apart}, conv->in_channels};
    au_value_t *here = out;
    for (uint32_t x = 0; x < conv->out_width; x += 2u) {
        int32_t sums[2];
        au_value_t *there = here + channels;
        if ((x + 1u) == conv->out_width) { /* there is no second column */
            piece.values[1] = piece.values[0];
            there = here;
        }
        au_sum_up(&piece, &piece + 1, sums);
        two_columns(conv, &piece, sums, here, there);
        piece.values[0] += 2u * apart;
        piece.values[1] += 2u * apart;
        here += 2u * channels;
    }
}
