/* The innermost work of a convolution: all channels of two columns. Every core has its own (au_block_*.h). */
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

/* Consecutive kernel values, and the values of two columns that go with them. */
typedef struct {
    const au_value_t *values[2];
    uint32_t count;
} au_piece_t;

/* How sums become values. */
typedef struct {
    const int32_t *multiplier; /* by channel */
    const int8_t *shift;
    int32_t zero;
    int32_t low;
    int32_t high;
    bool saturate; /* the range is that of int8: one instruction */
} au_finish_t;

/* What a row needs beside the convolution: how sums become values, and the pool 2 x 2 that they may go to. */
typedef struct {
    au_finish_t finish;
    bool first;     /* row of the pool */
    uint32_t *sums; /* of the pool, two channels in a word; NULL for a convolution alone */
} au_row_t;

/* Where the values of two columns go. */
typedef struct {
    uint32_t *sums;
    au_value_t *out;
    au_value_t *beside; /* `out` itself where the second column does not exist */
} au_place_t;

#endif
