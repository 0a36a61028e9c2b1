/* Bands of the power spectrum, their logarithm, and its code. */
#include "frontend_parts.h"

enum { LOG_BITS = 24 }; /* fractional bits of a logarithm, and of FRONTEND_SLOPE */

/* log2 of value * 2^exponent, for a value between 0 and 2^63; from a table of parabolas. */
static inline int32_t logarithm(uint64_t value, int32_t exponent)
{
    const uint32_t high = (uint32_t)(value >> 32);
    const uint32_t low = (uint32_t)value;
    const uint32_t width = (uint32_t)frontend_width((high != 0u) ? high : low);
    const uint32_t mantissa = (high != 0u) ? ((high << (32u - width)) | (low >> width)) : (low << (32u - width));
    const int32_t octave = (int32_t)((high != 0u) ? (width + 31u) : (width - 1u)) + exponent;
    const frontend_log_t *const segment = &frontend_log[(mantissa >> 25) & 63u];
    const uint32_t x = mantissa << 7; /* 32 fractional bits */
    const uint32_t slope = segment->linear - (uint32_t)(((uint64_t)segment->quadratic * x) >> 32);
    const uint32_t fraction = segment->constant + (uint32_t)(((uint64_t)slope * x) >> 32);

    return (octave * (1 << LOG_BITS)) + (int32_t)(fraction >> (30 - LOG_BITS));
}

FRONTEND_SEPARATE int32_t plain_logarithm(uint64_t value)
{
    return logarithm(value, 0);
}

/* Weighted sum of a band's bins, one at least; high and low halves apart, which cannot overflow as the weights sum to
 * 2^32 at most. */
static inline uint64_t weigh_band(const frontend_bin_t *spectrum, const frontend_band_t *band)
{
    const frontend_bin_t *bin = &spectrum[band->first_bin];
    const uint32_t *weight = band->weights;
    uint32_t bins = band->bins;
    uint64_t high;
    uint64_t low;

#if defined(FRONTEND_LONG_MULTIPLY)
    uint32_t factor;
    uint32_t power_low;
    uint32_t power_high;

    __asm__("ldrd %[power_low], %[power_high], [%[bin]], #8\n\t"
            "ldr %[factor], [%[weight]], #4\n\t"
            "umull %Q[low], %R[low], %[power_low], %[factor]\n\t"
            "umull %Q[high], %R[high], %[power_high], %[factor]\n\t"
            "subs %[bins], #1\n\t"
            "beq 2f\n"
            "1:\n\t"
            "ldrd %[power_low], %[power_high], [%[bin]], #8\n\t"
            "ldr %[factor], [%[weight]], #4\n\t"
            "umlal %Q[low], %R[low], %[power_low], %[factor]\n\t"
            "umlal %Q[high], %R[high], %[power_high], %[factor]\n\t"
            "subs %[bins], #1\n\t"
            "bne 1b\n"
            "2:"
            : [low] "=&r"(low), [high] "=&r"(high), [bin] "+&r"(bin), [weight] "+&r"(weight), [bins] "+&r"(bins),
              [factor] "=&r"(factor), [power_low] "=&r"(power_low), [power_high] "=&r"(power_high)
            :
            : "cc", "memory");
#else
    high = 0u;
    low = 0u;
    do {
        high += (bin->power >> 32) * *weight;
        low += (uint64_t)(uint32_t)bin->power * *weight;
        bin++;
        weight++;
        bins--;
    } while (bins != 0u);
#endif
    return high + (low >> 32);
}

static inline uint64_t with_floor(uint64_t sum, uint32_t floor, int32_t shift)
{
    if (shift < 0) {
        floor >>= (shift > -31) ? (uint32_t)-shift : 31u;
        shift = 0;
    }
#if FRONTEND_FLOOR_ADDED
    sum = frontend_accumulate(sum, floor, (uint32_t)1 << (uint32_t)shift);
#else
    sum = (sum > ((uint64_t)floor << (uint32_t)shift)) ? sum : ((uint64_t)floor << (uint32_t)shift);
#endif
    return sum;
}

/* A code and 2 * LOG_BITS fractional bits, of a logarithm. */
static inline int64_t fine_code(const frontend_band_t *band, int32_t octaves)
{
    return band->offset + ((int64_t)octaves * FRONTEND_SLOPE);
}

/* Noise moves the root of a sum by FRONTEND_NOISE at most, and therefore a code by
 *     2 * FRONTEND_NOISE * slope / ln 2 * root of sum / sum with floor.
 * If that may be as far as the border to the next code: the residues of eight that the band's bins have, a bit each. */
FRONTEND_SEPARATE uint32_t doubtful_residues(const frontend_bin_t *spectrum, const frontend_band_t *band, int32_t scale)
{
    const uint64_t sum = weigh_band(spectrum, band);
    const uint64_t floored = with_floor(sum, band->floor, band->floor_exponent - scale);
    const int32_t octaves = plain_logarithm(floored);
    const int64_t fine = fine_code(band, octaves + (scale * (1 << LOG_BITS)));
    const uint32_t fraction = (uint32_t)(fine >> ((2 * LOG_BITS) - 32));
    const uint32_t distance = (fraction < (UINT32_MAX / 2u)) ? fraction : ~fraction;
    const int32_t root = plain_logarithm(sum + (FRONTEND_NOISE * FRONTEND_NOISE)) / 2;
    uint32_t residues = 0u;
    size_t i;

    if (plain_logarithm((uint64_t)distance + 1u) < (FRONTEND_DOUBT + root - octaves)) {
        for (i = band->first_bin; i < ((size_t)band->first_bin + band->bins); i++) {
            residues |= frontend_residue(i);
        }
    }
    return residues;
}

uint32_t frontend_quantize(const frontend_bin_t *spectrum, int32_t exponent, frontend_code_t *codes)
{
    const int32_t scale = 2 * exponent;
    const frontend_band_t *band;
    uint32_t residues = 0u;

    for (band = frontend_bands; band != &frontend_bands[FRONTEND_MELS]; band++) {
        const uint64_t sum = weigh_band(spectrum, band);
        const uint64_t floored = with_floor(sum, band->floor, band->floor_exponent - scale);
        const int64_t fine = fine_code(band, logarithm(floored, scale));

        *codes = frontend_keep((int32_t)(fine >> (2 * LOG_BITS)));
        codes++;
        if ((uint32_t)(floored >> 32) < FRONTEND_NOISY) {
            /* The same in few instructions, as if the floor were part of the sum. */
            const int32_t distance = (int16_t)(fine >> ((2 * LOG_BITS) - 16));

            if (((uint64_t)(uint32_t)(distance * distance) * (uint32_t)(floored >> 32)) < FRONTEND_NEAR) {
                residues |= doubtful_residues(spectrum, band, scale);
            }
        }
    }
    return residues;
}

frontend_code_t frontend_code(const frontend_band_t *band, uint64_t sum, int32_t exponent)
{
    const int32_t scale = 2 * exponent;
    const uint64_t floored = with_floor(sum, band->floor, band->floor_exponent - scale);
    const int64_t fine = fine_code(band, plain_logarithm(floored) + (scale * (1 << LOG_BITS)));

    return frontend_keep((int32_t)(fine >> (2 * LOG_BITS)));
}
