/* The innermost work of a convolution: a block of two columns and two channels. Every core has its own (au_block_*.h). */
#ifndef AU_BLOCK_H
#define AU_BLOCK_H

#include "au_types.h"

/* Sums of a block; the digits are column and channel. */
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

#endif
