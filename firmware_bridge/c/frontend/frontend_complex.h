/* Complex numbers of the FFT. */
#ifndef FRONTEND_COMPLEX_H
#define FRONTEND_COMPLEX_H

#include "frontend_parts.h"

/* The butterflies keep their values in registers: their arrays and loops must dissolve. */
#if defined(__GNUC__)
#define DISSOLVED static inline __attribute__((always_inline))
#else
#define DISSOLVED static inline
#endif

DISSOLVED frontend_complex_t add(frontend_complex_t a, frontend_complex_t b)
{
    const frontend_complex_t sum = {a.re + b.re, a.im + b.im};
    return sum;
}

DISSOLVED frontend_complex_t subtract(frontend_complex_t a, frontend_complex_t b)
{
    const frontend_complex_t difference = {a.re - b.re, a.im - b.im};
    return difference;
}

/* a - j b and a + j b. */
DISSOLVED frontend_complex_t turn_back(frontend_complex_t a, frontend_complex_t b)
{
    const frontend_complex_t sum = {a.re + b.im, a.im - b.re};
    return sum;
}

DISSOLVED frontend_complex_t turn(frontend_complex_t a, frontend_complex_t b)
{
    const frontend_complex_t sum = {a.re - b.im, a.im + b.re};
    return sum;
}

/* Half of a * (cos - j sin), rounded down. */
DISSOLVED frontend_complex_t rotate(frontend_complex_t a, frontend_complex_t twiddle)
{
    frontend_complex_t product;

    product.re = frontend_high_of_sum(a.re, twiddle.re, a.im, twiddle.im);
    product.im = frontend_high_of_sum(a.im, twiddle.re, -a.re, twiddle.im);
    return product;
}

DISSOLVED frontend_complex_t shift_right(frontend_complex_t a, uint32_t shift)
{
    const frontend_complex_t shifted = {a.re >> shift, a.im >> shift};
    return shifted;
}

/* Both parts in one instruction, which compilers do not find. */
DISSOLVED frontend_complex_t load(const frontend_bin_t *from)
{
#if defined(FRONTEND_LONG_MULTIPLY)
    frontend_complex_t a;

    __asm__("ldrd %0, %1, %2" : "=r"(a.re), "=r"(a.im) : "Uv"(from->power));
    return a;
#else
    return from->bin;
#endif
}

DISSOLVED void store(frontend_bin_t *to, frontend_complex_t a)
{
#if defined(FRONTEND_LONG_MULTIPLY)
    __asm__("strd %1, %2, %0" : "=Uv"(to->power) : "r"(a.re), "r"(a.im));
#else
    to->bin = a;
#endif
}

DISSOLVED uint32_t gather(uint32_t bits, frontend_complex_t a)
{
    return frontend_gather(bits, a.re, a.im);
}

#endif
