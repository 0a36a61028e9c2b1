/* Blocks with two weights in one half word: 128 + w0 in the low byte, without a sign, and w1 in the high one.
 *
 * The half as it is, 256 w1 + w0 + 128, goes into the sum of channel 0, and the high byte alone into the sum of channel 1, so that only
 * one of the two needs unpacking. Then s0 = a - 256 s1 - 128 x, where x sums the values and is shared by all channels. Sums may wrap
 * on the way: arithmetic is modulo 2^32 throughout, and the results are proven to fit. The core's header has AU_GROUP and au_add_values. */
#ifndef AU_PACKED_H
#define AU_PACKED_H

/* Kernel values are filled up with zeros to whole groups. */
#define AU_FILLED(count) (((count) + 3u) & ~3u)

/* `count` values, in words as far as they go; `to` lies before `from` where they overlap. Returns the end of the copy. */
static inline au_value_t *au_copy(au_value_t *to, const au_value_t *from, uint32_t count)
{
    const uint32_t a_word = sizeof(uint32_t) / sizeof(au_value_t);
    uint32_t left = count;
    while (left >= a_word) {
        const uint32_t word = au_load4(from);
        (void)memcpy(to, &word, sizeof(word));
        to += a_word;
        from += a_word;
        left -= a_word;
    }
    while (left != 0u) {
        *to = *from;
        ++to;
        ++from;
        --left;
    }
    return to;
}

/* 128 times the values of each column: what the sum of channel 0 has too much. */
static inline void au_excess(const au_piece_t *pieces, const au_piece_t *last, uint32_t excess[2])
{
    uint32_t first = 0;
    uint32_t second = 0;
    for (const au_piece_t *piece = pieces; piece != last; ++piece) {
        au_add_values(&first, &second, piece);
    }
    excess[0] = first * 128u;
    excess[1] = second * 128u;
}

/* Add one piece; returns where the weights of the next one are. */
static inline const int8_t *au_accumulate(au_block_t *block, const au_piece_t *piece, const int8_t *weights)
{
    const au_value_t *x0 = piece->values[0];
    const au_value_t *x1 = piece->values[1];
    const int8_t *w = weights;
    uint32_t a;
    uint32_t b;
    uint32_t c;
    uint32_t d;
    uint32_t x;
    uint32_t y;
    __asm volatile("sub %[a], %[end], %[w]\n\t"
                   "lsls %[a], %[a], #28\n\t" /* an odd number of groups? */
                   "bpl 1f\n\t" AU_GROUP "cmp %[w], %[end]\n\t"
                   "beq 2f\n"
                   "1:\n\t" AU_GROUP AU_GROUP "cmp %[w], %[end]\n\t"
                   "bne 1b\n"
                   "2:\n"
                   : [s00] "+r"(block->s00), [s01] "+r"(block->s01), [s10] "+r"(block->s10), [s11] "+r"(block->s11), [x0] "+r"(x0),
                     [x1] "+r"(x1), [w] "+r"(w), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [x] "=&r"(x), [y] "=&r"(y)
                   : [end] "r"(weights + (2u * piece->count))
                   : "cc", "memory");
    return w;
}

/* Sums of two columns and two channels over `pieces`; `excess` is that of the columns. */
static inline au_block_t au_block(
    const au_piece_t *pieces, const au_piece_t *last, const int8_t *weights, uint32_t filled, const uint32_t excess[2], int32_t first, int32_t second)
{
    const int8_t *next = weights;
    const uint32_t both = (uint32_t)first + ((uint32_t)second * 256u);
    au_block_t block = {(int32_t)(both - excess[0]), second, (int32_t)(both - excess[1]), second};
    (void)filled;
    for (const au_piece_t *piece = pieces; piece != last; ++piece) {
        next = au_accumulate(&block, piece, next);
    }
    block.s00 = (int32_t)((uint32_t)block.s00 - ((uint32_t)block.s01 * 256u));
    block.s10 = (int32_t)((uint32_t)block.s10 - ((uint32_t)block.s11 * 256u));
    return block;
}

/* Sums of `channel` and `second` become values, in place. */
static inline void au_finish(const au_finish_t *how, au_block_t *block, uint32_t channel, uint32_t second)
{
    const int32_t zero = how->zero;
    const au_scale_t scale = au_scale(how->multiplier, how->shift, channel);
    block->s00 = au_rescale(block->s00, scale) + zero;
    block->s10 = au_rescale(block->s10, scale) + zero;
    const au_scale_t next = au_scale(how->multiplier, how->shift, second);
    block->s01 = au_rescale(block->s01, next) + zero;
    block->s11 = au_rescale(block->s11, next) + zero;
    if (how->saturate) {
        block->s00 = au_saturate(block->s00);
        block->s10 = au_saturate(block->s10);
        block->s01 = au_saturate(block->s01);
        block->s11 = au_saturate(block->s11);
    } else {
        block->s00 = au_clamp(block->s00, how->low, how->high);
        block->s10 = au_clamp(block->s10, how->low, how->high);
        block->s01 = au_clamp(block->s01, how->low, how->high);
        block->s11 = au_clamp(block->s11, how->low, how->high);
    }
}

/* A quarter of two sums, to nearest, halves away from zero: floor((sum + 2 - negative) / 4). */
static inline uint32_t au_quarter(uint32_t sums)
{
    const int32_t negative = (int32_t)((sums >> 15) & 0x00010001u);
    const int32_t half = __shadd16((int32_t)sums, __ssub16(0x00020002, negative));
    return (uint32_t)__shadd16(half, 0);
}

static inline void au_store(const au_block_t *block, uint32_t channel, bool both, au_value_t *out, au_value_t *beside)
{
    out[channel] = (au_value_t)block->s00;
    beside[channel] = (au_value_t)block->s10;
    if (both) {
        out[channel + 1u] = (au_value_t)block->s01;
        beside[channel + 1u] = (au_value_t)block->s11;
    }
}

static inline void au_pool(const au_block_t *block, bool first, uint32_t *sum, au_value_t *out)
{
    const uint32_t pair = ((uint32_t)(block->s00 + block->s10) & 0xFFFFu) | ((uint32_t)(block->s01 + block->s11) << 16);
    if (first) {
        *sum = pair;
    } else {
        const uint32_t mean = au_quarter((uint32_t)__sadd16((int32_t)*sum, (int32_t)pair));
        out[0] = (au_value_t)(int8_t)mean;
        out[1] = (au_value_t)(int8_t)(mean >> 16);
    }
}

/* All channels of two columns; each channel has `filled` weights. */
static inline void au_two_columns(
    const au_conv_t *conv, const au_piece_t *pieces, const au_piece_t *last, uint32_t filled, const au_row_t *how, const au_place_t *place)
{
    const au_row_t here = *how;
    const au_place_t to = *place;
    const uint32_t channels = conv->out_channels;
    const int32_t *const bias = conv->bias;
    const int8_t *weights = conv->weights;
    uint32_t excess[2];
    au_excess(pieces, last, excess);
    for (uint32_t channel = 0; channel < channels; channel += 2u) {
        const bool both = (channel + 1u) < channels;
        const uint32_t second = both ? (channel + 1u) : channel;
        au_block_t block = au_block(pieces, last, weights, filled, excess, bias[channel], bias[second]);
        au_finish(&here.finish, &block, channel, second);
        if (here.sums != NULL) {
            au_pool(&block, here.first, &to.sums[channel / 2u], to.out + channel);
        } else {
            au_store(&block, channel, both, to.out, to.beside);
        }
        weights += 2u * filled;
    }
}

#endif
