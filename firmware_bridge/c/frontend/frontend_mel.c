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

#if defined(FRONTEND_LONG_MULTIPLY)
#define WEIGH(bins, power_low, power_high)                    \
    "ldrd " power_low ", " power_high ", [%[bin]], #8\n\t"    \
    "ldr %[factor], [%[weight]], #4\n\t"                      \
    "umull %Q[low], %R[low], " power_low ", %[factor]\n\t"    \
    "umull %Q[high], %R[high], " power_high ", %[factor]\n\t" \
    "subs " bins ", #1\n\t"                                   \
    "beq 2f\n"                                                \
    "1:\n\t"                                                  \
    "ldrd " power_low ", " power_high ", [%[bin]], #8\n\t"    \
    "ldr %[factor], [%[weight]], #4\n\t"                      \
    "umlal %Q[low], %R[low], " power_low ", %[factor]\n\t"    \
    "umlal %Q[high], %R[high], " power_high ", %[factor]\n\t" \
    "subs " bins ", #1\n\t"                                   \
    "bne 1b\n"                                                \
    "2:\n\t"
#endif

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

    __asm__(WEIGH("%[bins]", "%[power_low]", "%[power_high]")
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

#if !FRONTEND_RECORDING
FRONTEND_SEPARATE int32_t plain_logarithm(uint64_t value)
{
    return logarithm(value, 0);
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
#endif

/* What stays in memory, as all registers are taken. */
typedef struct {
    const frontend_bin_t *volatile spectrum;
    const frontend_log_t *volatile logarithms;
} tables_t;

#if defined(FRONTEND_LONG_MULTIPLY) && defined(__OPTIMIZE__) && !defined(__clang__) && FRONTEND_FLOOR_ADDED
/* What the other quick_code does, in the registers that there are. */
static inline int32_t quick_code(const tables_t *tables, const frontend_band_t *band, int32_t scale, int32_t octaves,
                                 uint32_t *floored)
{
    int32_t code;
    uint64_t high;
    uint64_t low;
    const frontend_bin_t *bin;
    const void *weight;
    uint32_t factor;
    uint32_t a;
    uint32_t b;

    __asm__("ldrh %[bin], [%[band]]\n\t"
            "ldr %[a], %[spectrum]\n\t"
            "ldrh %[code], [%[band], #2]\n\t"
            "ldr %[weight], [%[band], #12]\n\t"
            "add %[bin], %[a], %[bin], lsl #3\n\t" WEIGH("%[code]", "%[a]", "%[b]")
            /* The sum and its floor. */
            "adds %Q[high], %Q[high], %R[low]\n\t"
            "ldrd %[factor], %[code], [%[band], #4]\n\t"
            "adc %R[high], %R[high], #0\n\t"
            "subs %[code], %[scale], %[code]\n\t"
            "blt 3f\n\t"
            "usat %[a], #5, %[code]\n\t"
            "lsr %[factor], %[factor], %[a]\n\t"
            "adds %Q[high], %Q[high], %[factor]\n\t"
            "adc %R[high], %R[high], #0\n"
            "4:\n\t"
            /* Its logarithm. */
            "clz %[a], %R[high]\n\t"
            "lsls %[b], %R[high], %[a]\n\t"
            "beq 5f\n\t"
            "rsb %[code], %[a], #32\n\t"
            "lsr %[code], %Q[high], %[code]\n\t"
            "orr %[b], %[b], %[code]\n"
            "6:\n\t"
            "ldr %[weight], %[table]\n\t"
            "ubfx %[code], %[b], #25, #6\n\t"
            "add %[weight], %[weight], %[code], lsl #4\n\t"
            "lsl %[b], %[b], #7\n\t"
            "ldrd %[factor], %[code], [%[weight], #8]\n\t"
            "umull %Q[low], %[code], %[code], %[b]\n\t"
            "sub %[factor], %[factor], %[code]\n\t"
            "umull %Q[low], %[factor], %[factor], %[b]\n\t"
            "ldrd %[b], %[code], [%[weight]]\n\t"
            "add %[factor], %[factor], %[code]\n\t"
            "sub %[a], %[octaves], %[a], lsl #24\n\t"
            "add %[a], %[a], %[factor], lsr #6\n\t"
            /* The code. */
            "ldrd %[factor], %[code], [%[band], #16]\n\t"
            "smlal %[factor], %[code], %[a], %[b]\n\t"
            ".subsection 1\n"
            "3:\n\t"
            "rsb %[code], %[code], #0\n\t"
            "mov %[a], #1\n\t"
            "lsl %[a], %[a], %[code]\n\t"
            "umlal %Q[high], %R[high], %[factor], %[a]\n\t"
            "b 4b\n"
            "5:\n\t"
            "clz %[a], %Q[high]\n\t"
            "lsl %[b], %Q[high], %[a]\n\t"
            "add %[a], %[a], #32\n\t"
            "b 6b\n\t"
            ".previous"
            : [code] "=&r"(code), [high] "=&r"(high), [low] "=&r"(low), [bin] "=&r"(bin), [weight] "=&r"(weight),
              [factor] "=&r"(factor), [a] "=&r"(a), [b] "=&r"(b)
            : [band] "r"(band), [scale] "r"(scale), [octaves] "r"(octaves), [spectrum] "m"(tables->spectrum),
              [table] "m"(tables->logarithms)
            : "cc", "memory");
    *floored = (uint32_t)(high >> 32);
    return code;
}
#else
/* A code and 16 fractional bits. `octaves`: 63 and `scale`, LOG_BITS fractional bits. `floored`: the high half of the
 * sum with its floor. */
static inline int32_t quick_code(const tables_t *tables, const frontend_band_t *band, int32_t scale, int32_t octaves,
                                 uint32_t *floored)
{
    const uint64_t sum = with_floor(weigh_band(tables->spectrum, band), band->floor, band->floor_exponent - scale);

    (void)octaves;
    *floored = (uint32_t)(sum >> 32);
    return (int32_t)(fine_code(band, logarithm(sum, scale)) >> 32);
}
#endif

uint32_t frontend_quantize(const frontend_bin_t *spectrum, int32_t exponent, frontend_code_t *codes)
{
    const int32_t scale = 2 * exponent;
    const int32_t octaves = (scale + 63) * (1 << LOG_BITS);
    const tables_t tables = {spectrum, frontend_log};
    const frontend_band_t *band;
    uint32_t residues = 0u;

    for (band = frontend_bands; band != &frontend_bands[FRONTEND_MELS]; band++) {
        uint32_t floored;
        const int32_t code = quick_code(&tables, band, scale, octaves, &floored);

        *codes = frontend_keep(code >> 16);
        codes++;
#if FRONTEND_RECORDING
        (void)floored;
#else
        if (floored < FRONTEND_NOISY) {
            /* The same in few instructions, as if the floor were part of the sum. */
            int32_t distance;

            FRONTEND_IN_ORDER;
            distance = (int16_t)code;

            if (((uint64_t)(uint32_t)(distance * distance) * floored) < FRONTEND_NEAR) {
                residues |= doubtful_residues(spectrum, band, scale);
            }
        }
#endif
    }
    return residues;
}

#if !FRONTEND_RECORDING
frontend_code_t frontend_code(const frontend_band_t *band, uint64_t sum, int32_t exponent)
{
    const int32_t scale = 2 * exponent;
    const uint64_t floored = with_floor(sum, band->floor, band->floor_exponent - scale);
    const int64_t fine = fine_code(band, plain_logarithm(floored) + (scale * (1 << LOG_BITS)));

    return frontend_keep((int32_t)(fine >> (2 * LOG_BITS)));
}
#endif
