#include "au_matmul.h"

/* XNNPACK takes this operator where the right side is constant and symmetric, as weights are; TFLite rounds twice. */
static int32_t requantize(const au_matmul_t *matmul, int32_t value)
{
#if AU_SINGLE_ROUNDING
    if ((matmul->right.constant != NULL) && (matmul->right.zero == 0)) {
        return au_requantize(value, matmul->multiplier, matmul->shift);
    }
#endif
    return au_requantize_twice(value, matmul->multiplier, matmul->shift);
}

static int32_t dot(const au_matmul_t *matmul, const au_value_t *left, const au_value_t *right)
{
    int32_t sum = 0;
    for (uint32_t k = 0; k < matmul->depth; ++k) {
        const int32_t l = (int32_t)left[k * matmul->left.inner_step] - matmul->left.zero;
        const int32_t r = (int32_t)right[k * matmul->right.inner_step] - matmul->right.zero;
        sum += l * r;
    }
    return sum;
}

static au_value_t *multiply(const au_matmul_t *matmul, const au_value_t *left, const au_value_t *right, au_value_t *out)
{
    au_value_t *next = out;
    for (uint32_t y = 0; y < matmul->height; ++y) {
        for (uint32_t x = 0; x < matmul->width; ++x) {
            const int32_t sum =
                dot(matmul, left + (y * matmul->left.outer_step), right + (x * matmul->right.outer_step));
            const int32_t value = requantize(matmul, sum) + matmul->out_zero;
            *next = (au_value_t)au_clamp(value, INT8_MIN, INT8_MAX);
            ++next;
        }
    }
    return next;
}

void au_matmul(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_matmul_t *const matmul = (const au_matmul_t *)op;
    const bool streamed = matmul->left.constant == NULL;
    const au_value_t *const left = streamed ? rows[0] : matmul->left.constant;
    const au_value_t *const right = (matmul->right.constant == NULL) ? rows[streamed ? 1 : 0] : matmul->right.constant;
    au_value_t *next = out;
    for (uint32_t a = 0; a < matmul->batches[0]; ++a) {
        for (uint32_t b = 0; b < matmul->batches[1]; ++b) {
            const uint32_t l = (a * matmul->left.batch_steps[0]) + (b * matmul->left.batch_steps[1]);
            const uint32_t r = (a * matmul->right.batch_steps[0]) + (b * matmul->right.batch_steps[1]);
            next = multiply(matmul, left + l, right + r, next);
        }
    }
}
