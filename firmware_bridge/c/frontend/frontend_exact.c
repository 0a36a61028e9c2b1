/* A frame once more, where the noise of the quick transform leaves a code in doubt: 64 bits, no scaling.
 *
 * Every eighth bin, from each residue of eight on, is a transform of an eighth of the length; one after the other they
 * fit where the quick transform's values were. Residues 5, 6 and 7 mirror 3, 2 and 1, as samples are real. */
#include "frontend_parts.h"

enum {
    PARTS = 8,
    LENGTH = FRONTEND_FFT / PARTS,
    TWOS = LENGTH & -LENGTH, /* its largest power of two; the rest is one of five */
    QUARTER = FRONTEND_FFT / 4,
    FRACTION = 15 + 31, /* fractional bits of values, full scale being 1 */
    FINER = 8           /* bits that the sums' amplitudes have below the quick transform's */
};

/* What frontend_code takes; more says that the band is far above the noise, and its code stands. */
#define LARGEST ((uint64_t)1 << 62)

/* a * cos(i) + b * cos(j), of turns / FRONTEND_FFT up to a quarter; for values below 2^60. */
static inline int64_t combine(int64_t a, size_t i, int64_t b, size_t j)
{
    const int32_t cos_i = frontend_split[i].re;
    const int32_t cos_j = frontend_split[j].re;
    const int32_t high_a = (int32_t)(a >> 32);
    const int32_t high_b = (int32_t)(b >> 32);
    int64_t high = frontend_accumulate_signed(0, high_a, cos_i);
    int64_t finer = frontend_accumulate_signed(0, high_a, frontend_cosine_low[i]);
    uint64_t low = frontend_accumulate(0u, (uint32_t)a, (uint32_t)cos_i);

    high = frontend_accumulate_signed(high, high_b, cos_j);
    finer = frontend_accumulate_signed(finer, high_b, frontend_cosine_low[j]);
    low = frontend_accumulate(low, (uint32_t)b, (uint32_t)cos_j);
    return (high * 2) + (int64_t)(low >> 31) + (finer >> 15);
}

/* Times exp(-2 pi j turn / FRONTEND_FFT), less than once around. */
FRONTEND_SEPARATE void rotate(frontend_wide_t *value, size_t turn)
{
    int64_t re = value->re;
    int64_t im = value->im;

    for (; turn >= QUARTER; turn -= QUARTER) {
        const int64_t before = re;

        re = im;
        im = -before;
    }
    value->re = (turn == 0u) ? re : combine(re, turn, im, QUARTER - turn);
    value->im = (turn == 0u) ? im : combine(im, turn, -re, QUARTER - turn);
}

/* Where decimation in time wants the n-th value. */
static size_t place(size_t n)
{
    size_t position = 0u;
    size_t rest = LENGTH;

    while (rest > 1u) {
        const size_t radix = (rest > TWOS) ? 5u : 2u;

        rest /= radix;
        position += (n % radix) * rest;
        n /= radix;
    }
    return position;
}

static inline int64_t windowed(const int16_t *samples, size_t i)
{
    return ((int64_t)samples[i] * frontend_window[i]) + (((int32_t)samples[i] * (int32_t)frontend_window_low[i]) >> 16);
}

/* The n-th of the values whose transform is every eighth bin from `residue` on. */
static frontend_wide_t fold(const int16_t *samples, size_t n, size_t residue)
{
    frontend_wide_t sum = {0, 0};
    size_t part;

    for (part = 0u; part < (PARTS / 2u); part++) {
        const size_t i = n + (part * LENGTH);
        const int64_t opposite = windowed(samples, i + (FRONTEND_FFT / 2u));
        frontend_wide_t pair = {windowed(samples, i) + (((residue % 2u) == 0u) ? opposite : -opposite), 0};

        rotate(&pair, ((residue * part) % PARTS) * LENGTH);
        sum.re += pair.re;
        sum.im += pair.im;
    }
    rotate(&sum, residue * n);
    return sum;
}

/* Two values, of transforms of `length`, become two of one transform. */
static void join_2(frontend_wide_t *first, size_t length, size_t turn)
{
    frontend_wide_t *const second = &first[length];
    const frontend_wide_t x = *first;

    rotate(second, turn);
    first->re = x.re + second->re;
    first->im = x.im + second->im;
    second->re = x.re - second->re;
    second->im = x.im - second->im;
}

#if FRONTEND_RADIX_5
/* cos of 72 and 36 degrees, which is less that of 144, and their sin; in turns / FRONTEND_FFT whose cos it is. */
enum { COS_72 = FRONTEND_FFT / 5, COS_36 = FRONTEND_FFT / 10, SIN_72 = QUARTER - COS_72, SIN_36 = QUARTER - COS_36 };

FRONTEND_SEPARATE int64_t combine_two(int64_t a, size_t i, int64_t b, size_t j)
{
    return combine(a, i, b, j);
}

/* The transform of five, for the real or the imaginary parts of the output. `a` and `c` are sums of the first and
 * fourth, second and third value, `b` and `d` differences of their other parts. */
FRONTEND_SEPARATE void join_5_parts(int64_t *const out[5], int64_t a, int64_t b, int64_t c, int64_t d)
{
    int64_t even = *out[0] + combine_two(a, COS_72, -c, COS_36);
    int64_t odd = combine_two(b, SIN_72, d, SIN_36);

    *out[1] = even + odd;
    *out[4] = even - odd;
    even = *out[0] + combine_two(c, COS_72, -a, COS_36);
    odd = combine_two(b, SIN_36, -d, SIN_72);
    *out[2] = even + odd;
    *out[3] = even - odd;
    *out[0] += a + c;
}

/* The same as join_2 of five. */
static void join_5(frontend_wide_t *first, size_t length, size_t turn)
{
    frontend_wide_t *const x[5] = {first, &first[length], &first[2u * length], &first[3u * length],
                                   &first[4u * length]};
    int64_t *const re[5] = {&x[0]->re, &x[1]->re, &x[2]->re, &x[3]->re, &x[4]->re};
    int64_t *const im[5] = {&x[0]->im, &x[4]->im, &x[3]->im, &x[2]->im, &x[1]->im};
    frontend_wide_t b;
    frontend_wide_t d;
    size_t i;

    for (i = 1u; i < 5u; i++) {
        rotate(x[i], i * turn);
    }
    b.re = x[1]->re - x[4]->re;
    d.re = x[2]->re - x[3]->re;
    b.im = x[1]->im - x[4]->im;
    d.im = x[2]->im - x[3]->im;
    join_5_parts(re, x[1]->re + x[4]->re, b.im, x[2]->re + x[3]->re, d.im);
    join_5_parts(im, x[1]->im + x[4]->im, b.re, x[2]->im + x[3]->im, d.re);
}
#endif

/* Every eighth bin from `residue` on. */
static void transform(frontend_wide_t *values, const int16_t *samples, size_t residue)
{
    size_t length;
    size_t block;
    size_t k;

    for (k = 0u; k < LENGTH; k++) {
        values[place(k)] = fold(samples, k, residue);
    }
    for (length = 1u; length < TWOS; length *= 2u) {
        for (block = 0u; block < LENGTH; block += 2u * length) {
            for (k = 0u; k < length; k++) {
                join_2(&values[block + k], length, k * (FRONTEND_FFT / (2u * length)));
            }
        }
    }
#if FRONTEND_RADIX_5
    for (; length < LENGTH; length *= 5u) {
        for (block = 0u; block < LENGTH; block += 5u * length) {
            for (k = 0u; k < length; k++) {
                join_5(&values[block + k], length, k * (FRONTEND_FFT / (5u * length)));
            }
        }
    }
#endif
    /* The bands' weights expect 15/16 of each sample subtracted from the next. */
    for (k = 0u; k < LENGTH; k++) {
        frontend_wide_t later = values[k];

        rotate(&later, residue + (PARTS * k));
        values[k].re -= later.re - (later.re >> 4);
        values[k].im -= later.im - (later.im >> 4);
    }
}

/* weight * |value|^2 / 2^32 after a shift right of the value by `unit`; LARGEST at most. */
static uint64_t weigh(frontend_wide_t value, int32_t unit, uint32_t weight)
{
    const uint64_t bits = (uint64_t)(value.re ^ (value.re >> 63)) | (uint64_t)(value.im ^ (value.im >> 63));
    const int32_t width = frontend_width((uint32_t)(bits >> 31));
    const int32_t re = (int32_t)(value.re >> width);
    const int32_t im = (int32_t)(value.im >> width);
    const uint64_t power = (uint64_t)((int64_t)re * re) + (uint64_t)((int64_t)im * im);
    const uint64_t weighted = ((power >> 32) * weight) + (((uint64_t)(uint32_t)power * weight) >> 32);
    const int32_t up = 2 * (width - unit);

    if (up < 0) {
        return (up > -64) ? (weighted >> (uint32_t)-up) : 0u;
    }
    return ((up < 62) && (weighted < (LARGEST >> (uint32_t)up))) ? (weighted << (uint32_t)up) : LARGEST;
}

/* Add the bins of a transform to their bands. */
static void add_bins(frontend_exact_t *exact, size_t residue, int32_t unit)
{
    size_t at;
    size_t i;

    for (at = 0u; at < FRONTEND_MELS; at++) {
        const frontend_band_t *const band = &frontend_bands[at];

        for (i = 0u; i < band->bins; i++) {
            const size_t bin = band->first_bin + i;
            const bool mirrored = (bin % PARTS) != residue;
            const size_t source = mirrored ? (FRONTEND_FFT - bin) : bin;

            if ((source % PARTS) == residue) {
                exact->sums[at] += weigh(exact->values[source / PARTS], unit, band->weights[i]);
                exact->sums[at] = (exact->sums[at] < LARGEST) ? exact->sums[at] : LARGEST;
            }
        }
    }
}

/* Whether all bins of a band are among `residues`, and its floor is not too high for these sums. */
static bool covered(const frontend_band_t *band, uint32_t residues, int32_t exponent)
{
    uint32_t wanted = 0u;
    size_t i;

    for (i = 0u; i < band->bins; i++) {
        wanted |= frontend_residue(band->first_bin + i);
    }
    return ((wanted & ~residues) == 0u) && ((band->floor_exponent - (2 * exponent)) < 30);
}

void frontend_repeat(frontend_exact_t *exact, const int16_t *samples, uint32_t residues, int32_t exponent,
                     frontend_code_t *codes)
{
    size_t residue;
    size_t band;

    exponent -= FINER;
    for (band = 0u; band < FRONTEND_MELS; band++) {
        exact->sums[band] = 0u;
    }
    for (residue = 0u; residue <= (PARTS / 2); residue++) {
        if ((residues & frontend_residue(residue)) != 0u) {
            transform(exact->values, samples, residue);
            add_bins(exact, residue, exponent + FRACTION);
        }
    }
    for (band = 0u; band < FRONTEND_MELS; band++) {
        if ((exact->sums[band] < LARGEST) && covered(&frontend_bands[band], residues, exponent)) {
            codes[band] = frontend_code(&frontend_bands[band], exact->sums[band], exponent);
        }
    }
}
