/* What every kernel sees: the type of a value in a row, and how an accumulator becomes a value again. */
#ifndef AU_TYPES_H
#define AU_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "au_config.h"

/* A value in a row. */
typedef int8_t au_value_t;

/* Tables begin at a word, so that kernels may read words. */
#if defined(__GNUC__)
#define AU_ON_A_WORD __attribute__((aligned(4)))
#else
#define AU_ON_A_WORD
#endif

/* Cortex-M0 and its kin: eight registers that everything reaches, and no long multiply. */
#if defined(__thumb__) && !defined(__thumb2__)
#define AU_FEW_REGISTERS
#endif

/* Keeps a loop out of its caller, so that it has the registers to itself. */
#if defined(__GNUC__)
#define AU_OUT_OF_LINE __attribute__((noinline))
#else
#define AU_OUT_OF_LINE
#endif

static inline int32_t au_clamp(int32_t value, int32_t low, int32_t high)
{
    int32_t clamped = value;
    if (clamped < low) {
        clamped = low;
    }
    if (clamped > high) {
        clamped = high;
    }
    return clamped;
}

/* Adds the products of a run of values with two of weights. Counts down, which takes Cortex-M0 one instruction less. */
static inline void au_add_to_two(int32_t sums[2], const au_value_t *values, const int8_t *first, const int8_t *second,
                                 uint32_t count)
{
    int32_t a = sums[0];
    int32_t b = sums[1];
    for (int32_t i = (int32_t)count - 1; i >= 0; --i) {
        const int32_t value = values[i];
        a += value * first[i];
        b += value * second[i];
    }
    sums[0] = a;
    sums[1] = b;
}

/* Multiply by 2^shift the way two's complement hardware does, without C's undefined overflow. */
static inline int32_t au_shift_left(int32_t value, int32_t shift)
{
    return (int32_t)((uint32_t)value << (uint32_t)shift);
}

/* The sum the way two's complement hardware makes it: what a model of absurd scales adds up to is defined, too. */
static inline int32_t au_plus(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

/* Divide by 2^shift, 1 to 31, to nearest, halves away from zero (gemmlowp's RoundingDivideByPOT). The lowest int32 and,
 * with a shift of 1, the highest would overflow; au_high_multiply makes neither. */
static inline int32_t au_divide_by_power(int32_t value, int32_t shift)
{
    const int32_t lowered = value + (value >> 31);
    return ((lowered >> (shift - 1)) + 1) >> 1;
}

/* The high half of 2ab, rounded: gemmlowp's SaturatingRoundingDoublingHighMul for a multiplier that is never the lowest
 * int32. */
static inline int32_t au_high_multiply(int32_t value, int32_t multiplier)
{
#ifdef AU_FEW_REGISTERS
    const int32_t value_low = value & 0xFFFF;
    const int32_t multiplier_low = multiplier & 0xFFFF;
    const uint32_t lowest = (uint32_t)value_low * (uint32_t)multiplier_low;
    const int32_t middle = ((value >> 16) * multiplier_low) + (int32_t)(lowest >> 16);
    const int32_t rest = ((multiplier >> 16) * value_low) + (middle & 0xFFFF);
    const int32_t high = ((value >> 16) * (multiplier >> 16)) + (middle >> 16) + (rest >> 16);
    return au_shift_left(high, 1) + ((((rest >> 14) & 3) + 1) >> 1);
#else
    const int64_t product = (int64_t)value * (int64_t)multiplier;
    return (int32_t)((product + ((int64_t)1 << 30)) >> 31);
#endif
}

/* The largest magnitude that a requantized sum may have before a zero point is added. */
#define AU_REACH (INT32_MAX / 2)

/* value * multiplier * 2^(shift - 31), rounded twice as TFLite's reference kernels and TFLM do. */
static inline int32_t au_requantize_twice(int32_t value, int32_t multiplier, int32_t shift)
{
    const int32_t result = au_high_multiply(au_shift_left(value, (shift > 0) ? shift : 0), multiplier);
    return (shift < 0) ? au_divide_by_power(result, -shift) : result;
}

/* The same, rounded once, halves up: TFLite's reference FULLY_CONNECTED. */
static inline int32_t au_requantize_once(int32_t value, int32_t multiplier, int32_t shift)
{
    const int32_t total = 31 - shift;
    const int64_t half = (int64_t)1 << (total - 1);
    const int64_t result = (((int64_t)value * (int64_t)multiplier) + half) >> total;
    return (result > AU_REACH) ? AU_REACH : ((result < -AU_REACH) ? -AU_REACH : (int32_t)result);
}

/* Divide by 2^shift, to nearest, halves to even: what a float32 unit does. */
static inline int64_t au_round_to_even(int64_t value, int32_t shift)
{
    int64_t result = value;
    if (shift > 62) {
        result = 0;
    } else if (shift > 0) {
        const int64_t below = ((int64_t)1 << shift) - 1;
        const int64_t half = (int64_t)1 << (shift - 1);
        const int64_t rest = value & below;
        result = value >> shift;
        if ((rest > half) || ((rest == half) && ((result & 1) != 0))) {
            ++result;
        }
    } else {
        /* nothing to drop */
    }
    return result;
}

/* The nearest number that has 24 significant bits: float32. */
static inline int64_t au_to_float32(int64_t value)
{
    uint64_t magnitude = (value < 0) ? ((uint64_t)0 - (uint64_t)value) : (uint64_t)value;
    int32_t excess = 0;
    while (magnitude >= ((uint64_t)1 << 32)) {
        magnitude >>= 8;
        excess += 8;
    }
    for (uint32_t rest = (uint32_t)magnitude; rest >= ((uint32_t)1 << 24); rest >>= 1) {
        ++excess;
    }
    return au_round_to_even(value, excess) * ((int64_t)1 << excess);
}

/* The same as XNNPACK computes it in float32, done in integers so that cores without an FPU agree. */
static inline int32_t au_requantize_float32(int32_t value, int32_t multiplier, int32_t shift)
{
    const int64_t product = au_to_float32(au_to_float32(value) * (int64_t)multiplier);
    const int64_t result = au_round_to_even(product, 31 - shift);
    return (result > AU_REACH) ? AU_REACH : ((result < -AU_REACH) ? -AU_REACH : (int32_t)result);
}

/* The rounding of this build, for operators that both runtimes define. */
static inline int32_t au_requantize(int32_t value, int32_t multiplier, int32_t shift)
{
#if AU_SINGLE_ROUNDING
    return au_requantize_float32(value, multiplier, shift);
#else
    return au_requantize_twice(value, multiplier, shift);
#endif
}

#endif
