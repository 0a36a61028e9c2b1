#include "au_layout.h"

#include <string.h>

static au_value_t *fill(au_value_t *out, uint32_t count, int16_t value)
{
    for (uint32_t i = 0; i < count; ++i) {
        out[i] = (au_value_t)value;
    }
    return out + count;
}

static au_value_t *copy(au_value_t *out, const au_value_t *from, uint32_t count)
{
    (void)memcpy(out, from, count * sizeof(*out));
    return out + count;
}

void au_pad(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_pad_t *const pad = (const au_pad_t *)op;
    const uint32_t column = (uint32_t)pad->before[1] + pad->sizes[1] + pad->after[1];
    const au_value_t *from = rows[0];
    au_value_t *next = fill(out, pad->before[0] * column, pad->value);
    for (uint32_t x = 0; x < pad->sizes[0]; ++x) {
        next = fill(next, pad->before[1], pad->value);
        next = copy(next, from, pad->sizes[1]);
        next = fill(next, pad->after[1], pad->value);
        from += pad->sizes[1];
    }
    (void)fill(next, pad->after[0] * column, pad->value);
}

void au_concatenate(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_concatenate_t *const join = (const au_concatenate_t *)op;
    au_value_t *next = out;
    for (uint32_t t = 0; t < join->times; ++t) {
        uint32_t streamed = 0;
        for (uint32_t p = 0; p < join->parts; ++p) {
            const au_value_t *from = join->constants[p];
            if (from == NULL) {
                from = rows[streamed];
                ++streamed;
            }
            next = copy(next, from + (t * join->sizes[p]), join->sizes[p]);
        }
    }
}

void au_transpose(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_transpose_t *const axes = (const au_transpose_t *)op;
    const uint32_t *const n = axes->sizes;
    const uint32_t *const s = axes->steps;
    au_value_t *next = out;
    for (uint32_t a = 0; a < n[0]; ++a) {
        for (uint32_t b = 0; b < n[1]; ++b) {
            for (uint32_t c = 0; c < n[2]; ++c) {
                for (uint32_t d = 0; d < n[3]; ++d) {
                    const au_value_t *from = rows[0] + ((a * s[0]) + (b * s[1]) + (c * s[2]) + (d * s[3]));
                    for (uint32_t e = 0; e < n[4]; ++e) {
                        *next = *from;
                        ++next;
                        from += s[4];
                    }
                }
            }
        }
    }
}

void au_regroup(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_regroup_t *const regroup = (const au_regroup_t *)op;
    au_value_t *next = out;
    for (uint32_t r = 0; r < regroup->rows; ++r) {
        next = copy(next, rows[r], regroup->count);
    }
}
