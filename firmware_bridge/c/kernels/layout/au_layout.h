/* Values that move and do not change: PAD, CONCATENATION, TRANSPOSE, and a stream cut into other rows. */
#ifndef AU_LAYOUT_H
#define AU_LAYOUT_H

#include "au_types.h"

typedef struct {
    uint16_t sizes[2];  /* width, channels of the input */
    uint16_t before[2]; /* values added */
    uint16_t after[2];
    int16_t value;
} au_pad_t;

void au_pad(const void *op, const au_value_t *const *rows, au_value_t *out);

typedef struct {
    const au_value_t *const *constants; /* [parts], NULL for a stream */
    const uint32_t *sizes;              /* [parts], values that each part adds at a time */
    uint32_t parts;
    uint32_t times;
} au_concatenate_t;

void au_concatenate(const void *op, const au_value_t *const *rows, au_value_t *out);

typedef struct {
    uint32_t sizes[5]; /* of the output */
    uint32_t steps[5]; /* in the input */
} au_transpose_t;

void au_transpose(const void *op, const au_value_t *const *rows, au_value_t *out);

typedef struct {
    uint32_t count; /* values of each input row */
    uint32_t rows;  /* input rows */
} au_regroup_t;

void au_regroup(const void *op, const au_value_t *const *rows, au_value_t *out);

#endif
