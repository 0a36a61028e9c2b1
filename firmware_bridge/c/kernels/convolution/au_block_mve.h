/* Blocks for cores with vectors (MVE: Cortex-M55): sixteen values of a column times sixteen weights of a channel at a
 * time. Channels come in fours, the weights of one behind all those of another, in the order 0, 2, 1, 3: two at a time
 * fill every second lane of a vector. */
#ifndef AU_BLOCK_MVE_H
#define AU_BLOCK_MVE_H

#include <arm_mve.h>

#include "au_block.h"
#include "au_dsp.h"

typedef int8_t au_column_t;

#define AU_COLUMN(count) (count)
#define AU_FILLED(count) (count)
#define AU_WANTS_SUMS false

/* Consecutive kernel values, and the values of two columns that go with them. */
typedef struct {
    const au_column_t *values[2];
    uint32_t count;
} au_piece_t;

static inline void au_sum_up(const au_piece_t *pieces, const au_piece_t *last, int32_t sums[2])
{
    (void)pieces;
    (void)last;
    (void)sums;
}

/* `count` values; `to` lies before `from` where they overlap. */
static inline void au_move(int8_t *to, const int8_t *from, uint32_t count)
{
    int8_t *next = to;
    const int8_t *source = from;
    __asm volatile("wlstp.8 lr, %[count], 2f\n"
                   "1:\n\t"
                   "vldrb.8 q0, [%[source]], #16\n\t"
                   "vstrb.8 q0, [%[next]], #16\n\t"
                   "letp lr, 1b\n"
                   "2:\n"
                   : [next] "+r"(next), [source] "+r"(source)
                   : [count] "r"(count)
                   : "q0", "lr", "memory");
}

/* `count` values of a row go into a column. Returns the end of the column so far. */
static inline int8_t *au_take(int8_t *to, const int8_t *from, uint32_t count, int32_t *sum)
{
    (void)sum;
    au_move(to, from, count);
    return to + count;
}

/* Lanes 0 and 2, and lanes 1 and 3: an instruction each, where an initializer goes through memory. */
static inline int32x4_t au_even_lanes(int32_t a, int32_t c)
{
    int32x4_t lanes;
    __asm("vmov %q[lanes][2], %q[lanes][0], %[a], %[c]" : [lanes] "=w"(lanes) : [a] "r"(a), [c] "r"(c));
    return lanes;
}

static inline int32x4_t au_odd_lanes(int32x4_t even, int32_t b, int32_t d)
{
    int32x4_t lanes = even;
    __asm("vmov %q[lanes][3], %q[lanes][1], %[b], %[d]" : [lanes] "+w"(lanes) : [b] "r"(b), [d] "r"(d));
    return lanes;
}

/* Sums of two columns and two channels over `pieces`; each channel has `filled` weights. The loop's tail masks what
 * lies behind the end. */
static inline au_block_t au_block(const au_piece_t *pieces, const au_piece_t *last, const int8_t *weights,
                                  uint32_t filled)
{
    const int8_t *w0 = weights;
    const int8_t *w1 = weights + filled;
    au_block_t block = {0, 0, 0, 0};
    for (const au_piece_t *piece = pieces; piece != last; ++piece) {
        const int8_t *x0 = piece->values[0];
        const int8_t *x1 = piece->values[1];
        const int8_t *v0 = w0;
        const int8_t *v1 = w1;
        w0 += piece->count;
        w1 += piece->count;
        __asm volatile("wlstp.8 lr, %[count], 2f\n"
                       "1:\n\t"
                       "vldrb.8 q0, [%[x0]], #16\n\t"
                       "vldrb.8 q2, [%[w0]], #16\n\t"
                       "vmladava.s8 %[s00], q0, q2\n\t"
                       "vldrb.8 q1, [%[x1]], #16\n\t"
                       "vmladava.s8 %[s10], q1, q2\n\t"
                       "vldrb.8 q3, [%[w1]], #16\n\t"
                       "vmladava.s8 %[s01], q0, q3\n\t"
                       "vmladava.s8 %[s11], q1, q3\n\t"
                       "letp lr, 1b\n"
                       "2:\n"
                       : [s00] "+Te"(block.s00), [s01] "+Te"(block.s01), [s10] "+Te"(block.s10), [s11] "+Te"(block.s11),
                         [x0] "+r"(x0), [x1] "+r"(x1), [w0] "+r"(v0), [w1] "+r"(v1)
                       : [count] "r"(piece->count)
                       : "q0", "q1", "q2", "q3", "lr", "memory");
    }
    return block;
}

/* Sums of four channels become values, before the activation. */
static inline int32x4_t au_finish(int32x4_t sums, int32x4_t multiplier, int32x4_t shift)
{
#if AU_SINGLE_ROUNDING
    int32_t values[4];
    int32_t multipliers[4];
    int32_t shifts[4];
    vst1q_s32(values, sums);
    vst1q_s32(multipliers, multiplier);
    vst1q_s32(shifts, shift);
    for (uint32_t lane = 0; lane < 4u; ++lane) {
        values[lane] = au_requantize(values[lane], multipliers[lane], shifts[lane]);
    }
    return vld1q_s32(values);
#else
    /* au_requantize() in four lanes. VRSHL by a negative shift adds the half; what makes halves go away from zero is -1
     * where the value is negative, and the shift where channels of the network are scaled up, too. */
#if AU_SCALES_UP
    const int32x4_t none = vdupq_n_s32(0);
    const int32x4_t high = vqrdmulhq_s32(vshlq_s32(sums, vmaxq_s32(shift, none)), multiplier);
    const int32x4_t away = vshrq_n_s32(vandq_s32(high, shift), 31);
    return vrshlq_s32(vaddq_s32(high, away), vminq_s32(shift, none));
#else
    const int32x4_t high = vqrdmulhq_s32(sums, multiplier);
    return vrshlq_s32(vaddq_s32(high, vshrq_n_s32(high, 31)), shift);
#endif
#endif
}

/* Add two columns to the pool; its second row makes quarters of the sums, to nearest, halves away from zero. */
static inline void au_pool(int32x4_t columns, bool first, int16_t *sums, int8_t *out, mve_pred16_t there)
{
    if (first) {
        vstrhq_p_s32(sums, columns, there);
    } else {
        const int32x4_t sum = vaddq_s32(columns, vldrhq_z_s32(sums, there));
        const int32x4_t nearest = vaddq_n_s32(vaddq_s32(sum, vshrq_n_s32(sum, 31)), 2);
        vstrbq_p_s32(out, vshrq_n_s32(nearest, 2), there);
    }
}

/* All channels of two columns, four at a time. */
static inline void au_two_columns(const au_conv_t *conv, const au_piece_t *pieces, const au_piece_t *last,
                                  const int32_t sums[2], const au_row_t *row, const au_place_t *place)
{
    const int32x4_t low = vdupq_n_s32(row->low);
    const int32x4_t high = vdupq_n_s32(row->high);
    const uint32_t channels = conv->out_channels;
    const uint32_t filled = (uint32_t)conv->kernel_h * conv->kernel_w * conv->in_channels;
    (void)sums;
    const int8_t *weights = conv->weights;
    for (uint32_t channel = 0; channel < channels; channel += 4u) {
        const mve_pred16_t there = vctp32q(channels - channel);
        au_block_t block = au_block(pieces, last, weights, filled);
        int32x4_t here = au_even_lanes(block.s00, block.s01);
        int32x4_t beside = au_even_lanes(block.s10, block.s11);
        block = au_block(pieces, last, weights + (2u * filled), filled);
        here = au_odd_lanes(here, block.s00, block.s01);
        beside = au_odd_lanes(beside, block.s10, block.s11);
        const int32x4_t bias = vldrwq_z_s32(conv->bias + channel, there);
        const int32x4_t multiplier = vldrwq_z_s32(conv->multiplier + channel, there);
        const int32x4_t shift = vldrbq_z_s32(conv->shift + channel, there);
        here = vaddq_n_s32(au_finish(vaddq_s32(here, bias), multiplier, shift), row->zero);
        here = vmaxq_s32(vminq_s32(here, high), low);
        beside = vaddq_n_s32(au_finish(vaddq_s32(beside, bias), multiplier, shift), row->zero);
        beside = vmaxq_s32(vminq_s32(beside, high), low);
        if (row->sums != NULL) {
            au_pool(vaddq_s32(here, beside), row->first, (int16_t *)(void *)place->sums + channel, place->out + channel,
                    there);
        } else {
            vstrbq_p_s32(place->out + channel, here, there);
            vstrbq_p_s32(place->beside + channel, beside, there);
        }
        weights += 4u * filled;
    }
}

#endif
