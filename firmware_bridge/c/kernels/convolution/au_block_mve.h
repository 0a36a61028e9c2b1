/* Blocks for cores with vectors (MVE: Cortex-M55): sixteen values of a column times sixteen weights of a channel at a
 * time. Channels come in fours, the weights of one behind all those of another, in the order 0, 2, 1, 3: two at a time
 * fill every second lane of a vector. */
#ifndef AU_BLOCK_MVE_H
#define AU_BLOCK_MVE_H

#include <arm_mve.h>

#include "au_block.h"
#include "au_finish_mve.h"

typedef int8_t au_column_t;

#define AU_COLUMN(count) (count)
#define AU_FILLED(count) (count)
#define AU_WANTS_SUMS false

/* Consecutive kernel values, and the values of two columns that go with them. */
typedef struct {
    const au_column_t *values[2];
    uint32_t count;
} au_piece_t;

static inline void au_sum_up(const au_piece_t *pieces, const au_piece_t *last, int32_t sums[2])
{
    (void)pieces;
    (void)last;
    (void)sums;
}

/* `count` values; `to` lies before `from` where they overlap. */
static inline void au_move(int8_t *to, const int8_t *from, uint32_t count)
{
    int8_t *next = to;
    const int8_t *source = from;
    __asm volatile("wlstp.8 lr, %[count], 2f\n"
                   "1:\n\t"
                   "vldrb.8 q0, [%[source]], #16\n\t"
                   "vstrb.8 q0, [%[next]], #16\n\t"
                   "letp lr, 1b\n"
                   "2:\n"
                   : [next] "+r"(next), [source] "+r"(source)
                   : [count] "r"(count)
                   : "q0", "lr", "memory");
}

/* `count` values of a row go into a column. Returns the end of the column so far. */
static inline int8_t *au_take(int8_t *to, const int8_t *from, uint32_t count, int32_t *sum)
{
    (void)sum;
    au_move(to, from, count);
    return to + count;
}

/* Lanes 0 and 2, and lanes 1 and 3: an instruction each, where an initializer goes through memory,
 * and before what comes next, which wants the registers. */
static inline int32x4_t au_even_lanes(int32_t a, int32_t c)
{
    int32x4_t lanes;
    __asm volatile("vmov %q[lanes][2], %q[lanes][0], %[a], %[c]" : [lanes] "=w"(lanes) : [a] "r"(a), [c] "r"(c));
    return lanes;
}

static inline int32x4_t au_odd_lanes(int32x4_t even, int32_t b, int32_t d)
{
    int32x4_t lanes = even;
    __asm volatile("vmov %q[lanes][3], %q[lanes][1], %[b], %[d]" : [lanes] "+w"(lanes) : [b] "r"(b), [d] "r"(d));
    return lanes;
}

/* Sums of two columns and two channels over `pieces`; each channel has `filled` weights. The loop's tail masks what
 * lies behind the end. */
static inline au_block_t au_block(const au_piece_t *pieces, const au_piece_t *last, const int8_t *weights,
                                  uint32_t filled)
{
    const int8_t *w0 = weights;
    const int8_t *w1 = weights + filled;
    au_block_t block = {0, 0, 0, 0};
    for (const au_piece_t *piece = pieces; piece != last; ++piece) {
        const int8_t *x0 = piece->values[0];
        const int8_t *x1 = piece->values[1];
        const int8_t *v0 = w0;
        const int8_t *v1 = w1;
        w0 += piece->count;
        w1 += piece->count;
        __asm volatile("wlstp.8 lr, %[count], 2f\n"
                       "1:\n\t"
                       "vldrb.8 q0, [%[x0]], #16\n\t"
                       "vldrb.8 q2, [%[w0]], #16\n\t"
                       "vmladava.s8 %[s00], q0, q2\n\t"
                       "vldrb.8 q1, [%[x1]], #16\n\t"
                       "vmladava.s8 %[s10], q1, q2\n\t"
                       "vldrb.8 q3, [%[w1]], #16\n\t"
                       "vmladava.s8 %[s01], q0, q3\n\t"
                       "vmladava.s8 %[s11], q1, q3\n\t"
                       "letp lr, 1b\n"
                       "2:\n"
                       : [s00] "+Te"(block.s00), [s01] "+Te"(block.s01), [s10] "+Te"(block.s10), [s11] "+Te"(block.s11),
                         [x0] "+r"(x0), [x1] "+r"(x1), [w0] "+r"(v0), [w1] "+r"(v1)
                       : [count] "r"(piece->count)
                       : "q0", "q1", "q2", "q3", "lr", "memory");
    }
    return block;
}

/* Sums of two columns and four channels. */
typedef struct {
    int32x4_t here;
    int32x4_t beside;
} au_four_t;

static inline au_four_t au_sums(const au_piece_t *pieces, const au_piece_t *last, const int8_t *weights,
                                uint32_t filled)
{
    au_block_t block = au_block(pieces, last, weights, filled);
    au_four_t four = {au_even_lanes(block.s00, block.s01), au_even_lanes(block.s10, block.s11)};
    block = au_block(pieces, last, weights + (2u * filled), filled);
    four.here = au_odd_lanes(four.here, block.s00, block.s01);
    four.beside = au_odd_lanes(four.beside, block.s10, block.s11);
    return four;
}

/* The same of no more than sixteen values, followed by zeros, and as many weights, behind which others may lie. */
#define AU_SUMS_OF_FEW                                    \
    "vldrb.8 q4, [%[weight]]\n\t"                         \
    "add %[weight], %[weight], %[filled]\n\t"             \
    "vldrb.8 q5, [%[weight]]\n\t"                         \
    "add %[weight], %[weight], %[filled]\n\t"             \
    "vmladav.s8 %[s0], %q[x0], q4\n\t"                    \
    "vmladav.s8 %[s1], %q[x0], q5\n\t"                    \
    "vmov %q[here][2], %q[here][0], %[s0], %[s1]\n\t"     \
    "vmladav.s8 %[s0], %q[x1], q4\n\t"                    \
    "vmladav.s8 %[s1], %q[x1], q5\n\t"                    \
    "vldrb.8 q4, [%[weight]]\n\t"                         \
    "add %[weight], %[weight], %[filled]\n\t"             \
    "vldrb.8 q5, [%[weight]]\n\t"                         \
    "add %[weight], %[weight], %[filled]\n\t"             \
    "vmov %q[beside][2], %q[beside][0], %[s0], %[s1]\n\t" \
    "vmladav.s8 %[s0], %q[x0], q4\n\t"                    \
    "vmladav.s8 %[s1], %q[x0], q5\n\t"                    \
    "vmov %q[here][3], %q[here][1], %[s0], %[s1]\n\t"     \
    "vmladav.s8 %[s0], %q[x1], q4\n\t"                    \
    "vmladav.s8 %[s1], %q[x1], q5\n\t"                    \
    "vmov %q[beside][3], %q[beside][1], %[s0], %[s1]\n\t"

/* Sums become values. */
static inline au_four_t au_finish_columns(au_scaling_t how, au_four_t sums, const int32_t *four)
{
    au_four_t values = sums;
#if AU_SINGLE_ROUNDING
    const int32x4_t bias = vldrwq_s32(four + AU_FOUR_BIASES);
    values.here = au_finish_four(how, vaddq_s32(values.here, bias), four);
    values.here = vmaxq_s32(vminq_s32(values.here, vdupq_n_s32(how.high)), vdupq_n_s32(how.low));
    values.beside = au_finish_four(how, vaddq_s32(values.beside, bias), four);
    values.beside = vmaxq_s32(vminq_s32(values.beside, vdupq_n_s32(how.high)), vdupq_n_s32(how.low));
#else
    const int32_t *next = four;
#define AU_EACH(lines) lines("%q[here]") lines("%q[beside]")
#define AU_COLUMNS_AWAY AU_KNOWN AU_EACH(AU_UP) AU_EACH(AU_AWAY)
#define AU_COLUMNS_UP AU_KNOWN AU_EACH(AU_UP)
#define AU_COLUMNS_DOWN AU_KNOWN_OF_DOWN AU_EACH(AU_DOWN)
#define AU_BEFORE_LIMITS(scaled)                     \
    "vldrw.32 q7, [%[four], #24]\n\t"                \
    "vadd.i32 %q[here], %q[here], q7\n\t"            \
    "vadd.i32 %q[beside], %q[beside], q7\n\t" scaled \
    AU_EACH(AU_PLACE)
#define AU_LIMITS(low, high)                  \
    "vdup.32 q4, " high "\n\t"                \
    "vdup.32 q5, " low "\n\t"                 \
    "vmin.s32 %q[here], %q[here], q4\n\t"     \
    "vmax.s32 %q[here], %q[here], q5\n\t"     \
    "vmin.s32 %q[beside], %q[beside], q4\n\t" \
    "vmax.s32 %q[beside], %q[beside], q5\n\t"
#define AU_FINISH_COLUMNS(scaled)                                                              \
    __asm volatile(AU_BEFORE_LIMITS(scaled) AU_LIMITS("%[low]", "%[high]")                     \
                   : [here] "+w"(values.here), [beside] "+w"(values.beside), [four] "+l"(next) \
                   : [zero] "r"(how.zero), [low] "r"(how.low), [high] "r"(how.high)            \
                   : "q4", "q5", "q6", "q7", "memory")
    if (how.away) {
        AU_FINISH_COLUMNS(AU_COLUMNS_AWAY);
    } else if (how.up) {
        AU_FINISH_COLUMNS(AU_COLUMNS_UP);
    } else {
        AU_FINISH_COLUMNS(AU_COLUMNS_DOWN);
    }
#endif
    return values;
}

/* Add two columns to the pool; its second row makes quarters of the sums, to nearest, halves away from zero. */
static inline void au_pool(int32x4_t columns, bool first, int16_t *sums, int8_t *out, mve_pred16_t there)
{
    if (first) {
        vstrhq_p_s32(sums, columns, there);
    } else {
        const int32x4_t sum = vaddq_s32(columns, vldrhq_z_s32(sums, there));
        const int32x4_t nearest = vaddq_n_s32(vaddq_s32(sum, vshrq_n_s32(sum, 31)), 2);
        vstrbq_p_s32(out, vshrq_n_s32(nearest, 2), there);
    }
}

/* Values of `there` channels go where they belong. */
static inline void au_put(au_four_t values, au_value_t *out, au_value_t *beside, uint32_t there)
{
    __asm volatile("vctp.32 %[there]\n\t"
                   "vpstt\n\t"
                   "vstrbt.32 %q[here], [%[to]]\n\t"
                   "vstrbt.32 %q[beside], [%[to_beside]]\n\t"
                   :
                   : [there] "r"(there), [here] "w"(values.here), [beside] "w"(values.beside), [to] "l"(out),
                     [to_beside] "l"(beside)
                   : "memory");
}

/* All channels of two columns, four at a time. */
static inline void au_store_columns(const au_conv_t *conv, const au_scaling_t *scaling, const au_piece_t *pieces,
                                    const au_piece_t *last, uint32_t filled, const au_place_t *place)
{
    const au_scaling_t how = *scaling;
    const int8_t *weights = conv->weights;
    const int32_t *four = how.fours;
    au_value_t *out = place->out;
    au_value_t *beside = place->beside;
    for (int32_t left = (int32_t)conv->out_channels; left > 0; left -= 4) {
        const au_four_t values = au_finish_columns(how, au_sums(pieces, last, weights, filled), four);
        au_put(values, out, beside, (uint32_t)left);
        out += 4;
        beside += 4;
        weights += 4u * filled;
        four += AU_WORDS_OF_FOUR_LANES;
    }
}

/* The same into a pool. */
static inline void au_pool_columns(const au_conv_t *conv, const au_scaling_t *scaling, const au_piece_t *pieces,
                                   const au_piece_t *last, uint32_t filled, bool first, const au_place_t *place)
{
    const au_scaling_t how = *scaling;
    const int8_t *weights = conv->weights;
    const int32_t *four = how.fours;
    int16_t *sums = (int16_t *)(void *)place->sums;
    au_value_t *out = place->out;
    for (int32_t left = (int32_t)conv->out_channels; left > 0; left -= 4) {
        const au_four_t values = au_finish_columns(how, au_sums(pieces, last, weights, filled), four);
        au_pool(vaddq_s32(values.here, values.beside), first, sums, out, vctp32q((uint32_t)left));
        sums += 4;
        out += 4;
        weights += 4u * filled;
        four += AU_WORDS_OF_FOUR_LANES;
    }
}

static inline void au_two_columns(const au_conv_t *conv, const au_piece_t *pieces, const au_piece_t *last,
                                  const int32_t sums[2], const au_row_t *row, const au_place_t *place)
{
    const au_scaling_t how = au_scaling(conv->pairs, row->zero, row->low, row->high);
    const uint32_t filled = (uint32_t)conv->kernel_h * conv->kernel_w * conv->in_channels;
    (void)sums;
    if (row->sums != NULL) {
        au_pool_columns(conv, &how, pieces, last, filled, row->first, place);
    } else {
        au_store_columns(conv, &how, pieces, last, filled, place);
    }
}

#endif
