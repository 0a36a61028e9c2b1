/* Convolution 1 x 1 for cores with vectors (MVE: Cortex-M55): two columns and four channels at a time. */
#include "au_block_mve.h"

/* All channels of two columns of no more than sixteen values, which stay in two vectors. */
static void few_values(const au_conv_t *conv, const au_scaling_t *scaling, const au_piece_t *piece,
                       const au_place_t *place)
{
    const au_scaling_t how = *scaling;
    const uint32_t filled = piece->count;
    const mve_pred16_t there = vctp8q(filled);
    const int8x16_t x0 = vldrbq_z_s8(piece->values[0], there);
    const int8x16_t x1 = vldrbq_z_s8(piece->values[1], there);
    const int8_t *weights = conv->weights;
    const int32_t *four = how.fours;
    au_value_t *out = place->out;
    au_value_t *beside = place->beside;
    for (int32_t left = (int32_t)conv->out_channels; left > 0; left -= 4) {
        const au_four_t values = au_finish_columns(how, au_sums_of_few(x0, x1, weights, filled), four);
        au_put(values, out, beside, (uint32_t)left);
        out += 4;
        beside += 4;
        weights += 4u * filled;
        four += AU_WORDS_OF_FOUR_LANES;
    }
}

void au_conv_mve(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_conv_t *const conv = (const au_conv_t *)op;
    const au_scaling_t how = au_scaling(conv->pairs, conv->out_zero, conv->low, conv->high);
    const uint32_t step = (uint32_t)conv->in_channels * conv->stride_w;
    const au_value_t *values = rows[0];
    au_value_t *next = out;
    for (uint32_t x = 0; x < conv->out_width; x += 2u) {
        const bool alone = (x + 1u) == conv->out_width;
        const au_piece_t piece = {{values, alone ? values : (values + step)}, conv->in_channels};
        const au_place_t place = {NULL, next, alone ? next : (next + conv->out_channels)};
        if (conv->in_channels <= 16u) {
            few_values(conv, &how, &piece, &place);
        } else {
            au_store_columns(conv, &how, &piece, &piece + 1, conv->in_channels, &place);
        }
        values += 2u * step;
        next += 2u * conv->out_channels;
    }
}
