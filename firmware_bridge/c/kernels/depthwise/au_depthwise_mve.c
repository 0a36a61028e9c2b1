/* Depthwise convolution for cores with vectors (MVE: Cortex-M55): sixteen channels at a time, and two values under the
 * kernel, whose products add up in 16 bits. */
#include "au_depthwise.h"
#include "au_finish_mve.h"
#include "au_nine_mve.h"

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

/* Add the products of `count` values of the first `there` channels, each `offset` behind where `under` points. */
static inline sixteen_t add_any(sixteen_t biases, const au_value_t *const *under, uint32_t count, uint32_t offset,
                                uint32_t there, const int8_t *weights)
{
    sixteen_t sums = biases;
    const au_value_t *const *next = under;
    const int8_t *weight = weights;
    const au_value_t *first;
    const au_value_t *second;
    __asm volatile("vctp.8 %[there]\n\t"
                   "wls lr, %[pairs], 2f\n"
                   "1:\n\t"
                   "ldrd %[first], %[second], [%[next]], #8\n\t"
                   "add %[first], %[first], %[offset]\n\t"
                   "add %[second], %[second], %[offset]\n\t"
                   "vpstt\n\t"
                   "vldrbt.8 q4, [%[first]]\n\t"
                   "vldrbt.8 q7, [%[second]]\n\t" ADD_TWO "le lr, 1b\n"
                   "2:\n\t"
                   "lsls %[first], %[count], #31\n\t"
                   "beq 3f\n\t"
                   "ldr %[first], [%[next]]\n\t"
                   "add %[first], %[first], %[offset]\n\t"
                   "vpst\n\t"
                   "vldrbt.8 q4, [%[first]]\n\t" ADD_ONE "3:\n"
                   : [s0] "+w"(sums.s0), [s2] "+w"(sums.s2), [s1] "+w"(sums.s1), [s3] "+w"(sums.s3), [next] "+r"(next),
                     [weight] "+r"(weight), [first] "=&r"(first), [second] "=&r"(second)
                   : [there] "r"(there), [pairs] "r"(count / 2u), [count] "r"(count), [offset] "r"(offset)
                   : "q4", "q5", "q6", "q7", "lr", "cc", "memory");
    return sums;
}

/* Sixteen sums become values; the first `there` exist. */
static inline void finish(const au_scaling_t *how, sixteen_t sums, const int32_t *fours, uint32_t there,
                          au_value_t *out)
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
    vstrbq_p_s8(out, values, vctp8q(there));
#else
    const int32_t *four = fours;
#define OF_SIXTEEN(scaled) scaled("%q[s0]") scaled("%q[s2]") scaled("%q[s1]") scaled("%q[s3]")
#define ANYHOW(s) AU_KNOWN AU_UP(s) AU_AWAY(s) AU_PLACE(s)
#define HELD_UP(s) AU_KNOWN AU_UP(s) "vrshl.s32 " s ", " s ", q5\n\t"
#define HELD_DOWN(s) AU_KNOWN_OF_DOWN AU_DOWN(s) "vrshl.s32 " s ", " s ", q5\n\t"
#define STORE             \
    "vctp.8 %[there]\n\t" \
    "vpst\n\t"            \
    "vstrbt.8 %q[s0], [%[out]]\n\t"
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
                   : [there] "r"(there), [out] "r"(out)                   \
                   : "q4", "q5", "q6", "q7", "memory")
    if (!how->held) {
        __asm volatile(
            OF_SIXTEEN(ANYHOW) "vqmovnb.s32 %q[s0], %q[s0]\n\t"
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
            : [zero] "r"(how->zero), [low] "r"(how->low), [high] "r"(how->high), [there] "r"(there), [out] "r"(out)
            : "q4", "q5", "q6", "q7", "memory");
    } else if (how->up) {
        FINISH_HELD(HELD_UP);
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

/* The first channel of sixteen: the last sixteen overlap those before them. */
static inline uint32_t first_of(uint32_t channel, uint32_t channels)
{
    return ((channel + 16u) <= channels) ? channel : ((channels < 16u) ? 0u : (channels - 16u));
}

/* One output column. */
AU_OUT_OF_LINE static void make(const au_depthwise_t *conv, const au_scaling_t *scaling, const au_value_t *const *under,
                                au_value_t *out)
{
    const au_scaling_t how = *scaling;
    const uint32_t channels = conv->in_channels;
    const uint32_t count = (uint32_t)conv->kernel_h * conv->kernel_w;
    const int32_t *known = how.fours;
    for (uint32_t channel = 0; channel < channels; channel += 16u) {
        const uint32_t first = first_of(channel, channels);
        const int8_t *const weights = (const int8_t *)known;
        known += 4u * count;
        finish(&how, add_any(biases(known), under, count, first, channels, weights), known, channels, out + first);
        known += 4u * AU_WORDS_OF_FOUR_LANES;
    }
}

#ifdef AU_HAS_NINE
/* How many of `left` output columns, the first of which begins at `column`, lie inside; one if that does not. */
static inline uint32_t alike(const au_depthwise_t *conv, int32_t column, uint32_t left)
{
    const int32_t end = (int32_t)conv->in_width - (2 * (int32_t)conv->dilation_w);
    uint32_t columns = 1;
    if ((column >= 0) && (column < end)) {
        const uint32_t inside = (((uint32_t)(end - column) - 1u) / conv->stride_w) + 1u;
        columns = (inside < left) ? inside : left;
    }
    return columns;
}

/* find() for kernels of 3 x 3. */
static inline void find_nine(const au_depthwise_t *conv, const au_value_t *const *rows, int32_t left,
                             const au_value_t **under)
{
    int32_t column = left;
    for (uint32_t kx = 0; kx < 3u; ++kx) {
        const bool inside = (uint32_t)column < conv->in_width;
        const uint32_t offset = (uint32_t)column * conv->in_channels;
        under[kx] = inside ? (rows[0] + offset) : conv->outside;
        under[kx + 3u] = inside ? (rows[1] + offset) : conv->outside;
        under[kx + 6u] = inside ? (rows[2] + offset) : conv->outside;
        column += (int32_t)conv->dilation_w;
    }
}

/* The last sixteen channels, some of which are among those before them, of output columns from `out` on; the others are
 * made as `columns` says. */
static inline void make_last(const au_scaling_t *how, au_columns_t *columns, const au_value_t **under, au_value_t *out)
{
    const uint32_t groups = columns->groups;
    const uint32_t rest = columns->out_apart;
    const uint32_t before = (16u * (groups - 1u)) + rest;
    const int32_t *const known = columns->known;
    for (uint32_t i = 0; i < 9u; ++i) {
        under[i] += before;
    }
    columns->known += groups * (36u + (4u * AU_WORDS_OF_FOUR_LANES));
    columns->groups = 1;
    columns->end += rest;
    columns->apart += 16u * (groups - 1u);
    columns->out_apart = before;
    au_nine(how, columns, under, out + before);
    columns->known = known;
    columns->groups = groups;
    columns->apart -= 16u * (groups - 1u);
    columns->out_apart = rest;
}

/* A row of a kernel 3 x 3, for sixteen channels and more. Of eight, two columns side by side are sixteen; weights and
 * scales are there twice. */
AU_OUT_OF_LINE static void row_of_nine(const au_depthwise_t *conv, const au_value_t *const *rows, au_value_t *out)
{
    const au_scaling_t how = au_scaling(conv->fours, conv->out_zero, conv->low, conv->high);
    const au_value_t *under[9];
    const uint32_t channels = conv->in_channels;
    const uint32_t stride = conv->stride_w;
    const bool eight = channels == 8u;
    const uint32_t wide = eight ? 16u : (channels & ~15u);
    const uint32_t rest = channels % (eight ? 8u : 16u);
    au_columns_t columns = {how.fours, wide / 16u, out, eight ? 0u : ((stride * channels) - wide), how.zero, how.low,
                            how.high,  NULL,       rest};
    int32_t left = -(int32_t)conv->pad_left;
    uint32_t x = 0;
    while (x < conv->out_width) {
        au_value_t *const next = out + (x * channels);
        uint32_t made = alike(conv, left, conv->out_width - x);
        find_nine(conv, rows, left, under);
        if (eight && (made == 1u)) {
            make(conv, &how, under, next);
        } else {
            made = eight ? (made & ~1u) : made;
            columns.end = next + (made * channels) - rest;
            au_nine(&how, &columns, under, next);
            if (rest != 0u) {
                make_last(&how, &columns, under, next);
            }
        }
        x += made;
        left += (int32_t)(made * stride);
    }
}
#endif

AU_OUT_OF_LINE static void any_row(const au_depthwise_t *conv, const au_value_t *const *rows, au_value_t *out)
{
    const au_scaling_t how = au_scaling(conv->fours, conv->out_zero, conv->low, conv->high);
    const au_value_t *under[AU_MAX_UNDER];
    int32_t left = -(int32_t)conv->pad_left;
    for (uint32_t x = 0; x < conv->out_width; ++x) {
        find(conv, rows, left, under);
        make(conv, &how, under, out + (x * conv->in_channels));
        left += (int32_t)conv->stride_w;
    }
}

void au_depthwise_mve(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_depthwise_t *const conv = (const au_depthwise_t *)op;
#ifdef AU_HAS_NINE
    const bool eight = (conv->in_channels == 8u) && (conv->stride_w == 1u);
    if ((conv->kernel_h == 3u) && (conv->kernel_w == 3u) && (eight || (conv->in_channels >= 16u))) {
        row_of_nine(conv, rows, out);
    } else
#endif
    {
        any_row(conv, rows, out);
    }
}
