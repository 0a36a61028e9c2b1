/* Eight channels of two output columns of a kernel 3 x 3 at a time (MVE: Cortex-M55), a channel for each 16 bits: what
 * remains of sixteens (au_nine_mve.h). */
#ifndef AU_NINE_EIGHT_MVE_H
#define AU_NINE_EIGHT_MVE_H

#include "au_nine_mve.h"

#ifdef AU_HAS_NINE
/* Sums of the first column are q4, of the second q5, quarters q1 and q3. A row's pointer moves from the first column to
 * the second, and `on` from there. */
#define AU_EIGHT_FIRST(row) "vldrb.s16 q6, [%[next]], #8\n\tvldrb.s16 q7, [%[" row "]]\n\t"
#define AU_EIGHT_SECOND(row) "add %[" row "], %[" row "], %[apart]\n\tvldrb.s16 q7, [%[" row "]]\n\t"
#define AU_EIGHT_ON(row, on) "add %[" row "], %[" row "], %[" on "]\n\t"
#define AU_EIGHT_PRODUCTS(to) "vmul.i16 " to ", q7, q6\n\t"
#define AU_EIGHT_OF(row, on, one, other) \
    AU_EIGHT_FIRST(row) AU_EIGHT_PRODUCTS(one) AU_EIGHT_SECOND(row) AU_EIGHT_PRODUCTS(other) AU_EIGHT_ON(row, on)
#define AU_EIGHT_MORE(row, on, one, other) \
    AU_EIGHT_FIRST(row)                    \
    AU_EIGHT_PRODUCTS("q7")                \
    AU_ADD(one, "q7") AU_EIGHT_SECOND(row) AU_EIGHT_PRODUCTS("q7") AU_ADD(other, "q7") AU_EIGHT_ON(row, on)
#define AU_EIGHT_SUMS                       \
    AU_EIGHT_OF("r0", "on", "q4", "q5")     \
    AU_EIGHT_MORE("r0", "on", "q4", "q5")   \
    AU_EIGHT_OF("r0", "back", "q0", "q2")   \
    AU_EIGHT_MORE("r1", "on", "q0", "q2")   \
    AU_HALVE("q1", "q4", "q0")              \
    AU_ADD("q4", "q0")                      \
    AU_HALVE("q3", "q5", "q2")              \
    AU_ADD("q5", "q2")                      \
    AU_EIGHT_OF("r1", "on", "q0", "q2")     \
    AU_EIGHT_MORE("r1", "back", "q0", "q2") \
    AU_ADD("q4", "q0")                      \
    AU_ADD("q5", "q2")                      \
    AU_EIGHT_FIRST("r2")                    \
    AU_EIGHT_PRODUCTS("q7")                 \
    AU_ADD("q4", "q7")                      \
    AU_HALVE("q0", "q0", "q7")              \
    AU_HALVE("q1", "q1", "q0")              \
    AU_EIGHT_SECOND("r2")                   \
    AU_EIGHT_PRODUCTS("q7")                 \
    AU_ADD("q5", "q7")                      \
    AU_HALVE("q2", "q2", "q7")              \
    AU_HALVE("q3", "q3", "q2")              \
    AU_EIGHT_ON("r2", "on")                 \
    AU_EIGHT_MORE("r2", "on", "q4", "q5")   \
    AU_EIGHT_MORE("r2", "back", "q4", "q5") AU_JOIN("q4", "q0", "q1") AU_JOIN("q5", "q2", "q3")

/* Four channels of each column. */
#define AU_EIGHT_FOUR(one, other, shifts, scaled) \
    AU_BIASES AU_BIAS(one) AU_BIAS(other) AU_MULTIPLIERS shifts scaled(one) scaled(other)
#define AU_EIGHT_SCALED(shifts, scaled)       \
    AU_EIGHT_FOUR("q0", "q2", shifts, scaled) \
    AU_EIGHT_FOUR("q1", "q3", shifts, scaled)
#define AU_EIGHT_WHOLE              \
    "vqmovnb.s32 q0, q0\n\t"        \
    "vqmovnt.s32 q0, q1\n\t"        \
    "vqmovnb.s32 q2, q2\n\t"        \
    "vqmovnt.s32 q2, q3\n\t"        \
    "vldrw.32 q4, [%[columns]]\n\t" \
    "vqadd.s16 q0, q0, q4\n\t"      \
    "vqadd.s16 q2, q2, q4\n\t"      \
    "vqmovnb.s16 q0, q0\n\t"        \
    "vqmovnb.s16 q2, q2\n\t"
#define AU_EIGHT_CLAMPED AU_EIGHT_WHOLE AU_CLAMPS AU_CLAMP("q0") AU_CLAMP("q2")

/* Pairs of columns, none of which has anything under its kernel that lies outside; `tap` is from an input column to the
 * next under a kernel. */
AU_OUT_OF_LINE static void au_nine_eights(au_kind_t kind, au_columns_t *columns, const au_value_t *const *under,
                                          uint32_t offset, uint32_t tap, au_value_t *out)
{
    const au_value_t *r0 = under[0] + offset;
    const au_value_t *r1 = under[3] + offset;
    const au_value_t *r2 = under[6] + offset;
    const uint32_t on = tap - columns->apart;
    const uint32_t back = columns->apart - (2u * tap);
    au_value_t *next_out = out;
    const int32_t *next;
    __asm volatile(
        "ldr %[next], [%[columns], #20]\n\t"
        "dls lr, %[next]\n\t"
        "cmp %[kind], #1\n" /* nothing else changes flags */
        "1:\n\t"
        "ldr %[next], [%[columns], #16]\n\t" AU_EIGHT_SUMS "bne 3f\n\t" AU_EIGHT_SCALED(AU_RIGHT_ALONE, AU_SCALED_DOWN)
            AU_EIGHT_WHOLE "2:\n\t"
                           "ldr %[next], [%[columns], #32]\n\t"
                           "vstrb.16 q0, [%[out]]\n\t"
                           "add %[out], %[out], %[next]\n\t"
                           "vstrb.16 q2, [%[out]]\n\t"
                           "add %[out], %[out], %[next]\n\t"
                           "le lr, 1b\n\t"
                           "b 4f\n"
                           "3:\n\t" AU_EIGHT_SCALED(AU_RIGHT_AND_LEFT, AU_SCALED_AWAY) AU_EIGHT_CLAMPED "b 2b\n"
                                                                                                        "4:\n"
        : [r0] "+l"(r0), [r1] "+l"(r1), [r2] "+l"(r2), [out] "+l"(next_out), [next] "=&l"(next)
        : [columns] "r"(columns), [apart] "r"(columns->apart), [on] "r"(on), [back] "r"(back), [kind] "r"(kind)
        : "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "lr", "cc", "memory");
}
#endif

#endif
