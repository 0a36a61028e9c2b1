/* DEPTHWISE_CONV_2D: one output row from the input rows under the kernel. */
#ifndef AU_DEPTHWISE_H
#define AU_DEPTHWISE_H

#include "au_types.h"

typedef struct {
    const int8_t *weights;     /* [kernel_h][kernel_w][out] */
    const int32_t *bias;       /* [out], less the input's zero point times the sum of the weights */
    const int32_t *multiplier; /* [out] */
    const int8_t *shift;       /* [out] */
    const int32_t
        *fours; /* instead of the last three, where a core takes four channels at a time (au_depthwise_fours.c) */
    const au_value_t *outside; /* [kernel_w * in], the input's zero point: what lies beside the tensor */
    uint16_t in_width;
    uint16_t in_channels;
    uint16_t out_width;
    uint16_t depth_multiplier; /* output channels of an input channel */
    uint16_t kernel_h;
    uint16_t kernel_w;
    uint16_t stride_w;
    uint16_t dilation_w;
    uint16_t pad_left;
    int16_t out_zero;
    int16_t low; /* of the fused activation */
    int16_t high;
} au_depthwise_t;

void au_depthwise(const void *op, const au_value_t *const *rows, au_value_t *out);

/* Channels in fours, one output channel each, no dilation; weights [out / 4][kernel_h][kernel_w][4]. */
void au_depthwise_fours(const void *op, const au_value_t *const *rows, au_value_t *out);

#endif
