#include "au_softmax.h"

#define SUM_INTEGER_BITS 12

/* a * 2^shift, held at the ends of int32. */
static int32_t saturating_shift(int32_t a, int32_t shift)
{
    const int64_t shifted = (int64_t)a * ((int64_t)1 << shift);
    int32_t result = (int32_t)shifted;
    if (shifted > (int64_t)INT32_MAX) {
        result = INT32_MAX;
    }
    if (shifted < (int64_t)INT32_MIN) {
        result = INT32_MIN;
    }
    return result;
}

/* 1 / (1 + a) for a in [0, 1), both Q0.31: three Newton steps from 48/17 - 32/17 d, in Q2.29 (gemmlowp). */
static int32_t reciprocal_of_one_plus(int32_t a)
{
    const int32_t half_denominator = (int32_t)(((int64_t)a + INT32_MAX + 1) / 2);
    int32_t x = 1515870810 + au_high_multiply(half_denominator, -1010580540);
    for (uint32_t i = 0; i < 3u; ++i) {
        const int32_t error = (1 << 29) - au_high_multiply(half_denominator, x);
        x += saturating_shift(au_high_multiply(x, error), 2);
    }
    return saturating_shift(x, 1);
}

static int32_t leading_zeros(uint32_t value)
{
    int32_t zeros = 0;
    for (uint32_t rest = value; (rest & 0x80000000u) == 0u; rest <<= 1) {
        ++zeros;
    }
    return zeros;
}

static void normalise(const au_softmax_t *softmax, const au_value_t *values, au_value_t *out)
{
    int32_t largest = INT8_MIN;
    for (uint32_t i = 0; i < softmax->depth; ++i) {
        largest = (values[i] > largest) ? values[i] : largest;
    }
    int32_t sum = 0;
    for (uint32_t i = 0; i < softmax->depth; ++i) {
        const uint32_t difference = (uint32_t)(largest - values[i]);
        if (difference < softmax->differences) {
            sum += au_divide_by_power(softmax->exponentials[difference], SUM_INTEGER_BITS);
        }
    }
    /* The sum is at least 1: shift it to [1, 2) and take the reciprocal of that. */
    const int32_t zeros = leading_zeros((uint32_t)sum);
    const int32_t scale = reciprocal_of_one_plus((int32_t)(((uint32_t)sum << (uint32_t)zeros) - 0x80000000u));
    const int32_t exponent = (SUM_INTEGER_BITS - zeros) + 31 - 8; /* beyond 31 every share is below half a step */
    for (uint32_t i = 0; i < softmax->depth; ++i) {
        const uint32_t difference = (uint32_t)(largest - values[i]);
        int32_t value = INT8_MIN;
        if ((difference < softmax->differences) && (exponent <= 31)) {
            value += au_divide_by_power(au_high_multiply(scale, softmax->exponentials[difference]), exponent);
        }
        out[i] = (au_value_t)au_clamp(value, INT8_MIN, INT8_MAX);
    }
}

void au_softmax(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_softmax_t *const softmax = (const au_softmax_t *)op;
    for (uint32_t t = 0; t < softmax->times; ++t) {
        normalise(softmax, rows[0] + (t * softmax->depth), out + (t * softmax->depth));
    }
}
