/* SOFTMAX along the last axis, in TFLite's fixed point: exponentials from a table, sum in Q12.19, Newton's reciprocal
 * in Q0.31. */
#ifndef AU_SOFTMAX_H
#define AU_SOFTMAX_H

#include "au_types.h"

typedef struct {
    const int32_t *exponentials; /* [differences]: exp(scale * -d), Q0.31, d = largest - value */
    uint32_t differences;        /* a larger difference counts as zero */
    uint32_t depth;              /* values that sum to one */
    uint32_t times;
} au_softmax_t;

void au_softmax(const void *op, const au_value_t *const *rows, au_value_t *out);

#endif
