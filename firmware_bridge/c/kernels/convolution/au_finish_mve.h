/* Sums become values in vectors (MVE: Cortex-M55), four channels at a time, as au_requantize() makes them. In assembly
 * where it counts: a compiler that holds more vectors than there are moves them through memory. */
#ifndef AU_FINISH_MVE_H
#define AU_FINISH_MVE_H

#include <arm_mve.h>

#include "au_types.h"

/* What is known of four channels, in words (specialise/vectors.py): multipliers; a byte each, its shift to the right, 0
 * or negative; a byte each, its shift to the left, 0 or positive; biases. Before the first there is a word: 2 if any
 * channel of the layer is scaled up, otherwise 1 if any is not moved, and 0 if every one is scaled down. */
enum { AU_FOUR_BIASES = 6, AU_WORDS_OF_FOUR_LANES = 10 };

/* How a layer's sums are scaled. */
typedef struct {
    const int32_t *fours;
    int32_t zero;
    int32_t low;
    int32_t high;
    bool up;    /* some of them to the left */
    bool down;  /* all of them to the right */
    bool away;  /* no activation ends at the zero point: it shows whether halves below it go away from zero */
    bool whole; /* values are all of int8 */
} au_scaling_t;

static inline au_scaling_t au_scaling(const int32_t *known, int32_t zero, int32_t low, int32_t high)
{
    const au_scaling_t scaling = {known + 1,    zero,          low,        high,
                                  known[0] > 1, known[0] == 0, low < zero, (low == INT8_MIN) && (high == INT8_MAX)};
    return scaling;
}

#if AU_SINGLE_ROUNDING
/* Scales are float32 numbers, and so is the product. */
static inline int32x4_t au_finish(int32x4_t sums, int32x4_t multiplier, int32x4_t shift)
{
#if __ARM_FEATURE_MVE & 2
    const int32x4_t power = vshlq_n_s32(vaddq_n_s32(shift, 127 - 31), 23);
    const float32x4_t scale = vmulq_f32(vcvtq_f32_s32(multiplier), vreinterpretq_f32_s32(power));
    const int32x4_t value = vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(sums), scale));
    return vmaxq_s32(vminq_s32(value, vdupq_n_s32(AU_REACH)), vdupq_n_s32(-AU_REACH));
#else
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
#endif
}

#else
/* For sums in the vector `s`; what is known goes to q4, q5 and q6. VRSHL by a negative shift adds the half; what makes
 * halves go away from zero is -1 where both the value and the shift are negative. */
#define AU_KNOWN "vldrw.32 q4, [%[four]], #16\n\tvldrb.s32 q5, [%[four]], #4\n\tvldrb.s32 q6, [%[four]], #20\n\t"
#define AU_UP(s) "vshl.s32 " s ", " s ", q6\n\tvqrdmulh.s32 " s ", " s ", q4\n\t"
#define AU_KNOWN_OF_DOWN "vldrw.32 q4, [%[four]], #16\n\tvldrb.s32 q5, [%[four]], #24\n\t"
#define AU_DOWN(s) "vqrdmulh.s32 " s ", " s ", q4\n\t"
#define AU_AWAY(s) "vand q7, " s ", q5\n\tvshr.s32 q7, q7, #31\n\tvadd.i32 " s ", " s ", q7\n\t"
#define AU_PLACE(s) "vrshl.s32 " s ", " s ", q5\n\tvadd.i32 " s ", " s ", %[zero]\n\t"
#endif

/* Sums, to which biases are added already, before the activation. */
static inline int32x4_t au_finish_four(au_scaling_t how, int32x4_t sums, const int32_t *four)
{
    const int8_t *const shifts = (const int8_t *)(four + 4);
    const int32x4_t multiplier = vldrwq_s32(four);
    const int32x4_t right = vldrbq_s32(shifts);
    const int32x4_t left = vldrbq_s32(shifts + 4);
#if AU_SINGLE_ROUNDING
    const int32x4_t value = au_finish(sums, multiplier, vaddq_s32(right, left));
#else
    const int32x4_t high = vqrdmulhq_s32(vshlq_s32(sums, left), multiplier);
    const int32x4_t value = vrshlq_s32(vaddq_s32(high, vshrq_n_s32(vandq_s32(high, right), 31)), right);
#endif
    return vaddq_n_s32(value, how.zero);
}

#endif
