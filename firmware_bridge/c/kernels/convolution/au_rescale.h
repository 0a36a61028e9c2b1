/* Sums of a channel become values, as its record says (specialise/channels.py): most are scaled down in a few
 * instructions, some up, and for what is left there is plain C. */
#ifndef AU_RESCALE_H
#define AU_RESCALE_H

#include "au_dsp.h"

/* How a channel is scaled: a shift to the right of 1 to 31; one to the left and AU_LEFT; or, for sums that may be too
 * large for either, one to the right, which may be negative, and AU_OTHERWISE. */
enum { AU_OTHERWISE = 64, AU_LEFT = 128 };

/* Whether one of several, a byte each, is no shift to the right. */
static inline bool au_any_but_right(uint32_t how)
{
    return (how & 0xE0E0E0E0u) != 0u;
}

/* au_requantize() and the zero point for a sum below 2^30, given also `twice`, and a shift to the right. `scale` holds
 * the multiplier, and half a step and the zero point before the shift.
 *
 * Halves go away from zero: what is negative is one less before the shift. The sum's sign will do for that of its
 * product, since where a product rounds to 0 the half absorbs it. */
static inline int32_t au_rescale_right(int32_t sign, int32_t twice, const int32_t scale[2], int32_t shift, int32_t zero)
{
#if AU_SINGLE_ROUNDING
    (void)sign;
    return au_plus(au_requantize(twice >> 1, scale[0], -shift), zero);
#else
    int32_t high = (sign >> 31) + scale[1];
    (void)zero;
    __asm("smmlar %0, %1, %2, %0" : "+r"(high) : "r"(twice), "r"(scale[0]));
    return high >> shift;
#endif
}

/* The same for a sum that a shift to the left, 0 included, leaves below 2^30; `scale` holds the zero point. */
static inline int32_t au_rescale_left(int32_t twice, const int32_t scale[2], int32_t shift)
{
#if AU_SINGLE_ROUNDING
    return au_plus(au_requantize(twice >> 1, scale[0], shift), scale[1]);
#else
    int32_t high = scale[1];
    __asm("smmlar %0, %1, %2, %0" : "+r"(high) : "r"(au_shift_left(twice, shift)), "r"(scale[0]));
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
        value = au_rescale_left(sum * 2, scale, how - AU_LEFT);
    } else {
        value = au_plus(au_requantize(sum, scale[0], AU_OTHERWISE - how), zero);
    }
    return value;
}

#endif
