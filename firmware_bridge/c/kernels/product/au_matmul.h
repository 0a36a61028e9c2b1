/* BATCH_MATMUL of two tensors, computed or constant. */
#ifndef AU_MATMUL_H
#define AU_MATMUL_H

#include "au_types.h"

/* Where an operand's values lie: batches (0 broadcasts), then its two matrix axes. */
typedef struct {
    const au_value_t *constant; /* NULL for a stream */
    uint32_t batch_steps[2];
    uint32_t outer_step; /* along the axis of the result */
    uint32_t inner_step; /* along the axis that is summed */
    int32_t zero;
} au_matrix_t;

typedef struct {
    au_matrix_t left;
    au_matrix_t right;
    uint32_t batches[2];
    uint32_t height;
    uint32_t width;
    uint32_t depth;
    int32_t multiplier;
    int8_t shift;
    int16_t out_zero;
} au_matmul_t;

void au_matmul(const void *op, const au_value_t *const *rows, au_value_t *out);

#endif
