/* What au_conv_paired.c and au_conv_gathered.c share: a row of output is made two columns at a time, all channels of
 * both. The innermost work is a core's own (au_block_*.h). */
#ifndef AU_BLOCK_H
#define AU_BLOCK_H

#include "au_conv.h"

/* Sums of two columns and two channels; the digits are column and channel. */
typedef struct {
    int32_t s00;
    int32_t s01;
    int32_t s10;
    int32_t s11;
} au_block_t;

/* How a row's sums become values, and the pool 2 x 2 that they may go to. */
typedef struct {
    int32_t zero;
    int32_t low;
    int32_t high;
    bool saturate;  /* the range is that of int8: one instruction */
    bool first;     /* row of the pool */
    uint32_t *sums; /* of the pool, two channels in a word; NULL for a convolution alone */
} au_row_t;

/* Where the values of two columns go. */
typedef struct {
    uint32_t *sums; /* of the pool, or NULL */
    au_value_t *out;
    au_value_t *beside; /* `out` itself where the second column does not exist */
} au_place_t;

static inline au_row_t au_row(const au_conv_t *conv, uint32_t *sums, bool first)
{
    const bool saturate = (conv->low == INT8_MIN) && (conv->high == INT8_MAX);
    const au_row_t row = {conv->out_zero, conv->low, conv->high, saturate, first, sums};
    return row;
}

/* Of the first two columns. */
static inline au_place_t au_first_place(const au_conv_t *conv, const au_row_t *row, au_value_t *out)
{
    const au_place_t place = {row->sums, out, out + conv->out_channels};
    return place;
}

/* From two columns to the next two. */
static inline void au_next_place(const au_conv_t *conv, au_place_t *place)
{
    const uint32_t channels = conv->out_channels;
    const bool pooled = place->sums != NULL;
    place->out += pooled ? channels : (2u * channels);
    place->beside = place->out + channels;
    if (pooled) {
        place->sums += channels / 2u;
    }
}

static inline bool au_inside(const au_conv_t *conv, int32_t column)
{
    return (column >= 0) && (column < (int32_t)conv->in_width);
}

#endif
