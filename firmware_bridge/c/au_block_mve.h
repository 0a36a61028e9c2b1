/* Blocks for cores with vectors (MVE: Cortex-M55): sixteen values of a column times sixteen weights of a channel at a time, the weights of
 * channel 1 behind all those of channel 0. */
#ifndef AU_BLOCK_MVE_H
#define AU_BLOCK_MVE_H

#include <arm_mve.h>

#include "au_block.h"
#include "au_dsp.h"

#define AU_COLUMN(count) (count)
#define AU_FILLED(count) (count)

/* `count` values; `to` lies before `from` where they overlap. Returns the end of the copy. */
static inline int8_t *au_copy(int8_t *to, const int8_t *from, uint32_t count)
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
    return to + count;
}

/* Four lanes: two instructions, where an initializer goes through memory. */
static inline int32x4_t au_lanes(int32_t a, int32_t b, int32_t c, int32_t d)
{
    int32x4_t lanes;
    __asm("vmov %q[lanes][2], %q[lanes][0], %[a], %[c]\n\t"
          "vmov %q[lanes][3], %q[lanes][1], %[b], %[d]"
          : [lanes] "=&w"(lanes)
          : [a] "r"(a), [b] "r"(b), [c] "r"(c), [d] "r"(d));
    return lanes;
}

/* Signed weights leave nothing to correct. */
static inline void au_excess(const au_piece_t *pieces, const au_piece_t *last, uint32_t excess[2])
{
    (void)pieces;
    (void)last;
    excess[0] = 0;
    excess[1] = 0;
}

/* Sums of two columns and two channels over `pieces`; each channel has `filled` weights. The loop's tail masks what lies behind the end. */
static inline au_block_t au_block(
    const au_piece_t *pieces, const au_piece_t *last, const int8_t *weights, uint32_t filled, const uint32_t excess[2], int32_t first, int32_t second)
{
    const int8_t *w0 = weights;
    const int8_t *w1 = weights + filled;
    au_block_t block = {first, second, first, second};
    (void)excess;
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
                       : [s00] "+Te"(block.s00), [s01] "+Te"(block.s01), [s10] "+Te"(block.s10), [s11] "+Te"(block.s11), [x0] "+r"(x0),
                         [x1] "+r"(x1), [w0] "+r"(v0), [w1] "+r"(v1)
                       : [count] "r"(piece->count)
                       : "q0", "q1", "q2", "q3", "lr", "memory");
    }
    return block;
}

/* Sums of `channel` and `second` become values, in place. */
static inline void au_finish(const au_finish_t *how, au_block_t *block, uint32_t channel, uint32_t second)
{
#if AU_SINGLE_ROUNDING
    const au_scale_t scale = au_scale(how->multiplier, how->shift, channel);
    const au_scale_t next = au_scale(how->multiplier, how->shift, second);
    block->s00 = au_clamp(au_rescale(block->s00, scale) + how->zero, how->low, how->high);
    block->s10 = au_clamp(au_rescale(block->s10, scale) + how->zero, how->low, how->high);
    block->s01 = au_clamp(au_rescale(block->s01, next) + how->zero, how->low, how->high);
    block->s11 = au_clamp(au_rescale(block->s11, next) + how->zero, how->low, how->high);
#else
    /* au_rescale() in four lanes: VRSHL by a negative shift adds the half. */
    const int32_t m0 = how->multiplier[channel];
    const int32_t m1 = how->multiplier[second];
    const int32_t n0 = how->shift[channel];
    const int32_t n1 = how->shift[second];
    const int32x4_t sums = au_lanes(block->s00, block->s01, block->s10, block->s11);
    const int32x4_t multipliers = au_lanes(m0, m1, m0, m1);
    const int32x4_t shifts = au_lanes(n0, n1, n0, n1);
    const int32x4_t high = vqrdmulhq_s32(sums, multipliers);
    const int32x4_t scaled = vrshlq_s32(vaddq_s32(high, vshrq_n_s32(high, 31)), shifts);
    const int32x4_t most = vminq_s32(vaddq_n_s32(scaled, how->zero), vdupq_n_s32(how->high));
    const int32x4_t values = vmaxq_s32(most, vdupq_n_s32(how->low));
    block->s00 = vgetq_lane_s32(values, 0);
    block->s01 = vgetq_lane_s32(values, 1);
    block->s10 = vgetq_lane_s32(values, 2);
    block->s11 = vgetq_lane_s32(values, 3);
#endif
}

#endif
