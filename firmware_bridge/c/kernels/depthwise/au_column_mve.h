/* One output column of a depthwise convolution (MVE: Cortex-M55): sixteen or eight channels at a time, and two values
 * under the kernel, whose products add up in 16 bits. */
#ifndef AU_COLUMN_MVE_H
#define AU_COLUMN_MVE_H

#include "au_depthwise.h"
#include "au_finish_mve.h"

/* Sums of channels 0, 4, 8, 12; of 2, 6, 10, 14; of 1, 5, 9, 13; of 3, 7, 11, 15: bytes multiply into even and odd
 * lanes, and 16 bits widen into even and odd ones. */
typedef struct {
    int32x4_t s0;
    int32x4_t s2;
    int32x4_t s1;
    int32x4_t s3;
} sixteen_t;

/* Add products of bytes in q6 (even channels) and q4 (odd ones). */
#define ADD_PRODUCTS                  \
    "vmovlb.s16 q5, q6\n\t"           \
    "vadd.i32 %q[s0], %q[s0], q5\n\t" \
    "vmovlt.s16 q6, q6\n\t"           \
    "vadd.i32 %q[s2], %q[s2], q6\n\t" \
    "vmovlb.s16 q5, q4\n\t"           \
    "vadd.i32 %q[s1], %q[s1], q5\n\t" \
    "vmovlt.s16 q4, q4\n\t"           \
    "vadd.i32 %q[s3], %q[s3], q4\n\t"
/* Of the values in q4 and q7 and their weights. */
#define ADD_TWO                        \
    "vldrb.8 q5, [%[weight]], #16\n\t" \
    "vmullb.s8 q6, q4, q5\n\t"         \
    "vmullt.s8 q4, q4, q5\n\t"         \
    "vldrb.8 q5, [%[weight]]\n\t"      \
    "vmullb.s8 q5, q7, q5\n\t"         \
    "vadd.i16 q6, q6, q5\n\t"          \
    "vldrb.8 q5, [%[weight]], #16\n\t" \
    "vmullt.s8 q7, q7, q5\n\t"         \
    "vadd.i16 q4, q4, q7\n\t" ADD_PRODUCTS
#define ADD_ONE                        \
    "vldrb.8 q5, [%[weight]], #16\n\t" \
    "vmullb.s8 q6, q4, q5\n\t"         \
    "vmullt.s8 q4, q4, q5\n\t" ADD_PRODUCTS

static inline sixteen_t biases(const int32_t *fours)
{
    const int32_t *const bias = fours + AU_FOUR_BIASES;
    const sixteen_t sums = {vldrwq_s32(bias), vldrwq_s32(bias + AU_WORDS_OF_FOUR_LANES),
                            vldrwq_s32(bias + (2 * AU_WORDS_OF_FOUR_LANES)),
                            vldrwq_s32(bias + (3 * AU_WORDS_OF_FOUR_LANES))};
    return sums;
}

/* Add the products of `count` values of sixteen channels, each `offset` behind where `under` points. */
static inline sixteen_t add_any(sixteen_t biases, const au_value_t *const *under, uint32_t count, uint32_t offset,
                                const int8_t *weights)
{
    sixteen_t sums = biases;
    const au_value_t *const *next = under;
    const int8_t *weight = weights;
    const au_value_t *first;
    const au_value_t *second;
    __asm volatile("wls lr, %[pairs], 2f\n"
                   "1:\n\t"
                   "ldrd %[first], %[second], [%[next]], #8\n\t"
                   "add %[first], %[first], %[offset]\n\t"
                   "add %[second], %[second], %[offset]\n\t"
                   "vldrb.8 q4, [%[first]]\n\t"
                   "vldrb.8 q7, [%[second]]\n\t" ADD_TWO "le lr, 1b\n"
                   "2:\n\t"
                   "lsls %[first], %[count], #31\n\t"
                   "beq 3f\n\t"
                   "ldr %[first], [%[next]]\n\t"
                   "add %[first], %[first], %[offset]\n\t"
                   "vldrb.8 q4, [%[first]]\n\t" ADD_ONE "3:\n"
                   : [s0] "+w"(sums.s0), [s2] "+w"(sums.s2), [s1] "+w"(sums.s1), [s3] "+w"(sums.s3), [next] "+r"(next),
                     [weight] "+r"(weight), [first] "=&r"(first), [second] "=&r"(second)
                   : [pairs] "r"(count / 2u), [count] "r"(count), [offset] "r"(offset)
                   : "q4", "q5", "q6", "q7", "lr", "cc", "memory");
    return sums;
}

/* Sixteen sums become values. */
static inline void finish(const au_scaling_t *how, sixteen_t sums, const int32_t *fours, au_value_t *out)
{
#if AU_SINGLE_ROUNDING
    const int32x4_t s0 = au_finish_four(*how, sums.s0, fours);
    const int32x4_t s2 = au_finish_four(*how, sums.s2, fours + AU_WORDS_OF_FOUR_LANES);
    const int32x4_t s1 = au_finish_four(*how, sums.s1, fours + (2 * AU_WORDS_OF_FOUR_LANES));
    const int32x4_t s3 = au_finish_four(*how, sums.s3, fours + (3 * AU_WORDS_OF_FOUR_LANES));
    const int16x8_t even = vqmovntq_s32(vqmovnbq_s32(vdupq_n_s16(0), s0), s2);
    const int16x8_t odd = vqmovntq_s32(vqmovnbq_s32(vdupq_n_s16(0), s1), s3);
    int8x16_t values = vqmovntq_s16(vqmovnbq_s16(vdupq_n_s8(0), even), odd);
    values = vmaxq_s8(vminq_s8(values, vdupq_n_s8((int8_t)how->high)), vdupq_n_s8((int8_t)how->low));
    vstrbq_s8(out, values);
#else
    const int32_t *four = fours;
#define OF_SIXTEEN(scaled) scaled("%q[s0]") scaled("%q[s2]") scaled("%q[s1]") scaled("%q[s3]")
#define ANYHOW(s) AU_KNOWN AU_UP(s) AU_AWAY(s) AU_PLACE(s)
#define HELD_DOWN(s) AU_KNOWN_OF_DOWN AU_DOWN(s) "vrshl.s32 " s ", " s ", q5\n\t"
#define STORE "vstrb.8 %q[s0], [%[out]]\n\t"
#define SUMS [s0] "+w"(sums.s0), [s2] "+w"(sums.s2), [s1] "+w"(sums.s1), [s3] "+w"(sums.s3), [four] "+l"(four)
/* From 0 to 255, which are -128 to 127. */
#define FINISH_HELD(scaled)                                               \
    __asm volatile(OF_SIXTEEN(scaled) "vqmovunb.s32 %q[s0], %q[s0]\n\t"   \
                                      "vqmovunt.s32 %q[s0], %q[s2]\n\t"   \
                                      "vqmovunb.s32 %q[s1], %q[s1]\n\t"   \
                                      "vqmovunt.s32 %q[s1], %q[s3]\n\t"   \
                                      "vqmovnb.u16 %q[s0], %q[s0]\n\t"    \
                                      "vqmovnt.u16 %q[s0], %q[s1]\n\t"    \
                                      "vmov.i8 q4, #128\n\t"              \
                                      "veor %q[s0], %q[s0], q4\n\t" STORE \
                   : SUMS                                                 \
                   : [out] "r"(out)                                       \
                   : "q4", "q5", "q6", "q7", "memory")
    if (!how->whole || how->away || how->up) {
        __asm volatile(OF_SIXTEEN(ANYHOW) "vqmovnb.s32 %q[s0], %q[s0]\n\t"
                                          "vqmovnt.s32 %q[s0], %q[s2]\n\t"
                                          "vqmovnb.s32 %q[s1], %q[s1]\n\t"
                                          "vqmovnt.s32 %q[s1], %q[s3]\n\t"
                                          "vqmovnb.s16 %q[s0], %q[s0]\n\t"
                                          "vqmovnt.s16 %q[s0], %q[s1]\n\t"
                                          "vdup.8 q4, %[low]\n\t"
                                          "vdup.8 q5, %[high]\n\t"
                                          "vmax.s8 %q[s0], %q[s0], q4\n\t"
                                          "vmin.s8 %q[s0], %q[s0], q5\n\t" STORE
                       : SUMS
                       : [zero] "r"(how->zero), [low] "r"(how->low), [high] "r"(how->high), [out] "r"(out)
                       : "q4", "q5", "q6", "q7", "memory");
    } else {
        FINISH_HELD(HELD_DOWN);
    }
#endif
}

/* The values under one output column, kernel row by kernel row: where the first channel of each is. */
static inline void find(const au_depthwise_t *conv, const au_value_t *const *rows, int32_t left,
                        const au_value_t **under)
{
    const uint32_t kernel_h = conv->kernel_h;
    const uint32_t kernel_w = conv->kernel_w;
    int32_t column = left;
    for (uint32_t kx = 0; kx < kernel_w; ++kx) {
        const bool inside = (uint32_t)column < conv->in_width;
        const uint32_t offset = (uint32_t)column * conv->in_channels;
        const au_value_t **next = under + kx;
        for (uint32_t ky = 0; ky < kernel_h; ++ky) {
            *next = inside ? (rows[ky] + offset) : conv->outside;
            next += kernel_w;
        }
        column += (int32_t)conv->dilation_w;
    }
}

/* Eight channels of one output column. */
AU_OUT_OF_LINE static void make_eight(const au_depthwise_t *conv, const au_value_t *const *under, uint32_t count,
                                      uint32_t offset, const int32_t *known, au_value_t *out)
{
    const int8_t *weights = (const int8_t *)known;
    const au_value_t *const *next = under;
    const int32_t *const fours = known + (2u * count);
    int32x4_t even = vldrwq_s32(fours + AU_FOUR_BIASES);
    int32x4_t odd = vldrwq_s32(fours + AU_WORDS_OF_FOUR_LANES + AU_FOUR_BIASES);
    for (uint32_t pairs = count / 2u; pairs > 0u; --pairs) {
        const int16x8_t first = vmulq_s16(vldrbq_s16(next[0] + offset), vldrbq_s16(weights));
        const int16x8_t second = vmulq_s16(vldrbq_s16(next[1] + offset), vldrbq_s16(weights + 8));
        const int16x8_t both = vaddq_s16(first, second);
        even = vaddq_s32(even, vmovlbq_s16(both));
        odd = vaddq_s32(odd, vmovltq_s16(both));
        weights += 16;
        next += 2;
    }
    if ((count % 2u) != 0u) {
        const int16x8_t last = vmulq_s16(vldrbq_s16(next[0] + offset), vldrbq_s16(weights));
        even = vaddq_s32(even, vmovlbq_s16(last));
        odd = vaddq_s32(odd, vmovltq_s16(last));
    }
    const au_scaling_t how = au_scaling(conv->fours, conv->out_zero, conv->low, conv->high);
    even = au_finish_four(how, even, fours);
    odd = au_finish_four(how, odd, fours + AU_WORDS_OF_FOUR_LANES);
    const int16x8_t values = vqmovntq_s32(vqmovnbq_s32(vdupq_n_s16(0), even), odd);
    const int16x8_t low = vdupq_n_s16((int16_t)how.low);
    vstrbq_s16(out, vmaxq_s16(vminq_s16(values, vdupq_n_s16((int16_t)how.high)), low));
}

/* How channels are divided: into eights, then sixteens, the last of both overlapping those before where there are too
 * few. Less than sixteen are eights alone. */
typedef struct {
    uint32_t eights;
    uint32_t sixteens;
    uint32_t words_of_eight; /* what is known of them (specialise/vectors.py) */
    uint32_t words_of_sixteen;
} parts_t;

static inline parts_t divide(uint32_t channels, uint32_t count)
{
    const uint32_t rest = channels % 16u;
    const bool few = channels < 16u;
    const parts_t parts = {(few || (rest <= 8u)) ? ((rest + 7u) / 8u) : 0u, few ? 0u : ((channels / 16u) + (rest / 9u)),
                           (2u * count) + (2u * AU_WORDS_OF_FOUR_LANES), (4u * count) + (4u * AU_WORDS_OF_FOUR_LANES)};
    return parts;
}

/* Where eights begin: only those of less than sixteen channels are more than one. */
static inline uint32_t first_of_eights(uint32_t eight, uint32_t channels)
{
    return ((channels < 16u) && (eight == 0u)) ? 0u : (channels - 8u);
}

/* Eights of channels of one output column. */
AU_OUT_OF_LINE static void make_eights(const au_depthwise_t *conv, const au_value_t *const *under, au_value_t *out)
{
    const uint32_t count = (uint32_t)conv->kernel_h * conv->kernel_w;
    const parts_t parts = divide(conv->in_channels, count);
    const int32_t *known = conv->fours + 1;
    for (uint32_t i = 0; i < parts.eights; ++i) {
        const uint32_t first = first_of_eights(i, conv->in_channels);
        make_eight(conv, under, count, first, known, out + first);
        known += parts.words_of_eight;
    }
}

/* Sixteens of them. */
AU_OUT_OF_LINE static void make_sixteens(const au_depthwise_t *conv, const au_value_t *const *under, au_value_t *out)
{
    const au_scaling_t how = au_scaling(conv->fours, conv->out_zero, conv->low, conv->high);
    const uint32_t channels = conv->in_channels;
    const uint32_t count = (uint32_t)conv->kernel_h * conv->kernel_w;
    const parts_t parts = divide(channels, count);
    const int32_t *next = how.fours + (parts.eights * parts.words_of_eight);
    for (uint32_t channel = 0; channel < (16u * parts.sixteens); channel += 16u) {
        const uint32_t first = ((channel + 16u) <= channels) ? channel : (channels - 16u);
        finish(&how, add_any(biases(next + (4u * count)), under, count, first, (const int8_t *)next),
               next + (4u * count), out + first);
        next += (4u * count) + (4u * AU_WORDS_OF_FOUR_LANES);
    }
}

#endif
