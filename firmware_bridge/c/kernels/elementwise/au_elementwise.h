/* ADD, SUB and MUL with broadcasting, and everything that is a function of one value (RELU, RELU6, LOGISTIC,
 * HARD_SWISH, QUANTIZE). */
#ifndef AU_ELEMENTWISE_H
#define AU_ELEMENTWISE_H

#include "au_types.h"

/* One operand. `constant` is NULL for a stream; a step of 0 broadcasts along that axis. */
typedef struct {
    const au_value_t *constant;
    uint32_t steps[4];
    int16_t zero;
    int8_t shift;
    int32_t multiplier;
} au_operand_t;

typedef struct {
    au_operand_t left;
    au_operand_t right;
    uint32_t sizes[4];
    int32_t multiplier;
    int8_t shift;
    int16_t out_zero;
    int16_t low; /* of the fused activation */
    int16_t high;
} au_binary_t;

/* SUB is ADD with a negative multiplier on the right. */
void au_add(const void *op, const au_value_t *const *rows, au_value_t *out);
void au_mul(const void *op, const au_value_t *const *rows, au_value_t *out);

/* One side of a sum; `half` of a step of its result before the shift to the right, which is 1 at least. */
typedef struct {
    int32_t multiplier;
    int32_t half;
    int32_t zero;
    int32_t headroom; /* bits that the side is carried finer: one more where it is only halved */
    int32_t shift;
} au_addend_t;

typedef struct {
    au_addend_t left;
    au_addend_t right;
    int32_t multiplier;
    int32_t offset; /* half a step and the zero point, before the shift */
    int32_t shift;
    uint32_t count;
    int16_t low; /* of the fused activation */
    int16_t high;
} au_sum_t;

/* au_add of two streams, value by value (au_elementwise_dsp.c). */
void au_add_alike(const void *op, const au_value_t *const *rows, au_value_t *out);

typedef struct {
    const int8_t *table; /* [256], by value + 128 */
    uint32_t count;
} au_lookup_t;

void au_lookup(const void *op, const au_value_t *const *rows, au_value_t *out);

#endif
