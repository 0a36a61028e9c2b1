/* Convolution of two columns at a time, for cores with an AU_BLOCK_HEADER (au_block_*.h), which says how weights lie.
 *
 * The generator has proven that sums stay below 2^30 and that every shift is to the right, which is what au_rescale() needs. */
#include <string.h>

#include "au_conv.h"

#include AU_BLOCK_HEADER

/* A kernel row that overlaps an edge of the tensor is cut into three pieces at most (specialise.py looks). */
#define MOST_PIECES (3u * AU_MAX_ROWS)

/* Columns under two output columns, where they are gathered (specialise.py knows the number), and a group beyond. */
#define GATHERED (256u / sizeof(au_value_t))

static au_row_t row_of(const au_conv_t *conv, uint32_t *sums, bool first)
{
    const bool saturate = (conv->low == INT8_MIN) && (conv->high == INT8_MAX);
    const au_row_t row = {{conv->multiplier, conv->shift, conv->out_zero, conv->low, conv->high, saturate}, first, sums};
    return row;
}

static bool inside(const au_conv_t *conv, int32_t column)
{
    return (column >= 0) && (column < (int32_t)conv->in_width);
}

/* How many kernel columns from `k` on lie inside or outside of the tensor as column `k` does, for both output columns. */
static uint32_t alike(const au_conv_t *conv, const int32_t left[2], uint32_t k)
{
    const bool first = inside(conv, left[0] + (int32_t)k);
    const bool second = inside(conv, left[1] + (int32_t)k);
    uint32_t end = k + 1u;
    while ((end < conv->kernel_w) && (inside(conv, left[0] + (int32_t)end) == first) && (inside(conv, left[1] + (int32_t)end) == second)) {
        ++end;
    }
    return end - k;
}

/* Cut the kernel over two output columns, whose first input columns are `left`, into pieces, row by row. Returns their end. */
static const au_piece_t *cut(const au_conv_t *conv, const au_value_t *const *rows, const int32_t left[2], au_piece_t *pieces)
{
    const uint32_t kernel_h = conv->kernel_h;
    const int32_t channels = (int32_t)conv->in_channels;
    uint32_t in_a_row = 0;
    uint32_t k = 0;
    while (k < conv->kernel_w) {
        ++in_a_row;
        k += alike(conv, left, k);
    }
    k = 0;
    for (uint32_t p = 0; p < in_a_row; ++p) {
        const uint32_t columns = alike(conv, left, k);
        const int32_t first = left[0] + (int32_t)k;
        const int32_t second = left[1] + (int32_t)k;
        const bool first_inside = inside(conv, first);
        const bool second_inside = inside(conv, second);
        au_piece_t *piece = pieces + p;
        for (uint32_t y = 0; y < kernel_h; ++y) {
            piece->values[0] = first_inside ? (rows[y] + (first * channels)) : conv->outside;
            piece->values[1] = second_inside ? (rows[y] + (second * channels)) : conv->outside;
            piece->count = columns * (uint32_t)channels;
            piece += in_a_row;
        }
        k += columns;
    }
    return pieces + (in_a_row * kernel_h);
}

/* The column of kernel_h * in_channels values at `column`, top first. */
static inline void gather(const au_conv_t *conv, const au_value_t *const *rows, int32_t column, au_value_t *values)
{
    const uint32_t channels = conv->in_channels;
    const au_value_t *const *const last = rows + conv->kernel_h;
    const uint32_t offset = (uint32_t)column * channels;
    const au_value_t *const *row = rows;
    au_value_t *next = values;
    if (!inside(conv, column)) {
        for (; row != last; ++row) {
            next = au_copy(next, conv->outside, channels);
        }
    } else if (channels == 1u) {
        for (; row != last; ++row) {
            *next = (*row)[offset];
            ++next;
        }
    } else {
        for (; row != last; ++row) {
            next = au_copy(next, *row + offset, channels);
        }
    }
}

static au_place_t place_of(const au_conv_t *conv, const au_row_t *how, uint32_t x, au_value_t *out)
{
    const uint32_t channels = conv->out_channels;
    const bool pooled = how->sums != NULL;
    au_value_t *const here = out + ((pooled ? (x / 2u) : x) * channels);
    au_place_t place = {NULL, here, ((x + 1u) < conv->out_width) ? (here + channels) : here};
    if (pooled) {
        place.sums = how->sums + ((x / 2u) * (channels / 2u));
    }
    return place;
}

/* One row, each kernel row in place. */
static void in_place(const au_conv_t *conv, const au_value_t *const *rows, const au_row_t *how, au_value_t *out)
{
    au_piece_t pieces[MOST_PIECES];
    const uint32_t filled = AU_FILLED((uint32_t)conv->kernel_h * conv->kernel_w * conv->in_channels);
    for (uint32_t x = 0; x < conv->out_width; x += 2u) {
        const au_place_t place = place_of(conv, how, x, out);
        int32_t left[2];
        left[0] = (int32_t)(x * conv->stride_w) - (int32_t)conv->pad_left;
        left[1] = left[0] + (((x + 1u) < conv->out_width) ? (int32_t)conv->stride_w : 0);
        au_two_columns(conv, pieces, cut(conv, rows, left, pieces), filled, how, &place);
    }
}

/* One row of a small kernel: the columns under two output columns are gathered, those that the next two need again stay. */
static void gathered(const au_conv_t *conv, const au_value_t *const *rows, const au_row_t *how, au_value_t *out)
{
    au_value_t values[GATHERED];
    const uint32_t height = (uint32_t)conv->kernel_h * conv->in_channels;
    const uint32_t column = AU_COLUMN(height);
    const uint32_t stride = conv->stride_w;
    const uint32_t under = conv->kernel_w + stride;
    const uint32_t kept = (conv->kernel_w > stride) ? (conv->kernel_w - stride) : 0u;
    uint32_t have = 0;
    (void)memset(values, 0, sizeof(values));
    for (uint32_t x = 0; x < conv->out_width; x += 2u) {
        const au_place_t place = place_of(conv, how, x, out);
        const int32_t left = (int32_t)(x * stride) - (int32_t)conv->pad_left;
        if (have != 0u) {
            (void)au_copy(values, values + ((under - kept) * column), kept * column);
        }
        for (uint32_t k = have; k < under; ++k) {
            gather(conv, rows, left + (int32_t)k, values + (k * column));
        }
        have = kept;
        const uint32_t second = ((x + 1u) < conv->out_width) ? (stride * column) : 0u;
        const au_piece_t piece = {{values, values + second}, AU_FILLED(conv->kernel_w * column)};
        au_two_columns(conv, &piece, &piece + 1, piece.count, how, &place);
    }
}

void au_conv_paired(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_conv_t *const conv = (const au_conv_t *)op;
    const au_row_t how = row_of(conv, NULL, false);
    in_place(conv, rows, &how, out);
}

void au_conv_gathered(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_conv_t *const conv = (const au_conv_t *)op;
    const au_row_t how = row_of(conv, NULL, false);
    gathered(conv, rows, &how, out);
}

void au_conv_paired_pool(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out)
{
    const au_conv_t *const conv = (const au_conv_t *)op;
    const au_row_t how = row_of(conv, (uint32_t *)sums, first);
    in_place(conv, rows, &how, out);
}

void au_conv_gathered_pool(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out)
{
    const au_conv_t *const conv = (const au_conv_t *)op;
    const au_row_t how = row_of(conv, (uint32_t *)sums, first);
    gathered(conv, rows, &how, out);
}
