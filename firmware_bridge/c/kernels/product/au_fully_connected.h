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

/* What a channel's sum becomes. TFLite's reference kernel rounds once here and twice in its convolutions; TFLM rounds
 * twice in both. What was evaluated is LiteRT. */
static inline au_value_t au_full_value(const au_fully_connected_t *full, uint32_t channel, int32_t sum)
{
#if AU_SINGLE_ROUNDING
    const int32_t value = au_requantize(sum, full->multiplier[channel], full->shift[channel]);
#else
    const int32_t value = au_requantize_once(sum, full->multiplier[channel], full->shift[channel]);
#endif
    return (au_value_t)au_clamp(au_plus(value, full->out_zero), full->low, full->high);
}

void au_fully_connected(const void *op, const au_value_t *const *rows, au_value_t *out);

/* The same with the instructions of a core. */
void au_fully_connected_dsp(const void *op, const au_value_t *const *rows, au_value_t *out);
void au_fully_connected_mve(const void *op, const au_value_t *const *rows, au_value_t *out);

#endif
