/* FULLY_CONNECTED: every position of a row on its own. */
#ifndef AU_FULLY_CONNECTED_H
#define AU_FULLY_CONNECTED_H

#include "au_types.h"

typedef struct {
    const int8_t *weights;     /* [out][in] */
    const int32_t *bias;       /* [out], less the input's zero point times the sum of the weights */
    const int32_t *multiplier; /* [out] */
    const int8_t *shift;       /* [out] */
    uint16_t positions;
    uint16_t in_channels;
    uint16_t out_channels;
    int16_t out_zero;
    int16_t low; /* of the fused activation */
    int16_t high;
} au_fully_connected_t;

void au_fully_connected(const void *op, const au_value_t *const *rows, au_value_t *out);

#endif
