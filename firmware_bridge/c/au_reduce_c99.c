#include "au_reduce.h"

void au_mean_fold(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out)
{
    const au_reduce_t *const reduce = (const au_reduce_t *)op;
    int32_t *const sum = (int32_t *)sums;
    for (uint32_t i = 0; first && (i < reduce->results); ++i) {
        sum[i] = reduce->offset;
    }
    const au_value_t *value = rows[0];
    for (uint32_t x = 0; x < reduce->width; ++x) {
        for (uint32_t c = 0; c < reduce->channels; ++c) {
            sum[(x * reduce->width_step) + (c * reduce->channel_step)] += *value;
            ++value;
        }
    }
    for (uint32_t i = 0; (out != NULL) && (i < reduce->results); ++i) {
        const int32_t mean = au_requantize(sum[i], reduce->multiplier, reduce->shift) + reduce->out_zero;
        out[i] = (au_value_t)au_clamp(mean, INT8_MIN, INT8_MAX);
    }
}

void au_reduce_max_fold(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out)
{
    const au_reduce_t *const reduce = (const au_reduce_t *)op;
    au_value_t *const most = (au_value_t *)sums;
    for (uint32_t i = 0; first && (i < reduce->results); ++i) {
        most[i] = INT8_MIN;
    }
    const au_value_t *value = rows[0];
    for (uint32_t x = 0; x < reduce->width; ++x) {
        for (uint32_t c = 0; c < reduce->channels; ++c) {
            au_value_t *const best = &most[(x * reduce->width_step) + (c * reduce->channel_step)];
            if (*value > *best) {
                *best = *value;
            }
            ++value;
        }
    }
    for (uint32_t i = 0; (out != NULL) && (i < reduce->results); ++i) {
        out[i] = most[i];
    }
}
