/* Blocks with two weights in one half word: 128 + w0 in the low byte, without a sign, and w1 in the high one; a word of
 * zeros fills up.
 *
 * The half as it is, 256 w1 + w0 + 128, goes into the sum of channel 0, and the high byte alone into the sum of channel
 * 1, so that only one of the two needs unpacking. Then s0 = a - 256 s1 - 128 x, where x sums the values and is shared
 * by all channels. Sums may wrap on the way: arithmetic is modulo 2^32 throughout, and the results are proven to fit.
 * The core's header has au_column_t, AU_GROUP and au_unpack. */
#ifndef AU_PACKED_H
#define AU_PACKED_H

#include "au_rescale.h"

/* Kernel values are filled up with zeros to whole groups. */
#define AU_FILLED(count) (((count) + 3u) & ~3u)

/* The sum of values under an output column is needed: `x` above. */
#define AU_WANTS_SUMS true

/* Consecutive kernel values, and the values of two columns that go with them. */
typedef struct {
    const au_column_t *values[2];
    uint32_t count;
} au_piece_t;

/* What is known of two channels, in words (specialise/convolution.py): the first's bias plus 256 times the second's,
 * the second's bias, then of each two words that au_rescale.h wants, and how either is scaled, the second in the second
 * byte. */
enum { AU_BOTH = 0, AU_SECOND = 1, AU_SCALE = 2, AU_SECOND_SCALE = 4, AU_HOW = 6, AU_WORDS_OF_PAIR = 7 };

static inline void au_store4(void *to, uint32_t word)
{
    (void)memcpy(to, &word, sizeof(word));
}

/* `count` values; `to` lies before `from` where they overlap. */
static inline void au_move(au_column_t *to, const au_column_t *from, uint32_t count)
{
    const uint32_t in_a_word = 4u / sizeof(au_column_t);
    const au_column_t *const end = from + count;
    const au_column_t *const fours = from + (count & ~((4u * in_a_word) - 1u));
    for (; from != fours; from += 4u * in_a_word) {
        const uint32_t a = au_load4(from);
        const uint32_t b = au_load4(from + in_a_word);
        const uint32_t c = au_load4(from + (2u * in_a_word));
        const uint32_t d = au_load4(from + (3u * in_a_word));
        au_store4(to, a);
        au_store4(to + in_a_word, b);
        au_store4(to + (2u * in_a_word), c);
        au_store4(to + (3u * in_a_word), d);
        to += 4u * in_a_word;
    }
    for (; from != end; ++from) {
        *to = *from;
        ++to;
    }
}

/* Add one piece; returns where the weights of the next one are. */
#ifdef AU_IN_ASSEMBLY
/* Groups that take `left` bytes of weights in all, eight each: one if they are odd, two if the twos are, and the rest
 * by fours. A shift puts one bit of their number into the sign and the next into the carry. */
#define AU_GROUPS(group)                                              \
    "lsls %[a], %[left], #28\n\t"                                     \
    "bpl 1f\n\t" group "1:\n\t"                                       \
    "bcc 2f\n\t" group group "2:\n\t"                                 \
    "subs %[left], %[left], #32\n\t"                                  \
    "blt 4f\n"                                                        \
    "3:\n\t" group group group group "subs %[left], %[left], #32\n\t" \
    "bge 3b\n"                                                        \
    "4:\n\t"

static inline const int8_t *au_accumulate(au_block_t *block, const au_piece_t *piece, const int8_t *weights)
{
    const au_column_t *x0 = piece->values[0];
    const au_column_t *x1 = piece->values[1];
    const int8_t *w = weights;
    uint32_t left = 2u * piece->count;
    uint32_t a;
    uint32_t b;
    uint32_t c;
    uint32_t d;
    uint32_t x;
    uint32_t y;
    __asm volatile(AU_GROUPS(AU_GROUP)
                   : [s00] "+r"(block->s00), [s01] "+r"(block->s01), [s10] "+r"(block->s10), [s11] "+r"(block->s11),
                     [x0] "+r"(x0), [x1] "+r"(x1), [w] "+r"(w), [left] "+r"(left), [a] "=&r"(a), [b] "=&r"(b),
                     [c] "=&r"(c), [d] "=&r"(d), [x] "=&r"(x), [y] "=&r"(y)
                   :
                   : "cc", "memory");
    return w;
}
#else
/* Add four values of one column times four weights of two channels: both as they are, and the second's unpacked. */
static inline void au_add_group(int32_t *first, int32_t *second, const au_column_t *values, const uint32_t both[2],
                                const int32_t unpacked[2])
{
    int32_t words[2];
    au_unpack(values, words);
    for (uint32_t i = 0; i < 2u; ++i) {
        *first = __smlad(words[i], (int32_t)both[i], *first);
        *second = __smlad(words[i], unpacked[i], *second);
    }
}

static inline const int8_t *au_accumulate(au_block_t *block, const au_piece_t *piece, const int8_t *weights)
{
    const int8_t *w = weights;
    for (uint32_t i = 0; i < piece->count; i += 4u) {
        const uint32_t both[2] = {au_load4(w), au_load4(w + 4)};
        const int32_t unpacked[2] = {au_odd(both[0]), au_odd(both[1])};
        au_add_group(&block->s00, &block->s01, piece->values[0] + i, both, unpacked);
        au_add_group(&block->s10, &block->s11, piece->values[1] + i, both, unpacked);
        w += 8;
    }
    return w;
}
#endif

/* Sums of two channels become values where one of both is no shift to the right. */
AU_OUT_OF_LINE static void au_finish_any(int32_t sums[4], const int32_t *pair, int32_t zero)
{
    const int32_t how = pair[AU_HOW] & 0xFF;
    const int32_t second_how = (int32_t)((uint32_t)pair[AU_HOW] >> 8);
    sums[0] = au_rescale_any(sums[0], pair + AU_SCALE, how, zero);
    sums[1] = au_rescale_any(sums[1], pair + AU_SCALE, how, zero);
    sums[2] = au_rescale_any(sums[2], pair + AU_SECOND_SCALE, second_how, zero);
    sums[3] = au_rescale_any(sums[3], pair + AU_SECOND_SCALE, second_how, zero);
}

/* Sums become values, in place. */
static inline void au_finish(const au_row_t *row, const int32_t *pair, au_block_t *block)
{
    const uint32_t how = (uint32_t)pair[AU_HOW];
    if (au_any_but_right(how)) {
        int32_t sums[4] = {block->s00, block->s10, block->s01, block->s11};
        au_finish_any(sums, pair, row->zero);
        block->s00 = sums[0];
        block->s10 = sums[1];
        block->s01 = sums[2];
        block->s11 = sums[3];
    } else {
        const int32_t first = (int32_t)(how & 0xFFu);
        const int32_t second = (int32_t)(how >> 8);
        block->s00 = au_rescale_right(block->s00, block->s00 * 2, pair + AU_SCALE, first, row->zero);
        block->s10 = au_rescale_right(block->s10, block->s10 * 2, pair + AU_SCALE, first, row->zero);
        block->s01 = au_rescale_right(block->s01, block->s01 * 2, pair + AU_SECOND_SCALE, second, row->zero);
        block->s11 = au_rescale_right(block->s11, block->s11 * 2, pair + AU_SECOND_SCALE, second, row->zero);
    }
    if (row->saturate) {
        block->s00 = au_saturate(block->s00);
        block->s10 = au_saturate(block->s10);
        block->s01 = au_saturate(block->s01);
        block->s11 = au_saturate(block->s11);
    } else {
        block->s00 = au_clamp(block->s00, row->low, row->high);
        block->s10 = au_clamp(block->s10, row->low, row->high);
        block->s01 = au_clamp(block->s01, row->low, row->high);
        block->s11 = au_clamp(block->s11, row->low, row->high);
    }
}

/* A quarter of two sums, to nearest, halves away from zero: floor((sum + 2 - negative) / 4). */
static inline uint32_t au_quarter(uint32_t sums)
{
    const int32_t negative = (int32_t)((sums >> 15) & 0x00010001u);
    const int32_t half = __shadd16((int32_t)sums, __ssub16(0x00020002, negative));
    return (uint32_t)__shadd16(half, 0);
}

static inline void au_pool(const au_block_t *block, bool first, uint32_t *sum, au_value_t *out)
{
    const uint32_t pair = au_halves(block->s00 + block->s10, block->s01 + block->s11);
    if (first) {
        *sum = pair;
    } else {
        const uint32_t mean = au_quarter((uint32_t)__sadd16((int32_t)*sum, (int32_t)pair));
        out[0] = (au_value_t)(int8_t)mean;
        out[1] = (au_value_t)(int8_t)(mean >> 16);
    }
}

/* All channels of two columns whose values sum to `sums`. */
static inline void au_two_columns(const au_conv_t *conv, const au_piece_t *pieces, const au_piece_t *last,
                                  const int32_t sums[2], const au_row_t *how, const au_place_t *place)
{
    const au_row_t row = *how;
    const uint32_t channels = conv->out_channels;
    const uint32_t excess0 = (uint32_t)sums[0] * 128u;
    const uint32_t excess1 = (uint32_t)sums[1] * 128u;
    const int32_t *pair = conv->pairs;
    const int8_t *weights = conv->weights;
    au_value_t *out = place->out;
    au_value_t *beside = place->beside;
    uint32_t *sum = place->sums;
    for (uint32_t channel = 0; channel < channels; channel += 2u) {
        const uint32_t both = (uint32_t)pair[AU_BOTH];
        au_block_t block = {(int32_t)(both - excess0), pair[AU_SECOND], (int32_t)(both - excess1), pair[AU_SECOND]};
        const au_piece_t *piece = pieces;
        do {
            weights = au_accumulate(&block, piece, weights);
            ++piece;
        } while (piece != last);
        block.s00 = (int32_t)((uint32_t)block.s00 - ((uint32_t)block.s01 * 256u));
        block.s10 = (int32_t)((uint32_t)block.s10 - ((uint32_t)block.s11 * 256u));
        au_finish(&row, pair, &block);
        if (sum != NULL) {
            au_pool(&block, row.first, sum, out);
            ++sum;
        } else {
            out[0] = (au_value_t)block.s00;
            beside[0] = (au_value_t)block.s10;
            if ((channel + 1u) < channels) {
                out[1] = (au_value_t)block.s01;
                beside[1] = (au_value_t)block.s11;
            }
        }
        out += 2;
        beside += 2;
        pair += AU_WORDS_OF_PAIR;
    }
}

#endif
