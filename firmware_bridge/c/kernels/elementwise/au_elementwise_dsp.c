/* ADD and SUB without broadcasting for Cortex-M4, M7 and M33, rounded as TFLite's reference kernels do. */
#include "au_dsp.h"
#include "au_elementwise.h"

static inline int32_t addend(const au_addend_t *side, int32_t value)
{
    return au_rescale(au_shift_left(value - side->zero, side->headroom), side->multiplier, side->half, side->shift, 0);
}

void au_add_alike(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_sum_t *const sum = (const au_sum_t *)op;
    const au_addend_t left = sum->left;
    const au_addend_t right = sum->right;
    const au_value_t *const l = rows[0];
    const au_value_t *const r = rows[1];
    for (uint32_t i = 0; i < sum->count; ++i) {
        const int32_t both = addend(&left, l[i]) + addend(&right, r[i]);
        out[i] =
            (au_value_t)au_clamp(au_rescale(both, sum->multiplier, sum->offset, sum->shift, 0), sum->low, sum->high);
    }
}
