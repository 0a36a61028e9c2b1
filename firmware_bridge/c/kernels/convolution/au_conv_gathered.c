/* Convolution of two columns at a time: the input columns under two output columns are gathered side by side, so that a
 * kernel runs along them from end to end; those that the next two need again stay. For cores with a header of blocks,
 * which says how weights lie.
 */
#include "au_conv.h"

#include AU_BLOCK_GATHERED

/* Columns, the sum of the values of each if the core wants it, and a group beyond the last. */
typedef struct {
    au_column_t values[AU_GATHERED_VALUES + 4u] AU_ON_A_WORD;
    int32_t sums[AU_GATHERED_COLUMNS];
} gathered_t;

/* Gather the column of kernel_h * in_channels values at `column`, top first. Returns their sum. */
static inline int32_t gather(const au_conv_t *conv, const au_value_t *const *rows, int32_t column, au_column_t *values)
{
    const uint32_t channels = conv->in_channels;
    const au_value_t *const *const last = rows + conv->kernel_h;
    const uint32_t offset = (uint32_t)column * channels;
    au_column_t *next = values;
    int32_t sum = 0;
    if (!au_inside(conv, column)) {
        for (const au_value_t *const *row = rows; row != last; ++row) {
            next = au_take(next, conv->outside, channels, &sum);
        }
    } else if (channels == 1u) {
        for (const au_value_t *const *row = rows; row != last; ++row) {
            const au_value_t value = (*row)[offset];
            sum += value;
            *next = value;
            ++next;
        }
    } else {
        for (const au_value_t *const *row = rows; row != last; ++row) {
            next = au_take(next, *row + offset, channels, &sum);
        }
    }
    return sum;
}

/* Sums under two output columns, the second of which begins at column `beside`. */
static inline void sum_up(const gathered_t *columns, uint32_t kernel_w, uint32_t beside, int32_t sums[2])
{
    int32_t first = 0;
    int32_t second = 0;
    for (uint32_t k = 0; k < kernel_w; ++k) {
        first += columns->sums[k];
        second += columns->sums[k + beside];
    }
    sums[0] = first;
    sums[1] = second;
}

/* Into `sums` of a pool, whose first row stores no values: pointers walk over the sums, which are larger. */
static void one_row(const au_conv_t *conv, const au_value_t *const *rows, uint32_t *sums, au_value_t *out)
{
    const au_row_t row = au_row(conv, sums, out == NULL);
    gathered_t columns;
    const uint32_t size = AU_COLUMN((uint32_t)conv->kernel_h * conv->in_channels);
    const uint32_t stride = conv->stride_w;
    const uint32_t dilation = (AU_GATHERED_DILATION > 1) ? conv->dilation_w : 1u;
    /* The first column under the second output column; under dilated kernels none is shared. */
    const uint32_t second = (dilation == 1u) ? stride : conv->kernel_w;
    const uint32_t under = conv->kernel_w + second;
    const uint32_t kept = (conv->kernel_w > second) ? (conv->kernel_w - second) : 0u;
    const uint32_t gone = under - kept;
    au_place_t place = au_first_place(conv, &row, (out != NULL) ? out : (au_value_t *)sums);
    uint32_t have = 0;
    for (uint32_t x = 0; x < conv->out_width; x += 2u) {
        const int32_t left = (int32_t)(x * stride) - (int32_t)conv->pad_left;
        uint32_t beside = second;
        int32_t totals[2] = {0, 0};
        if ((x + 1u) == conv->out_width) { /* there is no second column */
            beside = 0;
            place.beside = place.out;
        }
        if (have != 0u) {
            au_move(columns.values, columns.values + (gone * size), kept * size);
        }
        for (uint32_t k = 0; AU_WANTS_SUMS && (k < have); ++k) {
            columns.sums[k] = columns.sums[k + gone];
        }
        int32_t column = left + (int32_t)have; /* nothing is kept under dilated kernels */
        for (uint32_t k = have; k < under; ++k) {
            if ((dilation != 1u) && (k == second)) {
                column = left + (int32_t)stride;
            }
            const int32_t sum = gather(conv, rows, column, columns.values + (k * size));
            if (AU_WANTS_SUMS) {
                columns.sums[k] = sum;
            }
            column += (int32_t)dilation;
        }
        have = kept;
        if (AU_WANTS_SUMS) {
            sum_up(&columns, conv->kernel_w, beside, totals);
        }
        const au_piece_t piece = {{columns.values, columns.values + (beside * size)}, AU_FILLED(conv->kernel_w * size)};
        au_two_columns(conv, &piece, &piece + 1, totals, &row, &place);
        au_next_place(conv, &place);
    }
}

void au_conv_gathered(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    one_row((const au_conv_t *)op, rows, NULL, out);
}

void au_conv_gathered_pool(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out)
{
    (void)first; /* of two rows, and so without an output */
    one_row((const au_conv_t *)op, rows, (uint32_t *)sums, out);
}
