/* AVERAGE_POOL_2D and MAX_POOL_2D. Where windows do not overlap in time, rows fold into sums one by one and no row is
 * kept. */
#ifndef AU_POOL_H
#define AU_POOL_H

#include "au_types.h"

typedef struct {
    uint16_t in_width;
    uint16_t channels;
    uint16_t out_width;
    uint16_t kernel_h;
    uint16_t kernel_w;
    uint16_t stride_w;
    uint16_t pad_left;
    int16_t low; /* of the fused activation */
    int16_t high;
} au_pool_t;

/* Overlapping windows: `rows` holds kernel_h pointers, NULL for a row outside of the tensor, which does not count. */
void au_average_pool(const void *op, const au_value_t *const *rows, au_value_t *out);
void au_max_pool(const void *op, const au_value_t *const *rows, au_value_t *out);

/* Sums: [out_width * channels] of int16 or int32 (the kernel's area decides), then one uint16 counting rows; for the
 * maximum of values. */
void au_average_pool_fold16(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out);
void au_average_pool_fold32(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out);
void au_max_pool_fold(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out);

#endif
