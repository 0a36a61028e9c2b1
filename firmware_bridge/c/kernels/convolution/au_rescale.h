/* Sums of a channel become values, as its record says (specialise/channels.py): most are scaled down in a few
 * instructions, some up, and for what is left there is plain C. */
#ifndef AU_RESCALE_H
#define AU_RESCALE_H

#include "au_dsp.h"

/* How a channel is scaled: a shift to the right of 1 to 31; one to the left and AU_LEFT; or, for sums that may be too
 * large for either, one to the right, which may be negative, and AU_OTHERWISE. */
enum { AU_OTHERWISE = 64, AU_LEFT = 128 };

/* Where two channels share a word, a half each; what is clamped to less than int8 is AU_OTHERWISE there. */
#define AU_SECOND_HALF 16u

/* Whether one of several, a byte each, is no shift to the right. */
static inline bool au_any_but_right(uint32_t how)
{
    return (how & 0xE0E0E0E0u) != 0u;
}

/* au_requantize() and the zero point for a sum below 2^30, given also `twice`, and a shift to the right. `scale` holds
 * the multiplier, and half a step and the zero point before the shift, which is the lowest byte of `how`.
 *
 * Halves go away from zero: what is negative is one less before the shift. The sum's sign will do for that of its
 * product, since where a product rounds to 0 the half absorbs it. */
static inline int32_t au_rescale_right(int32_t sign, int32_t twice, const int32_t scale[2], int32_t how, int32_t zero)
{
#if AU_SINGLE_ROUNDING
    (void)sign;
    return au_plus(au_requantize(twice >> 1, scale[0], -(how & 0xFF)), zero);
#else
    int32_t high = (sign >> 31) + scale[1];
    (void)zero;
    __asm("smmlar %0, %1, %2, %0" : "+r"(high) : "r"(twice), "r"(scale[0]));
    return au_shift_right(high, how);
#endif
}

/* The same for a sum that a shift to the left, 0 included, leaves below 2^30; `scale` holds the zero point. The lowest
 * byte of `how` is AU_LEFT more than the shift. */
static inline int32_t au_rescale_left(int32_t twice, const int32_t scale[2], int32_t how)
{
#if AU_SINGLE_ROUNDING
    return au_plus(au_requantize(twice >> 1, scale[0], (how & 0xFF) - AU_LEFT), scale[1]);
#else
    int32_t high = scale[1];
    int32_t shifted;
    __asm("lsl %0, %1, %2" : "=r"(shifted) : "r"(twice), "r"(how - AU_LEFT));
    __asm("smmlar %0, %1, %2, %0" : "+r"(high) : "r"(shifted), "r"(scale[0]));
    return high;
#endif
}

/* And for any sum, however it is scaled. */
AU_OUT_OF_LINE static int32_t au_rescale_any(int32_t sum, const int32_t scale[2], int32_t how, int32_t zero)
{
    int32_t value;
    if (how < (AU_OTHERWISE / 2)) {
        value = au_rescale_right(sum, sum * 2, scale, how, zero);
    } else if (how >= AU_LEFT) {
        value = au_rescale_left(sum * 2, scale, how);
    } else {
        value = au_plus(au_requantize(sum, scale[0], AU_OTHERWISE - how), zero);
    }
    return value;
}

/* The same, clamped; `how` is the lowest byte. */
static inline int32_t au_finish_clamped(int32_t sum, const int32_t scale[2], int32_t how, int32_t zero, int32_t low,
                                        int32_t high)
{
    return au_clamp(au_rescale_any(sum, scale, how & 0xFF, zero), low, high);
}

/* In assembly, for two channels in two columns: sums in r8 and r10 of the first, in r9 and r11 of the second, become
 * values. What is known of the first is in r0 and r1, of the second in r2 and r3, how both are scaled in r4; r4 and r5
 * are lost. `doubling` is what doubles the sums, if they are not; `leaving` leaves with all as it is where one of both
 * is AU_OTHERWISE, if that can be. What is rare lies behind the function. */
#if defined(AU_IN_ASSEMBLY) && !AU_SINGLE_ROUNDING
#define AU_FINISHES
#define AU_LEAVING            \
    "tst r4, #0x00600060\n\t" \
    "bne 9f\n\t"
#define AU_DOUBLING        \
    "lsl r8, r8, #1\n\t"   \
    "lsl r9, r9, #1\n\t"   \
    "lsl r10, r10, #1\n\t" \
    "lsl r11, r11, #1\n\t"
#define AU_RIGHT(a, b, multiplier, offset)        \
    "add r5, " offset ", " a ", asr #31\n\t"      \
    "smmlar " a ", " a ", " multiplier ", r5\n\t" \
    "add r5, " offset ", " b ", asr #31\n\t"      \
    "smmlar " b ", " b ", " multiplier ", r5\n\t" \
    "asr " a ", " a ", r4\n\t"                    \
    "asr " b ", " b ", r4\n\t"
#define AU_TO_THE_LEFT(a, b, multiplier, offset)          \
    "sub r5, r4, #128\n\t"                                \
    "lsl " a ", " a ", r5\n\t"                            \
    "lsl " b ", " b ", r5\n\t"                            \
    "smmlar " a ", " a ", " multiplier ", " offset "\n\t" \
    "smmlar " b ", " b ", " multiplier ", " offset "\n\t"
#define AU_EITHER(a, b, multiplier, offset)                  \
    "tst r4, #0x80\n\t"                                      \
    "bne 6f\n\t" AU_RIGHT(a, b, multiplier, offset) "b 7f\n" \
                                                    "6:\n\t" AU_TO_THE_LEFT(a, b, multiplier, offset) "7:\n\t"
#define AU_FIRST(how) how("r8", "r10", "r0", "r1")
#define AU_LAST(how) how("r9", "r11", "r2", "r3")
#define AU_FINISH(doubling, leaving)                                                           \
    "tst r4, #0x00E000E0\n\t"                                                                  \
    "bne 5f\n\t" doubling                                                                      \
    AU_FIRST(AU_RIGHT) "lsr r4, r4, #16\n\t" AU_LAST(                                          \
        AU_RIGHT) "8:\n\t"                                                                     \
                  "ssat r8, #8, r8\n\t"                                                        \
                  "ssat r9, #8, r9\n\t"                                                        \
                  "ssat r10, #8, r10\n\t"                                                      \
                  "ssat r11, #8, r11\n\t"                                                      \
                  ".subsection 1\n"                                                            \
                  "5:\n\t" leaving doubling AU_FIRST(AU_EITHER) "lsr r4, r4, #16\n\t" AU_LAST( \
                      AU_EITHER) "b 8b\n\t"                                                    \
                                 ".previous\n\t"
#endif

#endif
