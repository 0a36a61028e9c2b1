#include "au_reduce.h"

/* The mean with its zero point. XNNPACK scales the plain sum, adds both zero points as one float32 number, and rounds
 * then, halves to even; the generator keeps shifts at -22 or more, so that 64 bits hold it. */
static int32_t mean_of(const au_reduce_t *reduce, int32_t sum)
{
#if AU_SINGLE_ROUNDING
    const int32_t fraction = 31 - (int32_t)reduce->shift;
    const int64_t factor = (int64_t)reduce->multiplier;
    const int64_t scaled = au_to_float32(au_to_float32((int64_t)sum - reduce->offset) * factor);
    const int64_t zero = au_to_float32(au_to_float32((int64_t)reduce->offset) * factor);
    const int64_t zeros = au_to_float32(((int64_t)reduce->out_zero * ((int64_t)1 << fraction)) + zero);
    const int64_t mean = au_round_to_even(au_to_float32(scaled + zeros), fraction);
    return (mean > AU_REACH) ? AU_REACH : ((mean < -AU_REACH) ? -AU_REACH : (int32_t)mean);
#else
    return au_plus(au_requantize(sum, reduce->multiplier, reduce->shift), reduce->out_zero);
#endif
}

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
        out[i] = (au_value_t)au_clamp(mean_of(reduce, sum[i]), INT8_MIN, INT8_MAX);
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
