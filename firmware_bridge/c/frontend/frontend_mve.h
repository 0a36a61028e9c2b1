/* The quick transform on vectors of four, for cores with Helium (MVE), to the same bits as all others.
 *
 * Lanes are neighbours: four pairs of samples, groups of the first stage, joins, or pairs of bins. */
#ifndef FRONTEND_MVE_H
#define FRONTEND_MVE_H

#include <arm_mve.h>

#include "frontend_complex.h"
#include "frontend_parts.h"

enum { LANES = 4 };

typedef struct {
    int32x4_t re;
    int32x4_t im;
} frontend_lanes_t;

/* The largest and the smallest of all values, in registers of the core, as those of the vectors are few. */
typedef struct {
    int32_t most;
    int32_t least;
} frontend_range_t;

DISSOLVED frontend_range_t lanes_widen(frontend_range_t range, frontend_lanes_t a)
{
    range.most = vmaxvq_s32(vmaxvq_s32(range.most, a.re), a.im);
    range.least = vminvq_s32(vminvq_s32(range.least, a.re), a.im);
    return range;
}

DISSOLVED frontend_lanes_t lanes_add(frontend_lanes_t a, frontend_lanes_t b)
{
    const frontend_lanes_t sum = {vaddq_s32(a.re, b.re), vaddq_s32(a.im, b.im)};
    return sum;
}

DISSOLVED frontend_lanes_t lanes_subtract(frontend_lanes_t a, frontend_lanes_t b)
{
    const frontend_lanes_t difference = {vsubq_s32(a.re, b.re), vsubq_s32(a.im, b.im)};
    return difference;
}

/* a - j b and a + j b. */
DISSOLVED frontend_lanes_t lanes_turn_back(frontend_lanes_t a, frontend_lanes_t b)
{
    const frontend_lanes_t sum = {vaddq_s32(a.re, b.im), vsubq_s32(a.im, b.re)};
    return sum;
}

DISSOLVED frontend_lanes_t lanes_turn(frontend_lanes_t a, frontend_lanes_t b)
{
    const frontend_lanes_t sum = {vsubq_s32(a.re, b.im), vaddq_s32(a.im, b.re)};
    return sum;
}

/* The carry of a sum of low halves. */
DISSOLVED int32x4_t lanes_carry(int32x4_t a, int32x4_t b)
{
    return vreinterpretq_s32_u32(vshrq_n_u32(vhaddq_u32(vreinterpretq_u32_s32(a), vreinterpretq_u32_s32(b)), 31));
}

/* High half of a * b + c * d, rounded down: high halves, and what the low ones carry. */
DISSOLVED int32x4_t lanes_high_of_sum(int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d)
{
    const int32x4_t carry = lanes_carry(vmulq_s32(a, b), vmulq_s32(c, d));

    return vaddq_s32(vaddq_s32(vmulhq_s32(a, b), vmulhq_s32(c, d)), carry);
}

/* Half of a * (cos - j sin), rounded down. */
DISSOLVED frontend_lanes_t lanes_rotate(frontend_lanes_t a, frontend_lanes_t twiddle)
{
    frontend_lanes_t product;

    product.re = lanes_high_of_sum(a.re, twiddle.re, a.im, twiddle.im);
    product.im = lanes_high_of_sum(a.im, twiddle.re, vnegq_s32(a.re), twiddle.im);
    return product;
}

DISSOLVED frontend_lanes_t lanes_shift_right(frontend_lanes_t a, uint32_t shift)
{
    const frontend_lanes_t shifted = {vshlq_r_s32(a.re, -(int32_t)shift), vshlq_r_s32(a.im, -(int32_t)shift)};
    return shifted;
}

/* Complex numbers that lie so many words apart as `words` says. */
DISSOLVED frontend_lanes_t lanes_load_apart(const frontend_complex_t *from, uint32x4_t words)
{
    const frontend_lanes_t a = {vldrwq_gather_shifted_offset_s32(&from->re, words),
                                vldrwq_gather_shifted_offset_s32(&from->im, words)};
    return a;
}

DISSOLVED void lanes_store_apart(frontend_complex_t *to, uint32x4_t words, frontend_lanes_t a)
{
    vstrwq_scatter_shifted_offset_s32(&to->re, words, a.re);
    vstrwq_scatter_shifted_offset_s32(&to->im, words, a.im);
}

/* Those one after the other; for vld2 and vst2 compilers move vectors about. */
DISSOLVED frontend_lanes_t lanes_load(const frontend_complex_t *from)
{
    return lanes_load_apart(from, vidupq_n_u32(0, 2));
}

DISSOLVED void lanes_store(frontend_complex_t *to, frontend_lanes_t a)
{
    lanes_store_apart(to, vidupq_n_u32(0, 2), a);
}

/* Four pairs of samples times the window, less 15/16 of the product before, at their places. `before`: the last product
 * of the pairs before; of these on return. */
DISSOLVED frontend_range_t lanes_load_pairs(const int16_t *samples, const int32_t *window, const uint16_t *order,
                                            frontend_bin_t *spectrum, uint32_t shift, int32_t *before,
                                            frontend_range_t range)
{
    const uint32x4_t pairs = vidupq_n_u32(0, 2);
    const uint32x4_t places = vshlq_n_u32(vldrhq_u32(order), 1);
    const int32x4x2_t factors = vld2q_s32(window);
    const int32x4_t even =
        vmulhq_s32(vshlq_r_s32(vldrhq_gather_shifted_offset_s32(samples, pairs), (int32_t)shift), factors.val[0]);
    const int32x4_t odd =
        vmulhq_s32(vshlq_r_s32(vldrhq_gather_shifted_offset_s32(&samples[1], pairs), (int32_t)shift), factors.val[1]);
    uint32_t moved = (uint32_t)*before;
    const int32x4_t earlier = vshlcq_s32(odd, &moved, 32);
    frontend_lanes_t pair;

    *before = (int32_t)moved;
    pair.re = vaddq_s32(vsubq_s32(even, earlier), vshrq_n_s32(earlier, 4));
    pair.im = vaddq_s32(vsubq_s32(odd, even), vshrq_n_s32(even, 4));
    lanes_store_apart(&spectrum->bin, places, pair);
    return lanes_widen(range, pair);
}

/* Transform of four, in place. */
DISSOLVED void lanes_butterfly_4(frontend_lanes_t x[4])
{
    const frontend_lanes_t a = lanes_add(x[0], x[2]);
    const frontend_lanes_t b = lanes_subtract(x[0], x[2]);
    const frontend_lanes_t c = lanes_add(x[1], x[3]);
    const frontend_lanes_t d = lanes_subtract(x[1], x[3]);

    x[0] = lanes_add(a, c);
    x[1] = lanes_turn_back(b, d);
    x[2] = lanes_subtract(a, c);
    x[3] = lanes_turn(b, d);
}

/* Squared magnitudes, low and high half. */
DISSOLVED frontend_lanes_t lanes_power(frontend_lanes_t a)
{
    const int32x4_t re = vmulq_s32(a.re, a.re);
    const int32x4_t im = vmulq_s32(a.im, a.im);
    frontend_lanes_t power;

    power.re = vaddq_s32(re, im);
    power.im = vaddq_s32(vaddq_s32(vmulhq_s32(a.re, a.re), vmulhq_s32(a.im, a.im)), lanes_carry(re, im));
    return power;
}

#if FRONTEND_FIRST_RADIX == 8
/* a * root of 1/2. */
DISSOLVED int32x4_t lanes_times_root(int32x4_t a)
{
    return vsubq_s32(a, vmulhq_s32(a, vdupq_n_s32(FRONTEND_ONE_LESS_ROOT)));
}
#endif

/* Four groups of the first stage. */
DISSOLVED frontend_range_t lanes_first(frontend_bin_t *bin, uint32_t shift, frontend_range_t range)
{
    const uint32x4_t groups = vmulq_n_u32(vidupq_n_u32(0, 1), 2 * FRONTEND_FIRST_RADIX);
    frontend_lanes_t x[4];
    size_t i;

#if FRONTEND_FIRST_RADIX == 8
    frontend_lanes_t odd;
    frontend_lanes_t even;

#pragma GCC unroll 8
    for (i = 0u; i < 4u; i++) {
        x[i] = lanes_shift_right(lanes_load_apart(&bin[(2u * i) + 1u].bin, groups), shift);
    }
    lanes_butterfly_4(x);
    lanes_store_apart(&bin[5].bin, groups, x[0]);
    odd.re = lanes_times_root(vaddq_s32(x[1].re, x[1].im)); /* 45 degrees back */
    odd.im = lanes_times_root(vsubq_s32(x[1].im, x[1].re));
    lanes_store_apart(&bin[1].bin, groups, odd);
    lanes_store_apart(&bin[7].bin, groups, x[2]);
    odd.re = lanes_times_root(vsubq_s32(x[3].re, x[3].im)); /* 135 degrees back is 45 degrees on, then half a turn */
    odd.im = lanes_times_root(vaddq_s32(x[3].re, x[3].im));
    lanes_store_apart(&bin[3].bin, groups, odd);
    FRONTEND_IN_ORDER;
#pragma GCC unroll 8
    for (i = 0u; i < 4u; i++) {
        x[i] = lanes_shift_right(lanes_load_apart(&bin[2u * i].bin, groups), shift);
    }
    lanes_butterfly_4(x);
#define PART(at, waiting, sum, difference)              \
    odd = lanes_load_apart(&bin[waiting].bin, groups);  \
    even = sum(x[at], odd);                             \
    odd = difference(x[at], odd);                       \
    lanes_store_apart(&bin[at].bin, groups, even);      \
    lanes_store_apart(&bin[(at) + 4].bin, groups, odd); \
    range = lanes_widen(lanes_widen(range, even), odd)
    PART(0, 5, lanes_add, lanes_subtract);
    PART(2, 7, lanes_turn_back, lanes_turn);
    PART(1, 1, lanes_add, lanes_subtract);
    PART(3, 3, lanes_subtract, lanes_add);
#undef PART
#else
#pragma GCC unroll 8
    for (i = 0u; i < 4u; i++) {
        x[i] = lanes_shift_right(lanes_load_apart(&bin[i].bin, groups), shift);
    }
    lanes_butterfly_4(x);
#pragma GCC unroll 8
    for (i = 0u; i < 4u; i++) {
        lanes_store_apart(&bin[i].bin, groups, x[i]);
        range = lanes_widen(range, x[i]);
    }
#endif
    return range;
}

/* Write, and widen the range unless it is the last stage. */
DISSOLVED frontend_range_t lanes_put(frontend_bin_t *to, frontend_lanes_t a, bool last, frontend_range_t range)
{
    lanes_store(&to->bin, a);
    return last ? range : lanes_widen(range, a);
}

/* join_4 of four neighbours; the difference of the second and the fourth value waits in the fourth's place. */
DISSOLVED frontend_range_t lanes_join_4(frontend_bin_t *first, size_t length, const frontend_complex_t *twiddle,
                                        uint32_t shift, bool last, frontend_range_t range)
{
    const uint32x4_t turns = vmulq_n_u32(vidupq_n_u32(0, 2), 3);
    frontend_lanes_t a;
    frontend_lanes_t b;
    frontend_lanes_t c;
    frontend_lanes_t d;

    b = lanes_rotate(lanes_shift_right(lanes_load(&first[length].bin), shift), lanes_load_apart(&twiddle[0], turns));
    FRONTEND_IN_ORDER;
    d = lanes_rotate(lanes_shift_right(lanes_load(&first[3u * length].bin), shift),
                     lanes_load_apart(&twiddle[2], turns));
    c = lanes_add(b, d);
    lanes_store(&first[3u * length].bin, lanes_subtract(b, d));
    FRONTEND_IN_ORDER;
    b = lanes_rotate(lanes_shift_right(lanes_load(&first[2u * length].bin), shift),
                     lanes_load_apart(&twiddle[1], turns));
    FRONTEND_IN_ORDER;
    a = lanes_shift_right(lanes_load(&first->bin), shift + 1u);
    a.re = vaddq_n_s32(a.re, 1); /* what the rotations lose by rounding down, on the average */
    a.im = vaddq_n_s32(a.im, 1);
    d = lanes_add(a, b);
    a = lanes_subtract(a, b);
    range = lanes_put(first, lanes_add(d, c), last, range);
    range = lanes_put(&first[2u * length], lanes_subtract(d, c), last, range);
    FRONTEND_IN_ORDER;
    d = lanes_load(&first[3u * length].bin);
    range = lanes_put(&first[length], lanes_turn_back(a, d), last, range);
    return lanes_put(&first[3u * length], lanes_turn(a, d), last, range);
}

/* Four pairs of bins, from `low` on upwards and from `high` on downwards. */
DISSOLVED void lanes_split(frontend_bin_t *low, frontend_bin_t *high, const frontend_complex_t *twiddle, uint32_t shift)
{
    const uint32x4_t downwards = vddupq_n_u32(6, 2);
    const frontend_lanes_t a = lanes_shift_right(lanes_load(&low->bin), shift);
    const frontend_lanes_t b = lanes_shift_right(lanes_load_apart(&high[-(LANES - 1)].bin, downwards), shift);
    const frontend_lanes_t difference = {vsubq_s32(a.re, b.re), vaddq_s32(a.im, b.im)};
    const frontend_lanes_t turned = lanes_rotate(difference, lanes_load(twiddle));
    const frontend_lanes_t half = {vshrq_n_s32(vaddq_s32(a.re, b.re), 1), vshrq_n_s32(vsubq_s32(a.im, b.im), 1)};

    lanes_store(&low->bin, lanes_power(lanes_turn_back(half, turned)));
    lanes_store_apart(&high[-(LANES - 1)].bin, downwards, lanes_power(lanes_turn(half, turned)));
}

#endif
