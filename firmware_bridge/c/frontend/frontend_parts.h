/* What the parts of the front end share: tables, and the two steps that make a row of a frame. Not for applications. */
#ifndef FRONTEND_PARTS_H
#define FRONTEND_PARTS_H

#include "frontend.h"

/* Thumb-2 multiplies and accumulates 64 bits in one instruction, which compilers take two or three for. */
#if defined(__GNUC__) && defined(__thumb2__)
#define FRONTEND_LONG_MULTIPLY
#if defined(__ARM_FEATURE_DSP)
#define FRONTEND_PACKED_HALVES
#endif
#endif

/* Vectors, see frontend_mve.h; without optimisation they would fill the stack. */
#if defined(__ARM_FEATURE_MVE) && ((__ARM_FEATURE_MVE & 1) != 0) && defined(__OPTIMIZE__)
#define FRONTEND_VECTORS
#endif

/* Functions that are rarely called and shall not be repeated where they are. */
#if defined(__GNUC__)
#define FRONTEND_SEPARATE static __attribute__((noinline))
#else
#define FRONTEND_SEPARATE static
#endif

/* What stands before is done before what stands after. */
#if defined(__GNUC__)
#define FRONTEND_IN_ORDER __asm__ volatile("" ::: "memory")
#else
#define FRONTEND_IN_ORDER
#endif

/* 1 less the root of 1/2, 32 fractional bits. */
#define FRONTEND_ONE_LESS_ROOT 1257966797

/* One band: its bins, and what turns the logarithm of their weighted sum into a code. */
typedef struct {
    uint16_t first_bin;
    uint16_t bins;
    uint32_t floor;         /* mantissa of the floor of the power */
    int32_t floor_exponent; /* of two, for a frame of exponent 0 */
    const uint32_t *weights;
    int64_t offset; /* code, or level, at a logarithm of zero plus one half, 48 fractional bits */
} frontend_band_t;

/* log2 of 1 + (segment + x) / 64 for 0 <= x < 1: constant + x * (linear - x * quadratic), 30 fractional bits. */
typedef struct {
    uint32_t slope; /* FRONTEND_SLOPE: sixteen bytes are found faster than twelve, and it comes with the constant */
    uint32_t constant;
    uint32_t linear;
    uint32_t quadratic;
} frontend_log_t;

extern const int32_t frontend_window[FRONTEND_FFT];     /* 31 fractional bits */
extern const uint16_t frontend_order[FRONTEND_FFT / 2]; /* where the FFT wants the n-th pair of samples */
extern const frontend_complex_t frontend_twiddles[];    /* stage after stage: cos, sin; 31 fractional bits */
extern const frontend_complex_t frontend_split[FRONTEND_FFT / 4 + 1];
extern const frontend_band_t frontend_bands[FRONTEND_MELS];
extern const frontend_log_t frontend_log[64];
#if !FRONTEND_RECORDING
extern const uint16_t frontend_window_low[FRONTEND_FFT];         /* 16 bits below those of frontend_window */
extern const uint16_t frontend_cosine_low[FRONTEND_FFT / 4 + 1]; /* and of the cosines of frontend_split */
#endif

/* High half of a product: a * b / 2^32, rounded down. */
static inline int32_t frontend_high(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * (int64_t)b) >> 32);
}

/* High half of a * b + c * d, rounded down. */
static inline int32_t frontend_high_of_sum(int32_t a, int32_t b, int32_t c, int32_t d)
{
#if defined(FRONTEND_LONG_MULTIPLY)
    int32_t low;
    int32_t high;

    __asm__("smull %0, %1, %2, %3\n\tsmlal %0, %1, %4, %5" : "=&r"(low), "=&r"(high) : "r"(a), "r"(b), "r"(c), "r"(d));
    return high;
#else
    return (int32_t)((((int64_t)a * (int64_t)b) + ((int64_t)c * (int64_t)d)) >> 32);
#endif
}

/* sum + a * b. */
static inline uint64_t frontend_accumulate(uint64_t sum, uint32_t a, uint32_t b)
{
#if defined(FRONTEND_LONG_MULTIPLY)
    __asm__("umlal %Q0, %R0, %1, %2" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
#else
    return sum + ((uint64_t)a * b);
#endif
}

/* The same of signed numbers. */
static inline int64_t frontend_accumulate_signed(int64_t sum, int32_t a, int32_t b)
{
#if defined(FRONTEND_LONG_MULTIPLY)
    __asm__("smlal %Q0, %R0, %1, %2" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
#else
    return sum + ((int64_t)a * b);
#endif
}

/* The nearest int8. */
static inline int8_t frontend_saturate(int32_t value)
{
#if defined(FRONTEND_LONG_MULTIPLY)
    __asm__("ssat %0, #8, %0" : "+r"(value));
    return (int8_t)value;
#else
    value = (value > 127) ? 127 : value;
    return (int8_t)((value < -128) ? -128 : value);
#endif
}

/* What a band's code is kept as: an int8, or a level, which none of a frame's is too large for. */
static inline frontend_code_t frontend_keep(int32_t value)
{
#if FRONTEND_RECORDING
    return (int16_t)value;
#else
    return frontend_saturate(value);
#endif
}

/* Width of the largest magnitude, from the bits of all magnitudes or-ed together; 0 for no bit at all. */
static inline int32_t frontend_width(uint32_t bits)
{
#if defined(__GNUC__)
    return (bits == 0u) ? 0 : (32 - __builtin_clz(bits));
#else
    int32_t width = 0;

    while (bits != 0u) {
        bits >>= 1;
        width++;
    }
    return width;
#endif
}

#if defined(FRONTEND_PACKED_HALVES)
/* Where a bit of a half differs from the one below it, the number is at least so wide. */
#define FRONTEND_GATHER(bits, a, b, free)          \
    "pkhtb " free ", " a ", " b ", asr #16\n\t"    \
    "eor " free ", " free ", " free ", lsl #1\n\t" \
    "orr " bits ", " bits ", " free "\n\t"
#elif defined(FRONTEND_LONG_MULTIPLY)
#define FRONTEND_GATHER(bits, a, b, free)     \
    "eor " free ", " a ", " a ", asr #31\n\t" \
    "orr " bits ", " bits ", " free "\n\t"    \
    "eor " free ", " b ", " b ", asr #31\n\t" \
    "orr " bits ", " bits ", " free "\n\t"
#endif

/* `bits`, and those of two magnitudes (of -x - 1 for a negative x); what frontend_bits makes of them all tells the
 * largest width above 16. */
static inline uint32_t frontend_gather(uint32_t bits, int32_t a, int32_t b)
{
#if defined(FRONTEND_PACKED_HALVES)
    uint32_t free;

    __asm__(FRONTEND_GATHER("%0", "%2", "%3", "%1") : "+r"(bits), "=&r"(free) : "r"(a), "r"(b));
    return bits;
#else
    return bits | (uint32_t)(a ^ (a >> 31)) | (uint32_t)(b ^ (b >> 31));
#endif
}

static inline uint32_t frontend_bits(uint32_t bits)
{
#if defined(FRONTEND_PACKED_HALVES)
    return ((bits | (bits >> 16)) & 0xFFFEu) << 15;
#else
    return bits;
#endif
}

/* Power spectrum, in place, of FRONTEND_FFT / 2 pairs of samples that lie in frontend_order. `bits`: gathered of all.
 * Returns the exponent of two of the amplitudes, relative to the samples. */
int32_t frontend_power(frontend_bin_t *spectrum, uint32_t bits);

/* Codes of all bands. `exponent`: of two, of the amplitudes, relative to full scale. Returns the frontend_residue of
 * all bins of bands whose codes may be wrong by the noise of the power spectrum, which is part of levels. */
uint32_t frontend_quantize(const frontend_bin_t *spectrum, int32_t exponent, frontend_code_t *codes);

#if FRONTEND_RECORDING
/* Codes of a frame's levels, in their place, each less the mean of what was heard of its band, this frame included. */
void frontend_subtract_mean(frontend_mean_t *mean, frontend_code_t *levels, int8_t *row);
#else
/* Code of a band's weighted sum. */
frontend_code_t frontend_code(const frontend_band_t *band, uint64_t sum, int32_t exponent);

/* A bit for all bins that have this one's residue of eight, or the opposite, which mirrors it. */
static inline uint32_t frontend_residue(size_t bin)
{
    const size_t residue = bin % 8u;

    return (uint32_t)1 << ((residue > 4u) ? (8u - residue) : residue);
}

/* Exact codes of the weak bands whose bins are all among `residues`. `exponent`: of the power spectrum's amplitudes. */
void frontend_repeat(frontend_exact_t *exact, const int16_t *samples, uint32_t residues, int32_t exponent,
                     frontend_code_t *codes);
#endif

#endif
