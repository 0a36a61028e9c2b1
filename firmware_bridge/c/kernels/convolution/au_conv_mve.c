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
    int32_t left = (int32_t)conv->out_channels;
    au_four_t values;
    int32_t s0;
    int32_t s1;
#define SUMS \
    [here] "=&w"(values.here), [beside] "=&w"(values.beside), [s0] "=&Te"(s0), [s1] "=&Te"(s1), [weight] "+r"(weights)
#if AU_SINGLE_ROUNDING
    for (; left > 0; left -= 4) {
        __asm volatile(AU_SUMS_OF_FEW : SUMS : [x0] "w"(x0), [x1] "w"(x1), [filled] "r"(filled) : "q4", "q5", "memory");
        au_put(au_finish_columns(how, values, four), out, beside, (uint32_t)left);
        out += 4;
        beside += 4;
        four += AU_WORDS_OF_FOUR_LANES;
    }
#else
    const int32_t limits[2] = {how.low, how.high};
#define FOURS(scaled)                                                                                               \
    __asm volatile("1:\n\t" AU_SUMS_OF_FEW AU_BEFORE_LIMITS(scaled) "ldrd %[s0], %[s1], [%[limits]]\n\t" AU_LIMITS( \
                       "%[s0]", "%[s1]") "vctp.32 %[left]\n\t"                                                      \
                                         "vpstt\n\t"                                                                \
                                         "vstrbt.32 %q[here], [%[out]]\n\t"                                         \
                                         "vstrbt.32 %q[beside], [%[next]]\n\t"                                      \
                                         "add %[out], %[out], #4\n\t"                                               \
                                         "add %[next], %[next], #4\n\t"                                             \
                                         "subs %[left], %[left], #4\n\t"                                            \
                                         "bgt 1b\n"                                                                 \
                   : SUMS, [four] "+l"(four), [out] "+l"(out), [next] "+l"(beside), [left] "+r"(left)               \
                   : [x0] "w"(x0), [x1] "w"(x1), [filled] "r"(filled), [zero] "r"(how.zero), [limits] "r"(limits)   \
                   : "q4", "q5", "q6", "q7", "cc", "memory")
    if (how.away) {
        FOURS(AU_COLUMNS_AWAY);
    } else if (how.up) {
        FOURS(AU_COLUMNS_UP);
    } else {
        FOURS(AU_COLUMNS_DOWN);
    }
#endif
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
