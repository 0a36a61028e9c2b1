/* CONV_2D: one output row from the input rows under the kernel. */
#ifndef AU_CONV_H
#define AU_CONV_H

#include "au_types.h"

typedef struct {
    const int8_t *weights;     /* [out][kernel_h][kernel_w][in] */
    const int32_t *bias;       /* [out], less the input's zero point times the sum of the weights */
    const int32_t *multiplier; /* [out] */
    const int8_t *shift;       /* [out] */
    const int32_t *pairs;      /* instead of the last three, where a core takes two channels at a time (au_packed.h) */
    const au_value_t *outside; /* [kernel_w * in], the input's zero point: what lies beside the tensor */
    uint16_t in_width;
    uint16_t in_channels;
    uint16_t out_width;
    uint16_t out_channels;
    uint16_t kernel_h;
    uint16_t kernel_w;
    uint16_t stride_w;
    uint16_t dilation_w;
    uint16_t pad_left;
    int16_t out_zero;
    int16_t low; /* of the fused activation */
    int16_t high;
} au_conv_t;

void au_conv(const void *op, const au_value_t *const *rows, au_value_t *out);

/* The same with weights as an au_block_*.h wants them: kernel rows in place, or the columns under small kernels
 * gathered. */
void au_conv_paired(const void *op, const au_value_t *const *rows, au_value_t *out);
void au_conv_gathered(const void *op, const au_value_t *const *rows, au_value_t *out);

/* Patches are copied where input columns have few channels. */
void au_conv_patched(const void *op, const au_value_t *const *rows, au_value_t *out);

/* The same for kernels of 1 x 1, channels in fours that become channels in twos; `weights` holds `pairs` too. */
void au_conv_pointwise(const void *op, const au_value_t *const *rows, au_value_t *out);
/* The same of a kernel 1 x 1, with vectors. */
void au_conv_mve(const void *op, const au_value_t *const *rows, au_value_t *out);

/* The same, and the average over 2 x 2 without padding. Sums: [out_width / 2][out_channels] of int16. */
void au_conv_paired_pool(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out);
void au_conv_gathered_pool(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out);
void au_conv_patched_pool(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out);

#endif
