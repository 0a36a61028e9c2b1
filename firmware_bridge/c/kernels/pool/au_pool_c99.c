#include "au_pool.h"

typedef struct {
    uint32_t begin;
    uint32_t end;
} span_t;

/* The columns of the tensor that lie under the kernel of output column `x`. */
static span_t columns(const au_pool_t *pool, uint32_t x)
{
    const int32_t left = (int32_t)(x * pool->stride_w) - (int32_t)pool->pad_left;
    const int32_t right = left + (int32_t)pool->kernel_w;
    span_t span;
    span.begin = (left > 0) ? (uint32_t)left : 0u;
    span.end = (right < (int32_t)pool->in_width) ? (uint32_t)right : pool->in_width;
    return span;
}

/* To nearest, halves away from zero. */
static au_value_t average(const au_pool_t *pool, int32_t sum, uint32_t area)
{
    const int32_t count = (int32_t)area;
    const int32_t half = count / 2;
    const int32_t mean = (sum > 0) ? ((sum + half) / count) : ((sum - half) / count);
    return (au_value_t)au_clamp(mean, pool->low, pool->high);
}

void au_average_pool(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_pool_t *const pool = (const au_pool_t *)op;
    au_value_t *next = out;
    for (uint32_t x = 0; x < pool->out_width; ++x) {
        const span_t span = columns(pool, x);
        for (uint32_t c = 0; c < pool->channels; ++c) {
            int32_t sum = 0;
            uint32_t area = 0;
            for (uint32_t k = 0; k < pool->kernel_h; ++k) {
                if (rows[k] != NULL) {
                    for (uint32_t column = span.begin; column < span.end; ++column) {
                        sum += rows[k][(column * pool->channels) + c];
                    }
                    area += span.end - span.begin;
                }
            }
            *next = average(pool, sum, area);
            ++next;
        }
    }
}

void au_max_pool(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_pool_t *const pool = (const au_pool_t *)op;
    au_value_t *next = out;
    for (uint32_t x = 0; x < pool->out_width; ++x) {
        const span_t span = columns(pool, x);
        for (uint32_t c = 0; c < pool->channels; ++c) {
            int32_t most = INT8_MIN;
            for (uint32_t k = 0; k < pool->kernel_h; ++k) {
                for (uint32_t column = span.begin; (rows[k] != NULL) && (column < span.end); ++column) {
                    const int32_t value = rows[k][(column * pool->channels) + c];
                    most = (value > most) ? value : most;
                }
            }
            *next = (au_value_t)au_clamp(most, pool->low, pool->high);
            ++next;
        }
    }
}

static int32_t column_sum(const au_pool_t *pool, const au_value_t *row, span_t span, uint32_t channel)
{
    int32_t sum = 0;
    for (uint32_t column = span.begin; column < span.end; ++column) {
        sum += row[(column * pool->channels) + channel];
    }
    return sum;
}

void au_average_pool_fold16(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out)
{
    const au_pool_t *const pool = (const au_pool_t *)op;
    int16_t *sum = (int16_t *)sums;
    int16_t *const count = sum + ((uint32_t)pool->out_width * pool->channels);
    const uint32_t height = first ? 1u : ((uint32_t)*count + 1u);
    uint32_t next = 0;
    *count = (int16_t)height;
    for (uint32_t x = 0; x < pool->out_width; ++x) {
        const span_t span = columns(pool, x);
        for (uint32_t c = 0; c < pool->channels; ++c) {
            const int32_t total = (first ? 0 : (int32_t)sum[next]) + column_sum(pool, rows[0], span, c);
            sum[next] = (int16_t)total;
            if (out != NULL) {
                out[next] = average(pool, total, height * (span.end - span.begin));
            }
            ++next;
        }
    }
}

void au_average_pool_fold32(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out)
{
    const au_pool_t *const pool = (const au_pool_t *)op;
    int32_t *sum = (int32_t *)sums;
    int32_t *const count = sum + ((uint32_t)pool->out_width * pool->channels);
    const uint32_t height = first ? 1u : ((uint32_t)*count + 1u);
    uint32_t next = 0;
    *count = (int32_t)height;
    for (uint32_t x = 0; x < pool->out_width; ++x) {
        const span_t span = columns(pool, x);
        for (uint32_t c = 0; c < pool->channels; ++c) {
            const int32_t total = (first ? 0 : sum[next]) + column_sum(pool, rows[0], span, c);
            sum[next] = total;
            if (out != NULL) {
                out[next] = average(pool, total, height * (span.end - span.begin));
            }
            ++next;
        }
    }
}

void au_max_pool_fold(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out)
{
    const au_pool_t *const pool = (const au_pool_t *)op;
    au_value_t *const most = (au_value_t *)sums;
    uint32_t next = 0;
    for (uint32_t x = 0; x < pool->out_width; ++x) {
        const span_t span = columns(pool, x);
        for (uint32_t c = 0; c < pool->channels; ++c) {
            int32_t value = first ? INT8_MIN : (int32_t)most[next];
            for (uint32_t column = span.begin; column < span.end; ++column) {
                const int32_t other = rows[0][(column * pool->channels) + c];
                value = (other > value) ? other : value;
            }
            most[next] = (au_value_t)value;
            if (out != NULL) {
                out[next] = (au_value_t)au_clamp(value, pool->low, pool->high);
            }
            ++next;
        }
    }
}
