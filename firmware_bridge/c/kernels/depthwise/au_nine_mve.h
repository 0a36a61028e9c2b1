/* Output columns of kernels 3 x 3 side by side (MVE: Cortex-M55), sixteen channels of one at a time, or eight of two,
 * in loops of which every instruction but a few is a vector's.
 *
 * Sums are made in 16 bits. They may not fit, but what is lost of them is a multiple of 2^16, which a quarter of the
 * sum of all products but two tells, also if it is a little too small: those two are less than 2^15. */
#ifndef AU_NINE_MVE_H
#define AU_NINE_MVE_H

#include "au_depthwise.h"
#include "au_finish_mve.h"

/* It needs every register of the core: not there without optimization, with a frame pointer (define AU_WITHOUT_ASSEMBLY
 * then), or always in Clang. Columns are made one by one instead. */
#if !AU_SINGLE_ROUNDING && defined(__OPTIMIZE__) && !defined(__clang__) && !defined(AU_WITHOUT_ASSEMBLY)
#define AU_HAS_NINE

/* How sums are scaled: all to the right, or some to the left, where values end at the zero point; all to the right
 * where they do not; and any. */
typedef enum { AU_ALL_DOWN = 1, AU_SOME_UP = 0, AU_DOWN_AND_AWAY = 2, AU_ANYHOW = -1 } au_kind_t;

static inline au_kind_t au_kind(au_scaling_t how)
{
    au_kind_t kind = how.down ? AU_ALL_DOWN : AU_SOME_UP;
    if (!how.whole || (how.away && !how.down)) {
        kind = AU_ANYHOW;
    } else if (how.away) {
        kind = AU_DOWN_AND_AWAY;
    }
    return kind;
}

typedef struct {
    int16x8_t zero;
    const int32_t *known; /* of the first of these channels */
    uint32_t groups;      /* of sixteen channels each; of eight, pairs of columns */
    const au_value_t *end;
    uint32_t apart;     /* from an input column to the next that is wanted; of sixteens, from its last channel on */
    uint32_t out_apart; /* the same of output columns */
    int32_t low;
    int32_t high;
    const int32_t *next; /* held here for a while */
} au_columns_t;

/* Sums of 32 bits, from what 16 bits have kept of them and a quarter of the rest: of even lanes go to `even`, of odd
 * ones to `quarter`. */
#define AU_JOIN(sum, even, quarter)                    \
    "vshr.u16 " even ", " sum ", #2\n\t"               \
    "vhsub.s16 " quarter ", " quarter ", " even "\n\t" \
    "vrshr.s16 " quarter ", " quarter ", #13\n\t"      \
    "vmov " even ", " sum "\n\t"                       \
    "vsli.32 " even ", " quarter ", #16\n\t"           \
    "vsri.32 " quarter ", " sum ", #16\n\t"
#define AU_ADD(to, what) "vadd.i16 " to ", " to ", " what "\n\t"
#define AU_HALVE(to, one, other) "vhadd.s16 " to ", " one ", " other "\n\t"

/* What is known of four sums (au_finish_mve.h): biases go to q7, multipliers to q4, shifts to q5 and q6. */
#define AU_BIASES "vldrw.32 q7, [%[next], #24]\n\t"
#define AU_BIAS(s) "vadd.i32 " s ", " s ", q7\n\t"
#define AU_MULTIPLIERS "vldrw.32 q4, [%[next]], #16\n\t"
#define AU_RIGHT_ALONE "vldrb.s32 q5, [%[next]], #24\n\t"
#define AU_RIGHT_AND_LEFT "vldrb.s32 q5, [%[next]], #4\n\tvldrb.s32 q6, [%[next]], #20\n\t"
#define AU_SHIFT(s) "vrshl.s32 " s ", " s ", q5\n\t"
/* AU_AWAY where every shift is negative. */
#define AU_AWAY_DOWN(s) "vshr.s32 q7, " s ", #31\n\tvadd.i32 " s ", " s ", q7\n\t"
#define AU_SCALED_DOWN(s) AU_DOWN(s) AU_SHIFT(s)
#define AU_SCALED_UP(s) AU_UP(s) AU_SHIFT(s)
#define AU_SCALED_DOWN_AWAY(s) AU_DOWN(s) AU_AWAY_DOWN(s) AU_SHIFT(s)
#define AU_SCALED_AWAY(s) AU_UP(s) AU_AWAY(s) AU_SHIFT(s)

/* Sixteen channels: sums of even ones are q4, of odd ones q5, quarters q1 and q3. */
#define AU_SIXTEEN_OF(value, even, odd)   \
    "vldrb.8 q2, [%[" value "]], #16\n\t" \
    "vldrb.8 q6, [%[next]], #16\n\t"      \
    "vmullb.s8 " even ", q2, q6\n\t"      \
    "vmullt.s8 " odd ", q2, q6\n\t"
#define AU_SIXTEEN_MORE(value, even, odd) AU_SIXTEEN_OF(value, "q7", "q2") AU_ADD(even, "q7") AU_ADD(odd, "q2")
#define AU_SIXTEEN_SUMS                                                                                              \
    AU_SIXTEEN_OF("p0", "q4", "q5")                                                                                  \
    AU_SIXTEEN_MORE("p1", "q4", "q5")                                                                                \
    AU_SIXTEEN_OF("p2", "q3", "q0")                                                                                  \
    AU_SIXTEEN_MORE("p3", "q3", "q0")                                                                                \
    AU_HALVE("q1", "q4", "q3")                                                                                       \
    AU_ADD("q4", "q3")                                                                                               \
    AU_HALVE("q3", "q5", "q0")                                                                                       \
    AU_ADD("q5", "q0")                                                                                               \
    AU_SIXTEEN_OF("p4", "q0", "q2")                                                                                  \
    "vldrb.8 q7, [%[p5]], #16\n\t"                                                                                   \
    "vldrb.8 q6, [%[next]]\n\t"                                                                                      \
    "vmullb.s8 q6, q7, q6\n\t" AU_ADD(                                                                               \
        "q0", "q6") "vldrb.8 q6, [%[next]], #16\n\t"                                                                 \
                    "vmullt.s8 q7, q7, q6\n\t" AU_ADD("q2", "q7") AU_ADD("q4", "q0") AU_ADD(                         \
                        "q5", "q2") "vldrb.8 q6, [%[p6]], #16\n\t"                                                   \
                                    "vldrb.8 q7, [%[next]]\n\t"                                                      \
                                    "vmullb.s8 q7, q6, q7\n\t" AU_ADD("q4", "q7") AU_HALVE("q0", "q0", "q7")         \
                                        AU_HALVE("q1", "q1", "q0") "vldrb.8 q7, [%[next]], #16\n\t"                  \
                                                                   "vmullt.s8 q6, q6, q7\n\t" AU_ADD("q5", "q6")     \
                                                                       AU_HALVE("q2", "q2", "q6")                    \
                                                                           AU_HALVE("q3", "q3", "q2")                \
                                                                               AU_SIXTEEN_MORE("p7", "q4", "q5")     \
                                                                                   AU_SIXTEEN_MORE("p8", "q4", "q5") \
                                                                                       AU_JOIN("q4", "q0", "q1")     \
                                                                                           AU_JOIN("q5", "q2", "q3")
#define AU_SIXTEEN_FOUR(s, shifts, scaled) \
    AU_BIASES AU_BIAS(s)                   \
    AU_MULTIPLIERS shifts scaled(s)
#define AU_SIXTEEN_SCALED(shifts, scaled) \
    AU_SIXTEEN_FOUR("q0", shifts, scaled) \
    AU_SIXTEEN_FOUR("q1", shifts, scaled) \
    AU_SIXTEEN_FOUR("q2", shifts, scaled) \
    AU_SIXTEEN_FOUR("q3", shifts, scaled)
/* Values of all of int8, and any. */
#define AU_SIXTEEN_WHOLE            \
    "vqmovnb.s32 q0, q0\n\t"        \
    "vqmovnt.s32 q0, q1\n\t"        \
    "vqmovnb.s32 q2, q2\n\t"        \
    "vqmovnt.s32 q2, q3\n\t"        \
    "vldrw.32 q4, [%[columns]]\n\t" \
    "vqadd.s16 q0, q0, q4\n\t"      \
    "vqadd.s16 q2, q2, q4\n\t"      \
    "vqmovnb.s16 q0, q0\n\t"        \
    "vqmovnt.s16 q0, q2\n\t"
#define AU_SIXTEEN_CLAMPED AU_SIXTEEN_WHOLE AU_CLAMPS AU_CLAMP("q0")
#define AU_CLAMPS                        \
    "str %[next], [%[columns], #44]\n\t" \
    "ldr %[next], [%[columns], #36]\n\t" \
    "vdup.8 q4, %[next]\n\t"             \
    "ldr %[next], [%[columns], #40]\n\t" \
    "vdup.8 q5, %[next]\n\t"             \
    "ldr %[next], [%[columns], #44]\n\t"
#define AU_CLAMP(values) "vmax.s8 " values ", " values ", q4\n\tvmin.s8 " values ", " values ", q5\n\t"

#define AU_MOVE_ON(pointer) "add %[" pointer "], %[" pointer "], %[next]\n\t"

/* Sixteens of channels of output columns from `out` to the end; `under` says where values under the first of them are,
 * less `offset`. */
AU_OUT_OF_LINE static void au_nine_sixteens(au_kind_t kind, au_columns_t *columns, const au_value_t *const *under,
                                            uint32_t offset, au_value_t *out)
{
    const au_value_t *p0 = under[0] + offset;
    const au_value_t *p1 = under[1] + offset;
    const au_value_t *p2 = under[2] + offset;
    const au_value_t *p3 = under[3] + offset;
    const au_value_t *p4 = under[4] + offset;
    const au_value_t *p5 = under[5] + offset;
    const au_value_t *p6 = under[6] + offset;
    const au_value_t *p7 = under[7] + offset;
    const au_value_t *p8 = under[8] + offset;
    au_value_t *next_out = out;
    int32_t next = (int32_t)kind;
    __asm volatile(
        "cmp %[next], #1\n" /* nothing else changes flags */
        "1:\n\t"
        "ldr lr, [%[columns], #20]\n\t"
        "ldr %[next], [%[columns], #16]\n"
        "2:\n\t" AU_SIXTEEN_SUMS "bne 6f\n\t" AU_SIXTEEN_SCALED(
            AU_RIGHT_ALONE,
            AU_SCALED_DOWN) "3:\n\t" AU_SIXTEEN_WHOLE "4:\n\t"
                            "vstrb.8 q0, [%[out]], #16\n\t"
                            "le lr, 2b\n\t"
                            "ldr %[next], [%[columns], #28]\n\t"
                            "cbz %[next], 5f\n\t" AU_MOVE_ON("p0") AU_MOVE_ON("p1") AU_MOVE_ON("p2") AU_MOVE_ON("p3")
                                AU_MOVE_ON("p4") AU_MOVE_ON("p5") AU_MOVE_ON("p6") AU_MOVE_ON("p7")
                                    AU_MOVE_ON("p8") "ldr %[next], [%[columns], #32]\n\t" AU_MOVE_ON(
                                        "out") "5:\n\t"
                                               "ldr %[next], [%[columns], #24]\n\t"
                                               "sub %[next], %[next], %[out]\n\t"
                                               "cbz %[next], 9f\n\t"
                                               "b 1b\n"
                                               "9:\n\t"
                                               "b 10f\n"
                                               "6:\n\t"
                                               "bhs 7f\n\t" AU_SIXTEEN_SCALED(
                                                   AU_RIGHT_AND_LEFT,
                                                   AU_SCALED_UP) "b 3b\n"
                                                                 "7:\n\t"
                                                                 "blt 8f\n\t" AU_SIXTEEN_SCALED(
                                                                     AU_RIGHT_ALONE,
                                                                     AU_SCALED_DOWN_AWAY) "b 3b\n"
                                                                                          "8:\n\t" AU_SIXTEEN_SCALED(
                                                                                              AU_RIGHT_AND_LEFT,
                                                                                              AU_SCALED_AWAY)
                                                                                              AU_SIXTEEN_CLAMPED
        "b 4b\n"
        "10:\n"
        : [p0] "+r"(p0), [p1] "+r"(p1), [p2] "+r"(p2), [p3] "+r"(p3), [p4] "+r"(p4), [p5] "+r"(p5), [p6] "+r"(p6),
          [p7] "+r"(p7), [p8] "+r"(p8), [out] "+r"(next_out), [next] "+l"(next)
        : [columns] "r"(columns)
        : "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "lr", "cc", "memory");
}

#endif

#endif
