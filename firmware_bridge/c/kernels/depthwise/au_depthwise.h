/* DEPTHWISE_CONV_2D: one output row from the input rows under the kernel. */
#ifndef AU_DEPTHWISE_H
#define AU_DEPTHWISE_H

#include "au_types.h"

typedef struct {
    const int8_t *weights;     /* [kernel_h][kernel_w][out] */
    const int32_t *bias;       /* [out], less the input's zero point times the sum of the weights */
    const int32_t *multiplier; /* [out] */
    const int8_t *shift;       /* [out] */
    const int32_t *fours;      /* instead of the last three, where a core takes four channels at a time */
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

/* Four input channels side by side at a time, the last four of them overlapping others where they are no multiple of
 * four; of each the first output channel, then the second. Weights [group][kernel_h][kernel_w][4]. */
void au_depthwise_fours(const void *op, const au_value_t *const *rows, au_value_t *out);

/* The same for kernels of 3 x 3 and one output channel each; `fours` holds the weights too (au_threes.h). */
void au_depthwise_threes(const void *op, const au_value_t *const *rows, au_value_t *out);

/* Eight or sixteen channels at a time. `fours` holds a word that tells how they are scaled, then of each eight weights
 * [kernel_h][kernel_w][8], and what au_finish_mve.h reads of each four, and the same of each sixteen. */
void au_depthwise_mve(const void *op, const au_value_t *const *rows, au_value_t *out);

/* What is known of four output channels, in words (specialise/depthwise.py): biases, then of each two words that
 * au_rescale.h wants, and a byte each that says how it is scaled. */
enum { AU_SCALES = 4, AU_HOW_OF_FOUR = 12, AU_WORDS_OF_FOUR = 13 };

static inline uint32_t au_first_of_four(uint32_t channel, uint32_t channels)
{
    return ((channel + 4u) <= channels) ? channel : (channels - 4u);
}

#endif
