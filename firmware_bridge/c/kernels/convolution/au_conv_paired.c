/* Convolution of two columns at a time, kernel rows in place, for cores with a header of blocks, which says how weights
 * lie.
 */
#include "au_conv.h"

#include AU_BLOCK_IN_PLACE

/* How many kernel columns from `k` on lie side by side, inside or outside of the tensor as column `k` does, for both
 * output columns. */
static uint32_t alike(const au_conv_t *conv, const int32_t left[2], uint32_t k)
{
    const bool first = au_inside(conv, left[0] + (int32_t)k);
    const bool second = au_inside(conv, left[1] + (int32_t)k);
    uint32_t end = k + 1u;
    while ((conv->dilation_w == 1u) && (end < conv->kernel_w) && (au_inside(conv, left[0] + (int32_t)end) == first) &&
           (au_inside(conv, left[1] + (int32_t)end) == second)) {
        ++end;
    }
    return end - k;
}

/* Cut the kernel over two output columns, whose first input columns are `left`, into pieces, row by row. Returns their
 * end. */
static const au_piece_t *cut(const au_conv_t *conv, const au_value_t *const *rows, const int32_t left[2],
                             au_piece_t *pieces)
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
        const int32_t first = left[0] + (int32_t)(k * conv->dilation_w);
        const int32_t second = left[1] + (int32_t)(k * conv->dilation_w);
        const bool first_inside = au_inside(conv, first);
        const bool second_inside = au_inside(conv, second);
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

/* The last values of a column, its only piece, that are no whole group go into one of their own, filled up with zeros.
 * Returns the pieces' end. */
static const au_piece_t *split(au_piece_t *piece, au_column_t tail[2][4])
{
    const uint32_t whole = piece->count & ~3u;
    for (uint32_t column = 0; column < 2u; ++column) {
        for (uint32_t i = whole; i < piece->count; ++i) {
            tail[column][i - whole] = piece->values[column][i];
        }
        piece[1].values[column] = tail[column];
    }
    piece[1].count = 4;
    piece->count = whole;
    return piece + 2;
}

/* Into `sums` of a pool, whose first row stores no values: pointers walk over the sums, which are larger. */
static void one_row(const au_conv_t *conv, const au_value_t *const *rows, uint32_t *sums, au_value_t *out)
{
    const au_row_t row = au_row(conv, sums, out == NULL);
    const uint32_t patch = (uint32_t)conv->kernel_h * conv->kernel_w * conv->in_channels;
    au_piece_t pieces[AU_MOST_PIECES];
    au_column_t tail[2][4] AU_ON_A_WORD = {{0, 0, 0, 0}, {0, 0, 0, 0}};
    au_place_t place = au_first_place(conv, &row, (out != NULL) ? out : (au_value_t *)sums);
    for (uint32_t x = 0; x < conv->out_width; x += 2u) {
        int32_t left[2];
        int32_t totals[2] = {0, 0};
        left[0] = (int32_t)(x * conv->stride_w) - (int32_t)conv->pad_left;
        left[1] = left[0] + (int32_t)conv->stride_w;
        if ((x + 1u) == conv->out_width) { /* there is no second column */
            left[1] = left[0];
            place.beside = place.out;
        }
        const au_piece_t *last = cut(conv, rows, left, pieces);
        if ((AU_MOST_PIECES > 1) && (AU_FILLED(patch) != patch)) { /* a tail is a second piece */
            last = split(pieces, tail);
        }
        au_sum_up(pieces, last, totals);
        au_two_columns(conv, pieces, last, totals, &row, &place);
        au_next_place(conv, &place);
    }
}

void au_conv_paired(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    one_row((const au_conv_t *)op, rows, NULL, out);
}

void au_conv_paired_pool(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out)
{
    (void)first; /* of two rows, and so without an output */
    one_row((const au_conv_t *)op, rows, (uint32_t *)sums, out);
}
