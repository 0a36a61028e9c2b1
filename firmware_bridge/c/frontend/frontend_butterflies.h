/* Butterflies of the FFT, of radices 8 and 4 first, 4 and 5 after it, in place. */
#ifndef FRONTEND_BUTTERFLIES_H
#define FRONTEND_BUTTERFLIES_H

#include "frontend_complex.h"
#include "frontend_parts.h"
#if defined(FRONTEND_VECTORS)
#include "frontend_mve.h"
#endif

enum { PAIRS = FRONTEND_FFT / 2 };

/* The first group and the first pair of bins that no vector takes. */
#if defined(FRONTEND_VECTORS)
enum {
    ODD_GROUP = PAIRS - (PAIRS % (LANES * FRONTEND_FIRST_RADIX)),
    ODD_PAIR = 1 + (PAIRS / 2) - ((PAIRS / 2) % LANES)
};
#else
enum { ODD_GROUP = 0, ODD_PAIR = 1 };
#endif

/* Bits that magnitudes may have before a stage, so that sums of so many rotated complex numbers fit 31. */
enum { ROOM_8 = 27, ROOM = 28 };

/* cos and sin of 72 and 144 degrees, 31 fractional bits. */
#define COS_72 663608942
#define COS_144 (-1737350766)
#define SIN_72 2042378317
#define SIN_144 1262259218

/* Transform of four, in place. */
DISSOLVED void butterfly_4(frontend_complex_t x[4])
{
    const frontend_complex_t a = add(x[0], x[2]);
    const frontend_complex_t b = subtract(x[0], x[2]);
    const frontend_complex_t c = add(x[1], x[3]);
    const frontend_complex_t d = subtract(x[1], x[3]);

    x[0] = add(a, c);
    x[1] = turn_back(b, d);
    x[2] = subtract(a, c);
    x[3] = turn(b, d);
}

#if FRONTEND_FIRST_RADIX == 8
/* a * root of 1/2. */
DISSOLVED int32_t times_root(int32_t a)
{
    return a - frontend_high(a, FRONTEND_ONE_LESS_ROOT);
}

static const frontend_complex_t nothing = {0, 0};

/* Sum and difference of two values, written in their places. */
DISSOLVED uint32_t part(frontend_bin_t *bin, frontend_complex_t even, frontend_complex_t odd, uint32_t bits)
{
    const frontend_complex_t sum = add(even, odd);
    const frontend_complex_t difference = subtract(even, odd);

    store(bin, sum);
    store(&bin[4], difference);
    return gather(gather(bits, sum), difference);
}

/* Transform of eight, in place, after a shift. The odd half waits in memory, in places that are written last. */
DISSOLVED uint32_t butterfly_first(frontend_bin_t *bin, uint32_t shift, uint32_t bits)
{
    frontend_complex_t x[4];
    frontend_complex_t odd;
    size_t i;

#pragma GCC unroll 8
    for (i = 0u; i < 4u; i++) {
        x[i] = shift_right(load(&bin[(2u * i) + 1u]), shift);
    }
    butterfly_4(x);
    store(&bin[5], x[0]);
    odd.re = times_root(x[1].re + x[1].im); /* 45 degrees back */
    odd.im = times_root(x[1].im - x[1].re);
    store(&bin[1], odd);
    store(&bin[7], x[2]);
    odd.re = times_root(x[3].re - x[3].im); /* 135 degrees back is 45 degrees on, then half a turn */
    odd.im = times_root(x[3].re + x[3].im);
    store(&bin[3], odd);
    FRONTEND_IN_ORDER;
#pragma GCC unroll 8
    for (i = 0u; i < 4u; i++) {
        x[i] = shift_right(load(&bin[2u * i]), shift);
    }
    butterfly_4(x);
    bits = part(&bin[0], x[0], load(&bin[5]), bits);
    odd = load(&bin[7]);
    bits = part(&bin[2], x[2], turn_back(nothing, odd), bits);
    bits = part(&bin[1], x[1], load(&bin[1]), bits);
    odd = load(&bin[3]);
    return part(&bin[3], x[3], subtract(nothing, odd), bits);
}
#else
/* The same of four. */
DISSOLVED uint32_t butterfly_first(frontend_bin_t *bin, uint32_t shift, uint32_t bits)
{
    frontend_complex_t x[4];
    size_t i;

#pragma GCC unroll 8
    for (i = 0u; i < 4u; i++) {
        x[i] = shift_right(load(&bin[i]), shift);
    }
    butterfly_4(x);
#pragma GCC unroll 8
    for (i = 0u; i < 4u; i++) {
        store(&bin[i], x[i]);
        bits = gather(bits, x[i]);
    }
    return bits;
}
#endif

/* Groups of neighbours. */
static uint32_t first_stage(frontend_bin_t *spectrum, uint32_t shift)
{
    uint32_t bits = 0u;
    size_t group;

#if defined(FRONTEND_VECTORS)
    frontend_range_t range = {0, 0};

    for (group = 0u; group < ODD_GROUP; group += LANES * FRONTEND_FIRST_RADIX) {
        range = lanes_first(&spectrum[group], shift, range);
    }
    bits = frontend_gather(bits, range.most, range.least);
#endif
    for (group = ODD_GROUP; group < PAIRS; group += FRONTEND_FIRST_RADIX) {
        bits = butterfly_first(&spectrum[group], shift, bits);
    }
    return bits;
}

#if FRONTEND_RADIX_4
/* Transforms of `length`, four at a time, become one: every k-th value of each. All is divided by 2^(shift + 1). The
 * last stage gathers no bits. */
DISSOLVED uint32_t join_4(frontend_bin_t *first, size_t length, const frontend_complex_t *twiddle, uint32_t shift,
                          bool last, uint32_t bits)
{
    frontend_complex_t x[4];
    size_t i;

    x[0] = shift_right(first->bin, shift + 1u);
    x[0].re++; /* what the rotations lose by rounding down, on the average */
    x[0].im++;
#pragma GCC unroll 8
    for (i = 1u; i < 4u; i++) {
        x[i] = rotate(shift_right(first[i * length].bin, shift), twiddle[i - 1u]);
    }
    butterfly_4(x);
#pragma GCC unroll 8
    for (i = 0u; i < 4u; i++) {
        first[i * length].bin = x[i];
        bits = last ? 0u : gather(bits, x[i]);
    }
    return bits;
}

#if defined(FRONTEND_VECTORS)
#elif defined(FRONTEND_LONG_MULTIPLY) && defined(__OPTIMIZE__)
#define FRONTEND_JOIN_4
/* (re, im), shifted and rotated, of what lies at `at`: (out, im). */
#define ROTATED(at, twiddle_at, out, im)                 \
    "ldrd %[re], %[" im "], [%[first], " at "]\n\t"      \
    "ldrd %[cos], %[sin], [%[twiddle]" twiddle_at "\n\t" \
    "asr %[re], %[re], %[shift]\n\t"                     \
    "asr %[" im "], %[" im "], %[shift]\n\t"             \
    "smull %[low], %[" out "], %[re], %[cos]\n\t"        \
    "smlal %[low], %[" out "], %[" im "], %[sin]\n\t"    \
    "rsb %[re], %[re], #0\n\t"                           \
    "smull %[low], %[" im "], %[" im "], %[cos]\n\t"     \
    "smlal %[low], %[" im "], %[re], %[sin]\n\t"
#define PUT(re, im, at)                               \
    "strd %[" re "], %[" im "], [%[first]" at "]\n\t" \
    ".ifeq %c[last]\n\t" FRONTEND_GATHER("%[bits]", "%[" re "]", "%[" im "]", "%[low]") ".endif\n\t"

/* join_4 of as many neighbours as one turn of the twiddles has, in the registers that there are: the difference of the
 * second and the fourth value waits in the fourth's place. */
DISSOLVED uint32_t join_4_row(frontend_bin_t *first, size_t length, const frontend_complex_t *twiddle, uint32_t shift,
                              bool last, uint32_t bits)
{
    uint32_t left = (uint32_t)length;
    int32_t re;
    int32_t low;
    int32_t cos;
    int32_t sin;
    int32_t a;
    int32_t b;
    int32_t c;
    int32_t d;

    __asm__ volatile(
        "1:\n\t" ROTATED("%[second]", "], #24", "a", "b") ROTATED(
            "%[fourth]", ", #-8]", "c",
            "d") "sub %[re], %[a], %[c]\n\t"
                 "add %[a], %[a], %[c]\n\t"
                 "sub %[cos], %[b], %[d]\n\t"
                 "add %[c], %[b], %[d]\n\t"
                 "strd %[re], %[cos], [%[first], %[fourth]]\n\t" ROTATED(
                     "%[third]", ", #-16]", "b",
                     "d") "ldrd %[re], %[cos], [%[first]]\n\t"
                          "asr %[re], %[re], %[shift]\n\t"
                          "asr %[cos], %[cos], %[shift]\n\t"
                          "add %[re], %[re], #2\n\t"
                          "add %[cos], %[cos], #2\n\t"
                          "add %[sin], %[b], %[re], asr #1\n\t"
                          "rsb %[b], %[b], %[re], asr #1\n\t"
                          "add %[re], %[d], %[cos], asr #1\n\t"
                          "rsb %[d], %[d], %[cos], asr #1\n\t"
                          "add %[cos], %[sin], %[a]\n\t"
                          "sub %[sin], %[sin], %[a]\n\t"
                          "add %[a], %[re], %[c]\n\t"
                          "sub %[re], %[re], %[c]\n\t" PUT("cos", "a", "")
                              PUT("sin", "re", ", %[third]") "ldrd %[a], %[c], [%[first], %[fourth]]\n\t"
                                                             "add %[cos], %[b], %[c]\n\t"
                                                             "sub %[b], %[b], %[c]\n\t"
                                                             "sub %[sin], %[d], %[a]\n\t"
                                                             "add %[d], %[d], %[a]\n\t" PUT("cos", "sin", ", %[second]")
                                                                 PUT("b", "d", ", %[fourth]") "add %[first], #8\n\t"
                                                                                              "subs %[left], #1\n\t"
                                                                                              "bne 1b"
        : [first] "+r"(first), [twiddle] "+r"(twiddle), [bits] "+r"(bits), [left] "+r"(left), [re] "=&r"(re),
          [low] "=&r"(low), [cos] "=&r"(cos), [sin] "=&r"(sin), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d)
        : [shift] "r"(shift), [last] "i"(last), [second] "i"(length * sizeof *first),
          [third] "i"(2u * length * sizeof *first), [fourth] "i"(3u * length * sizeof *first)
        : "cc", "memory");
    return bits;
}
#undef ROTATED
#undef PUT
#endif
#endif

#if FRONTEND_RADIX_5
/* Half of the transform of five, for the real or the imaginary parts of the output. `zero` is halved already; `a` and
 * `c` are sums of the first and fourth, second and third value, `b` and `d` differences of their other parts. */
DISSOLVED uint32_t join_5_parts(int32_t *const out[5], int32_t zero, int32_t a, int32_t b, int32_t c, int32_t d,
                                uint32_t bits)
{
    int32_t even = zero + (a >> 1) + (c >> 1) + 1;
    int32_t odd;

    *out[0] = even;
    bits = frontend_gather(bits, even, even);
    even = zero + frontend_high_of_sum(a, COS_72, c, COS_144);
    odd = frontend_high_of_sum(b, SIN_72, d, SIN_144);
    *out[1] = even + odd;
    *out[4] = even - odd;
    bits = frontend_gather(bits, even + odd, even - odd);
    even = zero + frontend_high_of_sum(a, COS_144, c, COS_72);
    odd = frontend_high_of_sum(b, SIN_144, -d, SIN_72);
    *out[2] = even + odd;
    *out[3] = even - odd;
    return frontend_gather(bits, even + odd, even - odd);
}

/* The same as join_4 of five; all is divided by 2^(shift + 2). */
DISSOLVED uint32_t join_5(frontend_bin_t *first, size_t length, const frontend_complex_t *twiddle, uint32_t shift,
                          uint32_t bits)
{
    frontend_bin_t *const x[5] = {first, &first[length], &first[2u * length], &first[3u * length], &first[4u * length]};
    int32_t *const re[5] = {&x[0]->bin.re, &x[1]->bin.re, &x[2]->bin.re, &x[3]->bin.re, &x[4]->bin.re};
    int32_t *const im[5] = {&x[0]->bin.im, &x[4]->bin.im, &x[3]->bin.im, &x[2]->bin.im, &x[1]->bin.im};
    volatile int32_t waiting[4];
    frontend_complex_t low = rotate(shift_right(x[1]->bin, shift), twiddle[0]);
    frontend_complex_t high = rotate(shift_right(x[4]->bin, shift), twiddle[3]);
    const int32_t a = low.re + high.re;
    const int32_t b = low.im - high.im;
    int32_t c;
    int32_t d;

    /* What the imaginary parts need waits in memory; compilers would keep it in registers that the core lacks. */
    waiting[0] = low.im + high.im;
    waiting[1] = low.re - high.re;
    FRONTEND_IN_ORDER;
    low = rotate(shift_right(x[2]->bin, shift), twiddle[1]);
    high = rotate(shift_right(x[3]->bin, shift), twiddle[2]);
    c = low.re + high.re;
    d = low.im - high.im;
    waiting[2] = low.im + high.im;
    waiting[3] = low.re - high.re;
    FRONTEND_IN_ORDER;
    /* The added one: what the rotations lose by rounding down, on the average. */
    bits = join_5_parts(re, (*re[0] >> (shift + 2u)) + 1, a, b, c, d, bits);
    FRONTEND_IN_ORDER;
    return join_5_parts(im, (*im[0] >> (shift + 2u)) + 1, waiting[0], waiting[1], waiting[2], waiting[3], bits);
}
#endif

#endif
