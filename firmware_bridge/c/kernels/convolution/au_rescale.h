/* Sums of any channel become values: most by au_rescale(), the rest as in plain C (specialise/channels.py). */
#ifndef AU_RESCALE_H
#define AU_RESCALE_H

#include "au_dsp.h"

/* Shifts to the right that au_rescale() is not for have this added: channels that are scaled up, that sum up to more
 * than it takes, or whose zero point before the shift is too large. */
#define AU_OTHERWISE 64

/* Whether one of four shifts, a byte each, is such. */
static inline bool au_any_otherwise(int32_t shifts)
{
    return ((uint32_t)shifts & 0x60606060u) != 0u;
}

/* au_requantize for any sum and the zero point, where `how` is a shift of either kind. */
AU_OUT_OF_LINE static int32_t au_rescale_any(int32_t sum, int32_t multiplier, int32_t offset, int32_t how, int32_t zero)
{
    int32_t value;
    if (how < (AU_OTHERWISE / 2)) {
        value = au_rescale(sum, multiplier, offset, how, zero);
    } else {
        value = au_plus(au_requantize(sum, multiplier, AU_OTHERWISE - how), zero);
    }
    return value;
}

#endif
