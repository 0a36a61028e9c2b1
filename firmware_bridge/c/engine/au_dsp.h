/* The DSP extension of Cortex-M4, M7 and M33: two 16-bit products in one instruction. */
#ifndef AU_DSP_H
#define AU_DSP_H

#include <arm_acle.h>
#include <string.h>

#include "au_types.h"

/* Dissolves in its callers, who know which channels and columns are meant. */
#if defined(__GNUC__)
#define AU_DISSOLVED static inline __attribute__((always_inline))
#else
#define AU_DISSOLVED static inline
#endif

/* Whether innermost work is in assembly, which loads words from any address and needs every register of the core: not
 * without optimization, with a frame pointer (define AU_WITHOUT_ASSEMBLY then), or in Clang. */
#if defined(__OPTIMIZE__) && defined(__ARM_FEATURE_UNALIGNED) && !defined(__clang__) && !defined(AU_WITHOUT_ASSEMBLY)
#define AU_IN_ASSEMBLY
#endif

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

/* Two numbers of 16 bits in one word. */
static inline uint32_t au_halves(int32_t low, int32_t high)
{
    uint32_t halves;
    __asm("pkhbt %0, %1, %2, lsl #16" : "=r"(halves) : "r"(low), "r"(high));
    return halves;
}

/* Divide by two to the power of the lowest byte of `by`, rounding down: what is above it needs no masking. */
static inline int32_t au_shift_right(int32_t value, int32_t by)
{
    int32_t shifted;
    __asm("asr %0, %1, %2" : "=r"(shifted) : "r"(value), "r"(by));
    return shifted;
}

/* Clamp to int8. */
static inline int32_t au_saturate(int32_t value)
{
    int32_t saturated;
    __asm("ssat %0, #8, %1" : "=r"(saturated) : "r"(value));
    return saturated;
}

/* au_requantize for sums below 2^30 and shifts to the right, and the zero point: the rounded high half of twice the
 * sum, then halves away from zero. `offset` is half a step and the zero point, both before the shift. */
static inline int32_t au_rescale(int32_t sum, int32_t multiplier, int32_t offset, int32_t shift, int32_t zero)
{
#if AU_SINGLE_ROUNDING
    (void)offset;
    return au_requantize(sum, multiplier, -shift) + zero;
#else
    int32_t high;
    const int32_t twice = sum * 2;
    (void)zero;
    __asm("smmulr %0, %1, %2" : "=r"(high) : "r"(twice), "r"(multiplier));
    return (high + (high >> 31) + offset) >> shift;
#endif
}

#endif
