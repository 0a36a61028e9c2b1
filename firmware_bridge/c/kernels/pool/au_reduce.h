/* MEAN and REDUCE_MAX over any of time, width and channels: rows fold one by one. */
#ifndef AU_REDUCE_H
#define AU_REDUCE_H

#include "au_types.h"

typedef struct {
    uint16_t width;
    uint16_t channels;
    uint16_t width_step;   /* of the result, 0 if the width is reduced */
    uint16_t channel_step; /* of the result, 0 if the channels are reduced */
    uint16_t results;
    int32_t offset; /* added to each sum: less the zero point times the values in it */
    int32_t multiplier;
    int16_t shift;
    int16_t out_zero;
} au_reduce_t;

/* Sums: [results] of int32; for the maximum of values. */
void au_mean_fold(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out);
void au_reduce_max_fold(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out);

#endif
