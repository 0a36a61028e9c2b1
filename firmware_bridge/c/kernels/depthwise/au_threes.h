/* The innermost work of au_depthwise_threes.c: kernels of 3 x 3 over two output columns of two channels. */
#ifndef AU_THREES_H
#define AU_THREES_H

#include "au_dsp.h"

/* Dissolves in its callers, who know which channels and columns are meant. */
#if defined(__GNUC__)
#define DISSOLVED static inline __attribute__((always_inline))
#else
#define DISSOLVED static inline
#endif

/* What is known of two channels, in words (specialise/depthwise.py): twice their biases; of each kernel column twice
 * the weights, the upper two of either channel as halves of a word, then the lowest of both; of each channel two words
 * that au_rescale.h wants; and a half each that says how it is scaled, and 256 more where values are clamped to less
 * than int8. */
enum { BIAS = 0, WEIGHTS = 2, SCALE = 11, SECOND_SCALE = 13, HOW = 15, WORDS_OF_TWO = 16 };

/* Twice the sums of two channels in two output columns. */
typedef struct {
    int32_t a0;
    int32_t a1;
    int32_t b0;
    int32_t b1;
} sums_t;

/* Sums of two out of four channels, 0 and 2 or `odd`, whose values lie `at` behind every pointer of `under`: three of
 * an input column, top first; columns as they follow each other where the second output column lies over the first's
 * next (`shared`), else for each kernel column the one under either output column. Returns what lies behind the
 * weights. In assembly, for compilers load ahead until they run out of registers; it takes every register of the core
 * (see au_packed.h for where it is not), which are named since LDM loads in their order. */
#if defined(__OPTIMIZE__) && defined(__ARM_FEATURE_UNALIGNED) && !defined(__clang__) && !defined(AU_WITHOUT_ASSEMBLY)
#define COLUMN(turn)                \
    "ldmia %[p]!, {r0, r1, r2}\n\t" \
    "ldr r0, [r0, %[at]]\n\t"       \
    "ldr r1, [r1, %[at]]\n\t"       \
    "ldr r2, [r2, %[at]]\n\t"       \
    "sxtb16 r0, r0" turn "\n\t"     \
    "sxtb16 r1, r1" turn "\n\t"     \
    "sxtb16 r2, r2" turn "\n\t"     \
    "pkhbt r3, r0, r1, lsl #16\n\t" \
    "pkhtb r1, r1, r0, asr #16\n\t"
#define NEXT_WEIGHTS "ldmia %[w]!, {r4, r5, r6}\n\t"
#define ADD(sum)                                  \
    "smlad %[" sum "0], r3, r4, %[" sum "0]\n\t"  \
    "smlad %[" sum "1], r1, r5, %[" sum "1]\n\t"  \
    "smlabb %[" sum "0], r2, r6, %[" sum "0]\n\t" \
    "smlatt %[" sum "1], r2, r6, %[" sum "1]\n\t"
#define APART(turn) NEXT_WEIGHTS COLUMN(turn) ADD("a") COLUMN(turn) ADD("b")
#define SHARED(turn)                                                                                     \
    NEXT_WEIGHTS COLUMN(turn) ADD("a") COLUMN(turn) ADD("b") NEXT_WEIGHTS ADD("a") COLUMN(turn) ADD("b") \
        NEXT_WEIGHTS ADD("a") COLUMN(turn) ADD("b")
#define TAKE(columns)                                                                                     \
    __asm volatile(columns                                                                                \
                   : [a0] "+r"(a0), [a1] "+r"(a1), [b0] "+r"(b0), [b1] "+r"(b1), [p] "+r"(p), [w] "+r"(w) \
                   : [at] "r"(here)                                                                       \
                   : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "memory")

DISSOLVED const int32_t *accumulate(sums_t *sums, const int32_t *known, const au_value_t *const *under, uint32_t at,
                                    bool odd, bool shared)
{
    register int32_t a0 __asm("r8") = known[BIAS];
    register int32_t a1 __asm("r9") = known[BIAS + 1];
    register int32_t b0 __asm("r10") = a0;
    register int32_t b1 __asm("r11") = a1;
    register const au_value_t *const *p __asm("r12") = under;
    register const int32_t *w __asm("r7") = known + WEIGHTS;
    register uint32_t here __asm("r14") = at;
    if (shared) {
        if (odd) {
            TAKE(SHARED(", ror #8"));
        } else {
            TAKE(SHARED(""));
        }
    } else if (odd) {
        TAKE(APART(", ror #8") APART(", ror #8") APART(", ror #8"));
    } else {
        TAKE(APART("") APART("") APART(""));
    }
    sums->a0 = a0;
    sums->a1 = a1;
    sums->b0 = b0;
    sums->b1 = b1;
    return w;
}
#else
/* Add one input column that lies under one output column. */
static inline void add_column(int32_t *first, int32_t *second, const au_value_t *const *under, uint32_t at, bool odd,
                              const int32_t *weights)
{
    uint32_t two[3];
    for (uint32_t i = 0; i < 3u; ++i) {
        const uint32_t four = au_load4(under[i] + at);
        two[i] = (uint32_t)(odd ? au_odd(four) : au_even(four));
    }
    const uint32_t low = (two[0] & 0xFFFFu) | (two[1] << 16);
    const uint32_t high = (two[0] >> 16) | (two[1] & 0xFFFF0000u);
    *first = __smlabb((int32_t)two[2], weights[2], __smlad((int32_t)low, weights[0], *first));
    *second = __smlatt((int32_t)two[2], weights[2], __smlad((int32_t)high, weights[1], *second));
}

DISSOLVED const int32_t *accumulate(sums_t *sums, const int32_t *known, const au_value_t *const *under, uint32_t at,
                                    bool odd, bool shared)
{
    const sums_t biases = {known[BIAS], known[BIAS + 1], known[BIAS], known[BIAS + 1]};
    const au_value_t *const *column = under;
    *sums = biases;
    for (uint32_t k = 0; k < 9u; k += 3u) {
        const int32_t *const weights = known + WEIGHTS + k;
        add_column(&sums->a0, &sums->a1, column, at, odd, weights);
        add_column(&sums->b0, &sums->b1, column + 3, at, odd, weights);
        column += shared ? 3 : 6;
    }
    return known + SCALE;
}
#endif

#endif
