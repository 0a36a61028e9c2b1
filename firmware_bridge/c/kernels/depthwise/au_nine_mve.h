/* Output columns of kernels 3 x 3 side by side, sixteen channels at a time (MVE: Cortex-M55): nine pointers walk along
 * the values under a kernel, and another along what is known of the channels, so that every instruction but a few of a
 * column is a vector's. */
#ifndef AU_NINE_MVE_H
#define AU_NINE_MVE_H

#include "au_depthwise.h"
#include "au_finish_mve.h"

/* It needs nearly every register of the core: not there without optimization, with a frame pointer (define
 * AU_WITHOUT_ASSEMBLY then), or always in Clang. Columns are made one by one instead. */
#if !AU_SINGLE_ROUNDING && defined(__OPTIMIZE__) && !defined(__clang__) && !defined(AU_WITHOUT_ASSEMBLY)
#define AU_HAS_NINE

typedef struct {
    const int32_t *known;  /* of the first sixteen channels */
    uint32_t groups;       /* of sixteen */
    const au_value_t *end; /* of the output columns */
    uint32_t apart;        /* from the end of an input column to the next that is wanted */
    int32_t zero;
    int32_t low;
    int32_t high;
    const int32_t *next; /* held here for a while */
    uint32_t out_apart;  /* from the end of these channels of an output column to the next */
} au_columns_t;

/* Products of two values go to q6, of even channels, and q4, of odd ones; sums of four channels each, whose order that
 * of bytes that multiply and halves that widen makes, are q0 to q3. */
#define AU_TWO_OF(first, second)           \
    "vldrb.8 q4, [%[" first "]], #16\n\t"  \
    "vldrb.8 q5, [%[next]], #16\n\t"       \
    "vmullb.s8 q6, q4, q5\n\t"             \
    "vmullt.s8 q4, q4, q5\n\t"             \
    "vldrb.8 q7, [%[" second "]], #16\n\t" \
    "vldrb.8 q5, [%[next]]\n\t"            \
    "vmullb.s8 q5, q7, q5\n\t"             \
    "vadd.i16 q6, q6, q5\n\t"              \
    "vldrb.8 q5, [%[next]], #16\n\t"       \
    "vmullt.s8 q7, q7, q5\n\t"             \
    "vadd.i16 q4, q4, q7\n\t"
#define AU_ONE_OF(value)                  \
    "vldrb.8 q4, [%[" value "]], #16\n\t" \
    "vldrb.8 q5, [%[next]], #16\n\t"      \
    "vmullb.s8 q6, q4, q5\n\t"            \
    "vmullt.s8 q4, q4, q5\n\t"
#define AU_ADD_PRODUCTS       \
    "vmovlb.s16 q5, q6\n\t"   \
    "vadd.i32 q0, q0, q5\n\t" \
    "vmovlt.s16 q6, q6\n\t"   \
    "vadd.i32 q1, q1, q6\n\t" \
    "vmovlb.s16 q5, q4\n\t"   \
    "vadd.i32 q2, q2, q5\n\t" \
    "vmovlt.s16 q4, q4\n\t"   \
    "vadd.i32 q3, q3, q4\n\t"
/* The first four, while registers for sums are free. */
#define AU_FOUR_OF                   \
    "vldrb.8 q4, [%[p0]], #16\n\t"   \
    "vldrb.8 q5, [%[next]], #16\n\t" \
    "vmullb.s8 q6, q4, q5\n\t"       \
    "vmullt.s8 q4, q4, q5\n\t"       \
    "vldrb.8 q7, [%[p1]], #16\n\t"   \
    "vldrb.8 q5, [%[next]], #16\n\t" \
    "vmullb.s8 q0, q7, q5\n\t"       \
    "vadd.i16 q6, q6, q0\n\t"        \
    "vmullt.s8 q7, q7, q5\n\t"       \
    "vadd.i16 q4, q4, q7\n\t"        \
    "vldrb.8 q7, [%[p2]], #16\n\t"   \
    "vldrb.8 q5, [%[next]], #16\n\t" \
    "vmullb.s8 q0, q7, q5\n\t"       \
    "vmullt.s8 q1, q7, q5\n\t"       \
    "vldrb.8 q7, [%[p3]], #16\n\t"   \
    "vldrb.8 q5, [%[next]], #16\n\t" \
    "vmullb.s8 q2, q7, q5\n\t"       \
    "vadd.i16 q2, q2, q0\n\t"        \
    "vmullt.s8 q3, q7, q5\n\t"       \
    "vadd.i16 q3, q3, q1\n\t"        \
    "vmovlb.s16 q0, q6\n\t"          \
    "vmovlt.s16 q1, q6\n\t"          \
    "vmovlb.s16 q5, q2\n\t"          \
    "vadd.i32 q0, q0, q5\n\t"        \
    "vmovlt.s16 q6, q2\n\t"          \
    "vadd.i32 q1, q1, q6\n\t"        \
    "vmovlb.s16 q2, q4\n\t"          \
    "vmovlb.s16 q5, q3\n\t"          \
    "vadd.i32 q2, q2, q5\n\t"        \
    "vmovlt.s16 q6, q3\n\t"          \
    "vmovlt.s16 q3, q4\n\t"          \
    "vadd.i32 q3, q3, q6\n\t"
#define AU_NINE \
    AU_FOUR_OF  \
    AU_TWO_OF("p4", "p5") AU_ADD_PRODUCTS AU_TWO_OF("p6", "p7") AU_ADD_PRODUCTS AU_ONE_OF("p8") AU_ADD_PRODUCTS

/* Four sums are scaled. */
#define AU_BIAS(s) "vldrw.32 q7, [%[next], #24]\n\tvadd.i32 " s ", " s ", q7\n\tvldrw.32 q4, [%[next]], #16\n\t"
#define AU_SHIFTS "vldrb.s32 q5, [%[next]], #4\n\tvldrb.s32 q6, [%[next]], #20\n\t"
#define AU_RIGHT(s) "vrshl.s32 " s ", " s ", q5\n\t"
#define AU_SCALE_DOWN(s) AU_BIAS(s) "vldrb.s32 q5, [%[next]], #24\n\t" AU_DOWN(s) AU_RIGHT(s)
#define AU_SCALE_UP(s) AU_BIAS(s) AU_SHIFTS AU_UP(s) AU_RIGHT(s)
#define AU_SCALE_AWAY(s) AU_BIAS(s) AU_SHIFTS AU_UP(s) AU_AWAY(s) AU_RIGHT(s)
#define AU_SCALE_ALL(scale) scale("q0") scale("q1") scale("q2") scale("q3")

/* Values from 0 to 255, which are -128 to 127, and any. */
#define AU_HELD               \
    "vqmovunb.s32 q0, q0\n\t" \
    "vqmovunt.s32 q0, q1\n\t" \
    "vqmovunb.s32 q2, q2\n\t" \
    "vqmovunt.s32 q2, q3\n\t" \
    "vqmovnb.u16 q0, q0\n\t"  \
    "vqmovnt.u16 q0, q2\n\t"  \
    "vmov.i8 q4, #128\n\t"    \
    "veor q0, q0, q4\n\t"
#define AU_CLAMPED                       \
    "vqmovnb.s32 q0, q0\n\t"             \
    "vqmovnt.s32 q0, q1\n\t"             \
    "vqmovnb.s32 q2, q2\n\t"             \
    "vqmovnt.s32 q2, q3\n\t"             \
    "str %[next], [%[columns], #28]\n\t" \
    "ldr %[next], [%[columns], #16]\n\t" \
    "vdup.16 q4, %[next]\n\t"            \
    "vqadd.s16 q0, q0, q4\n\t"           \
    "vqadd.s16 q2, q2, q4\n\t"           \
    "vqmovnb.s16 q0, q0\n\t"             \
    "vqmovnt.s16 q0, q2\n\t"             \
    "ldr %[next], [%[columns], #20]\n\t" \
    "vdup.8 q4, %[next]\n\t"             \
    "vmax.s8 q0, q0, q4\n\t"             \
    "ldr %[next], [%[columns], #24]\n\t" \
    "vdup.8 q4, %[next]\n\t"             \
    "vmin.s8 q0, q0, q4\n\t"             \
    "ldr %[next], [%[columns], #28]\n\t"

#define AU_MOVE_ON(pointer) "add %[" pointer "], %[" pointer "], %[next]\n\t"
#define AU_COLUMNS(scale, finished)                                                                                  \
    __asm volatile("1:\n\t"                                                                                          \
                   "ldr %[next], [%[columns], #4]\n\t"                                                               \
                   "dls lr, %[next]\n\t"                                                                             \
                   "ldr %[next], [%[columns]]\n"                                                                     \
                   "2:\n\t" AU_NINE AU_SCALE_ALL(scale) finished                                                     \
                   "vstrb.8 q0, [%[out]], #16\n\t"                                                                   \
                   "le lr, 2b\n\t"                                                                                   \
                   "ldr %[next], [%[columns], #8]\n\t"                                                               \
                   "cmp %[out], %[next]\n\t"                                                                         \
                   "beq 3f\n\t"                                                                                      \
                   "ldr %[next], [%[columns], #12]\n\t"                                                              \
                   "cmp %[next], #0\n\t"                                                                             \
                   "beq 1b\n\t" AU_MOVE_ON("p0") AU_MOVE_ON("p1") AU_MOVE_ON("p2") AU_MOVE_ON("p3") AU_MOVE_ON("p4") \
                       AU_MOVE_ON("p5") AU_MOVE_ON("p6") AU_MOVE_ON("p7")                                            \
                           AU_MOVE_ON("p8") "ldr %[next], [%[columns], #32]\n\t" AU_MOVE_ON("out") "b 1b\n"          \
                                                                                                   "3:\n"            \
                   : [p0] "+r"(p0), [p1] "+r"(p1), [p2] "+r"(p2), [p3] "+r"(p3), [p4] "+r"(p4), [p5] "+r"(p5),       \
                     [p6] "+r"(p6), [p7] "+r"(p7), [p8] "+r"(p8), [out] "+r"(next_out), [next] "=&l"(next)           \
                   : [columns] "r"(columns)                                                                          \
                   : "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "lr", "cc", "memory")

/* Output columns from `out` on; `under` says where the values of the first channel under the first of them are. */
AU_OUT_OF_LINE static void au_nine(const au_scaling_t *how, au_columns_t *columns, const au_value_t *const *under,
                                   au_value_t *out)
{
    const au_value_t *p0 = under[0];
    const au_value_t *p1 = under[1];
    const au_value_t *p2 = under[2];
    const au_value_t *p3 = under[3];
    const au_value_t *p4 = under[4];
    const au_value_t *p5 = under[5];
    const au_value_t *p6 = under[6];
    const au_value_t *p7 = under[7];
    const au_value_t *p8 = under[8];
    au_value_t *next_out = out;
    const int32_t *next;
    if (!how->held) {
        AU_COLUMNS(AU_SCALE_AWAY, AU_CLAMPED);
    } else if (how->up) {
        AU_COLUMNS(AU_SCALE_UP, AU_HELD);
    } else {
        AU_COLUMNS(AU_SCALE_DOWN, AU_HELD);
    }
}
#endif

#endif
