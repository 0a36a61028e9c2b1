/* The DSP extension of Cortex-M4, M7 and M33: two 16-bit products in one instruction. */
#ifndef AU_DSP_H
#define AU_DSP_H

#include <arm_acle.h>
#include <string.h>

#include "au_types.h"

/* Four values at any address. */
static inline uint32_t au_load4(const void *from)
{
    uint32_t word;
    (void)memcpy(&word, from, sizeof(word));
    return word;
}

/* Bytes 0 and 2, and bytes 1 and 3, as two signed halves. */
static inline int32_t au_even(uint32_t bytes)
{
    int32_t halves;
    __asm("sxtb16 %0, %1" : "=r"(halves) : "r"(bytes));
    return halves;
}

static inline int32_t au_odd(uint32_t bytes)
{
    int32_t halves;
    __asm("sxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(bytes));
    return halves;
}

/* Clamp to int8. */
static inline int32_t au_saturate(int32_t value)
{
    int32_t saturated;
    __asm("ssat %0, #8, %1" : "=r"(saturated) : "r"(value));
    return saturated;
}

/* How the sums of one channel become values: what is read once for several of them. */
typedef struct {
    int32_t multiplier;
    int32_t shift; /* to the right, 1 to 31 */
    int32_t half;
} au_scale_t;

static inline au_scale_t au_scale(const int32_t *multiplier, const int8_t *shift, uint32_t channel)
{
    au_scale_t scale;
    scale.multiplier = multiplier[channel];
    scale.shift = -(int32_t)shift[channel];
    scale.half = (int32_t)((uint32_t)1 << ((uint32_t)scale.shift - 1u));
    return scale;
}

/* au_requantize for sums below 2^30 and shifts to the right: the rounded high half of twice the sum, then halves away from zero. */
static inline int32_t au_rescale(int32_t sum, au_scale_t scale)
{
#if AU_SINGLE_ROUNDING
    return au_requantize(sum, scale.multiplier, -scale.shift);
#else
    int32_t high;
    const int32_t twice = sum * 2;
    __asm("smmulr %0, %1, %2" : "=r"(high) : "r"(twice), "r"(scale.multiplier));
    return (high + (high >> 31) + scale.half) >> scale.shift;
#endif
}

#endif
