/* The innermost work of au_depthwise_threes.c: three lines of input under three output columns of two channels. */
#ifndef AU_LINES_H
#define AU_LINES_H

#include "au_dsp.h"

/* A row of input, and twice the weights that it meets, of two channels as halves. */
typedef struct {
    const au_value_t *values;
    int32_t weights[3];
} line_t;

/* Two of four channels side by side, 0 and 2 or 1 and 3. */
typedef struct {
    line_t lines[3];
    const int32_t *known;
    bool odd;
    bool saturate; /* the activation's range is that of int8 */
} two_t;

/* Three output columns: where the first value under them lies in every line, from there to the next column, and where
 * the other two go, seen from the first: where it goes itself if they do not exist. */
typedef struct {
    uint32_t at;
    uint32_t pitch;
    uint32_t second;
    uint32_t third;
} place_t;

/* Twice the sums of two channels in three columns. */
typedef struct {
    int32_t a0;
    int32_t a1;
    int32_t b0;
    int32_t b1;
    int32_t c0;
    int32_t c1;
} sums_t;

/* Add the products of three lines, whose output columns are 1 or 2 input columns apart. In assembly, for compilers load
 * ahead until they run out of registers; it takes every register of the core (see au_packed.h for where it is not). */
#if defined(__OPTIMIZE__) && defined(__ARM_FEATURE_UNALIGNED) && !defined(__clang__) && !defined(AU_WITHOUT_ASSEMBLY)
#define ADD(sum, w) \
    "smlabb %[" sum "0], %[x], %[" w "], %[" sum "0]\n\tsmlatt %[" sum "1], %[x], %[" w "], %[" sum "1]\n\t"
#define LINE                               \
    "ldrd %[p], %[w0], [%[line]], #8\n\t"  \
    "ldrd %[w1], %[w2], [%[line]], #8\n\t" \
    "add %[p], %[p], %[at]\n\t"
#define COLUMN(where, turn) "ldr %[x], [%[p]" where "]\n\tsxtb16 %[x], %[x]" turn "\n\t"
#define NEXT ", %[pitch]"
#define AFTER ", %[pitch], lsl #1"
#define ON "add %[p], %[p], %[pitch], lsl #1\n\t"
#define LINE_1(turn)                                                                                          \
    LINE COLUMN("", turn) ADD("a", "w0") COLUMN(NEXT, turn) ADD("a", "w1") ADD("b", "w0") ON COLUMN("", turn) \
        ADD("a", "w2") ADD("b", "w1") ADD("c", "w0") COLUMN(NEXT, turn) ADD("b", "w2") ADD("c", "w1")         \
            COLUMN(AFTER, turn) ADD("c", "w2")
#define LINE_2(turn)                                                                                          \
    LINE COLUMN("", turn) ADD("a", "w0") COLUMN(NEXT, turn) ADD("a", "w1") ON COLUMN("", turn) ADD("a", "w2") \
        ADD("b", "w0") COLUMN(NEXT, turn) ADD("b", "w1") ON COLUMN("", turn) ADD("b", "w2") ADD("c", "w0")    \
            COLUMN(NEXT, turn) ADD("c", "w1") COLUMN(AFTER, turn) ADD("c", "w2")
#define THREE_LINES(of_line)                                                                                  \
    __asm volatile(of_line of_line of_line                                                                    \
                   : [a0] "+r"(sums->a0), [a1] "+r"(sums->a1), [b0] "+r"(sums->b0), [b1] "+r"(sums->b1),      \
                     [c0] "+r"(sums->c0), [c1] "+r"(sums->c1), [line] "+r"(line), [p] "=&r"(p), [x] "=&r"(x), \
                     [w0] "=&r"(w0), [w1] "=&r"(w1), [w2] "=&r"(w2)                                           \
                   : [pitch] "r"(place->pitch), [at] "r"(place->at)                                           \
                   : "memory")

static inline void accumulate(sums_t *sums, const two_t *two, const place_t *place, uint32_t stride)
{
    const line_t *line = two->lines;
    const au_value_t *p;
    uint32_t x;
    int32_t w0;
    int32_t w1;
    int32_t w2;
    if (stride == 1u) {
        if (two->odd) {
            THREE_LINES(LINE_1(", ror #8"));
        } else {
            THREE_LINES(LINE_1(""));
        }
    } else if (two->odd) {
        THREE_LINES(LINE_2(", ror #8"));
    } else {
        THREE_LINES(LINE_2(""));
    }
}
#else
static inline int32_t two_of(uint32_t four, bool odd)
{
    return odd ? au_odd(four) : au_even(four);
}

static inline void accumulate(sums_t *sums, const two_t *two, const place_t *place, uint32_t stride)
{
    for (uint32_t i = 0; i < 9u; ++i) {
        const line_t *const line = two->lines + (i / 3u);
        const int32_t w = line->weights[i % 3u];
        const au_value_t *const first = line->values + place->at + ((i % 3u) * place->pitch);
        const int32_t x = two_of(au_load4(first), two->odd);
        const int32_t y = two_of(au_load4(first + (stride * place->pitch)), two->odd);
        const int32_t z = two_of(au_load4(first + (2u * stride * place->pitch)), two->odd);
        sums->a0 = __smlabb(x, w, sums->a0);
        sums->a1 = __smlatt(x, w, sums->a1);
        sums->b0 = __smlabb(y, w, sums->b0);
        sums->b1 = __smlatt(y, w, sums->b1);
        sums->c0 = __smlabb(z, w, sums->c0);
        sums->c1 = __smlatt(z, w, sums->c1);
    }
}
#endif

#endif
