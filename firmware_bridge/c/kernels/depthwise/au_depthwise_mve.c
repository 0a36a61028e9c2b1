/* Depthwise convolution for cores with vectors (MVE: Cortex-M55): many columns of kernels 3 x 3 at a time, one of
 * others.
 */
#include "au_column_mve.h"
#include "au_depthwise.h"
#include "au_finish_mve.h"
#include "au_nine_eight_mve.h"
#include "au_nine_mve.h"

#ifdef AU_HAS_NINE
/* How many of `left` output columns, the first of which begins at `column`, lie inside; 0 if that does not. */
static inline uint32_t alike(const au_depthwise_t *conv, int32_t column, uint32_t left)
{
    const int32_t end = (int32_t)conv->in_width - (2 * (int32_t)conv->dilation_w);
    uint32_t columns = 0;
    if ((column >= 0) && (column < end)) {
        const uint32_t inside = (((uint32_t)(end - column) - 1u) / conv->stride_w) + 1u;
        columns = (inside < left) ? inside : left;
    }
    return columns;
}

/* The values under a column of a kernel 3 x 3. */
static inline void find_three(const au_depthwise_t *conv, const au_value_t *const *rows, int32_t column, bool there,
                              const au_value_t **under)
{
    if (there || ((uint32_t)column < conv->in_width)) {
        const uint32_t offset = (uint32_t)column * conv->in_channels;
        under[0] = rows[0] + offset;
        under[3] = rows[1] + offset;
        under[6] = rows[2] + offset;
    } else {
        under[0] = conv->outside;
        under[3] = conv->outside;
        under[6] = conv->outside;
    }
}

/* Eights of `made` output columns. */
static inline void eights_of_nine(const au_depthwise_t *conv, au_kind_t kind, au_columns_t *columns,
                                  const au_value_t *const *under, uint32_t first, uint32_t made, au_value_t *out)
{
    columns->groups = made / 2u;
    columns->apart = (uint32_t)conv->stride_w * conv->in_channels;
    columns->out_apart = conv->in_channels;
    if (columns->groups != 0u) {
        au_nine_eights(kind, columns, under, first, (uint32_t)conv->dilation_w * conv->in_channels, out + first);
    }
    if ((made % 2u) != 0u) {
        make_eight(conv, under, 9u, first + ((made - 1u) * columns->apart), columns->known,
                   out + first + ((made - 1u) * columns->out_apart));
    }
}

/* Sixteens of `made` output columns, as many as `groups` says. */
static inline void sixteens_of_nine(const au_depthwise_t *conv, au_kind_t kind, au_columns_t *columns,
                                    const au_value_t *const *under, uint32_t first, uint32_t made, au_value_t *out)
{
    const uint32_t channels = conv->in_channels;
    columns->apart = (conv->stride_w * channels) - (16u * columns->groups);
    columns->out_apart = channels - (16u * columns->groups);
    columns->end = out + first + (made * channels);
    au_nine_sixteens(kind, columns, under, first, out + first);
}

/* A row of a kernel 3 x 3. Of eight channels side by side, two columns are sixteen; they are there once more. */
AU_OUT_OF_LINE static void row_of_nine(const au_depthwise_t *conv, const au_value_t *const *rows, au_value_t *out)
{
    const au_scaling_t how = au_scaling(conv->fours, conv->out_zero, conv->low, conv->high);
    au_columns_t columns = {vdupq_n_s16((int16_t)how.zero), NULL, 0, NULL, 0, 0, how.low, how.high, NULL};
    const au_value_t *under[9];
    const uint32_t channels = conv->in_channels;
    const uint32_t whole = channels / 16u;
    const parts_t parts = divide(channels, 9u);
    const int32_t *const sixteens = how.fours + (parts.eights * parts.words_of_eight);
    const au_kind_t kind = au_kind(how);
    const bool twice = (channels == 8u) && (conv->stride_w == 1u);
    int32_t left = -(int32_t)conv->pad_left;
    uint32_t x = 0;
    while (x < conv->out_width) {
        au_value_t *const next = out + (x * channels);
        uint32_t made = alike(conv, left, conv->out_width - x);
        find_three(conv, rows, left, made != 0u, under);
        find_three(conv, rows, left + conv->dilation_w, made != 0u, under + 1);
        find_three(conv, rows, left + (2 * conv->dilation_w), made != 0u, under + 2);
        made = (made != 0u) ? made : 1u;
        if (twice && (made > 1u)) {
            made &= ~1u;
            columns.known = sixteens;
            columns.groups = 1;
            columns.apart = 0;
            columns.end = next + (made * channels);
            au_nine_sixteens(kind, &columns, under, 0, next);
        } else {
            columns.known = how.fours;
            for (uint32_t i = 0; i < parts.eights; ++i) {
                eights_of_nine(conv, kind, &columns, under, first_of_eights(i, channels), made, next);
                columns.known += parts.words_of_eight;
            }
        }
        if (whole != 0u) {
            columns.known = sixteens;
            columns.groups = whole;
            sixteens_of_nine(conv, kind, &columns, under, 0, made, next);
        }
        if (parts.sixteens > whole) {
            columns.known = sixteens + (whole * parts.words_of_sixteen);
            columns.groups = 1;
            sixteens_of_nine(conv, kind, &columns, under, channels - 16u, made, next);
        }
        x += made;
        left += (int32_t)(made * conv->stride_w);
    }
}
#endif

AU_OUT_OF_LINE static void any_row(const au_depthwise_t *conv, const au_value_t *const *rows, au_value_t *out)
{
    const au_value_t *under[AU_MAX_UNDER];
    int32_t left = -(int32_t)conv->pad_left;
    for (uint32_t x = 0; x < conv->out_width; ++x) {
        find(conv, rows, left, under);
        make_eights(conv, under, out + (x * conv->in_channels));
        make_sixteens(conv, under, out + (x * conv->in_channels));
        left += (int32_t)conv->stride_w;
    }
}

void au_depthwise_mve(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_depthwise_t *const conv = (const au_depthwise_t *)op;
#ifdef AU_HAS_NINE
    if ((conv->kernel_h == 3u) && (conv->kernel_w == 3u)) {
        row_of_nine(conv, rows, out);
    } else
#endif
    {
        any_row(conv, rows, out);
    }
}
