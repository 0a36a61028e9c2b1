#include "au_elementwise.h"

/* The innermost axis: sizes[3] values. */
typedef void (*line_t)(const au_binary_t *binary, const au_value_t *left, const au_value_t *right, au_value_t *out);

#if AU_SINGLE_ROUNDING
/* XNNPACK's ADD: zero points and rounding are in the bias, which stands where the last factor would. */
static int32_t sum(const au_binary_t *binary, int32_t left, int32_t right)
{
    const int32_t raw = binary->multiplier + (left * binary->left.multiplier) + (right * binary->right.multiplier);
    return raw >> binary->shift;
}
#else
/* An addend, carried 2^20 times finer than its value (TFLite's ADD) and never scaled up. The rounded high half of 2^21
 * times the product, in 32 bits: values are so small that the multiplier's upper bits and its lowest 11 can be
 * multiplied apart. */
static int32_t rescale(const au_operand_t *operand, int32_t value)
{
    const int32_t centred = value - operand->zero;
    const int32_t lowest = (centred * (operand->multiplier & 0x7FF)) + 0x400;
    const int32_t fine = (centred * (operand->multiplier >> 11)) + (lowest >> 11);
    return (operand->shift < 0) ? au_divide_by_power(fine, -operand->shift) : fine;
}

static int32_t sum(const au_binary_t *binary, int32_t left, int32_t right)
{
    const int32_t raw = rescale(&binary->left, left) + rescale(&binary->right, right);
    return au_requantize(raw, binary->multiplier, binary->shift);
}
#endif

static int32_t product(const au_binary_t *binary, int32_t left, int32_t right)
{
    const int32_t raw = (left - binary->left.zero) * (right - binary->right.zero);
    return au_requantize(raw, binary->multiplier, binary->shift);
}

static au_value_t finish(const au_binary_t *binary, int32_t value)
{
    return (au_value_t)au_clamp(au_plus(value, binary->out_zero), binary->low, binary->high);
}

/* On a copy, which no value that is stored could have changed: the compiler keeps it in registers. */
static void add_line(const au_binary_t *binary, const au_value_t *left, const au_value_t *right, au_value_t *out)
{
    const au_binary_t how = *binary;
    const au_value_t *l = left;
    const au_value_t *r = right;
    for (uint32_t i = 0; i < how.sizes[3]; ++i) {
        out[i] = finish(&how, sum(&how, *l, *r));
        l += how.left.steps[3];
        r += how.right.steps[3];
    }
}

static void mul_line(const au_binary_t *binary, const au_value_t *left, const au_value_t *right, au_value_t *out)
{
    const au_binary_t how = *binary;
    const au_value_t *l = left;
    const au_value_t *r = right;
    for (uint32_t i = 0; i < how.sizes[3]; ++i) {
        out[i] = finish(&how, product(&how, *l, *r));
        l += how.left.steps[3];
        r += how.right.steps[3];
    }
}

static void each_line(const au_binary_t *binary, const au_value_t *const *rows, au_value_t *out, line_t line)
{
    const bool streamed = binary->left.constant == NULL;
    const au_value_t *const left = streamed ? rows[0] : binary->left.constant;
    const au_value_t *const right = (binary->right.constant == NULL) ? rows[streamed ? 1 : 0] : binary->right.constant;
    const uint32_t *const l = binary->left.steps;
    const uint32_t *const r = binary->right.steps;
    au_value_t *next = out;
    for (uint32_t i = 0; i < binary->sizes[0]; ++i) {
        for (uint32_t j = 0; j < binary->sizes[1]; ++j) {
            for (uint32_t k = 0; k < binary->sizes[2]; ++k) {
                const uint32_t a = (i * l[0]) + (j * l[1]) + (k * l[2]);
                const uint32_t b = (i * r[0]) + (j * r[1]) + (k * r[2]);
                line(binary, left + a, right + b, next);
                next += binary->sizes[3];
            }
        }
    }
}

void au_add(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    each_line((const au_binary_t *)op, rows, out, add_line);
}

void au_mul(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    each_line((const au_binary_t *)op, rows, out, mul_line);
}

void au_lookup(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_lookup_t *const lookup = (const au_lookup_t *)op;
    for (uint32_t i = 0; i < lookup->count; ++i) {
        out[i] = lookup->table[(int32_t)rows[0][i] + 128];
    }
}
