/* Bands of the power spectrum, their logarithm, and its code. */
#include "frontend_parts.h"

enum {
    LOG_BITS = 24,  /* fractional bits of a logarithm, and of FRONTEND_SLOPE */
    FLOOR_ROOM = 30 /* the floor's mantissa of 32 bits may be shifted up so far */
};

/* log2 of a number between 0 and 2^63; from a table of parabolas. */
static inline int32_t logarithm(uint64_t value)
{
    const uint32_t high = (uint32_t)(value >> 32);
    const uint32_t low = (uint32_t)value;
    const uint32_t width = (uint32_t)frontend_width((high != 0u) ? high : low);
    const uint32_t mantissa = (high != 0u) ? ((high << (32u - width)) | (low >> width)) : (low << (32u - width));
    const int32_t octave = (int32_t)((high != 0u) ? (width + 31u) : (width - 1u));
    const frontend_log_t *const segment = &frontend_log[(mantissa >> 25) & 63u];
    const uint32_t x = mantissa << 7; /* 32 fractional bits */
    const uint32_t slope = segment->linear - (uint32_t)(((uint64_t)segment->quadratic * x) >> 32);
    const uint32_t fraction = segment->constant + (uint32_t)(((uint64_t)slope * x) >> 32);

    return (octave * (1 << LOG_BITS)) + (int32_t)(fraction >> (30 - LOG_BITS));
}

/* Weighted sum of a band's bins; high and low halves apart, which cannot overflow as the weights sum to 2^32 at most. */
static inline uint64_t weigh_band(const frontend_bin_t *bin, const uint32_t *weight, const uint32_t *end)
{
    uint64_t high = 0u;
    uint64_t low = 0u;

    while (weight != end) {
#if defined(FRONTEND_LONG_MULTIPLY)
        uint32_t factor;
        uint32_t power_low;
        uint32_t power_high;

        __asm__("ldrd %[power_low], %[power_high], [%[bin]], #8\n\t"
                "ldr %[factor], [%[weight]], #4\n\t"
                "umlal %Q[low], %R[low], %[power_low], %[factor]\n\t"
                "umlal %Q[high], %R[high], %[power_high], %[factor]"
                : [low] "+r"(low), [high] "+r"(high), [bin] "+r"(bin), [weight] "+r"(weight), [factor] "=&r"(factor),
                  [power_low] "=&r"(power_low), [power_high] "=&r"(power_high)
                :
                : "memory");
#else
        high += (bin->power >> 32) * *weight;
        low += (uint64_t)(uint32_t)bin->power * *weight;
        bin++;
        weight++;
#endif
    }
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

void frontend_quantize(const frontend_bin_t *spectrum, int32_t exponent, int8_t *row)
{
    /* In a quiet frame the sums go down instead of the floors going up. */
    const int32_t excess = FRONTEND_FLOOR_EXPONENT - (2 * exponent) - FLOOR_ROOM;
    const int32_t down = (excess > 0) ? excess : 0;
    const int32_t scale = (2 * exponent) + down;
    const uint32_t *weight = frontend_weights;
    const frontend_band_t *band;

    for (band = frontend_bands; band != &frontend_bands[FRONTEND_MELS]; band++) {
        const uint32_t *const end = &weight[band->bins];
        uint64_t sum = weigh_band(&spectrum[band->first_bin], weight, end);
        int32_t value;

        weight = end;
        if (down > 0) {
            sum = (down < 64) ? (sum >> (uint32_t)down) : 0u;
        }
        sum = with_floor(sum, band->floor, band->floor_exponent - scale);
        value = logarithm(sum) + (scale * (1 << LOG_BITS));
        value = (int32_t)((band->offset + ((int64_t)value * FRONTEND_SLOPE)) >> (2 * LOG_BITS));
        *row = frontend_saturate(value);
        row++;
    }
}
