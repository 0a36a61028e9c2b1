/* Convolution of two columns at a time for Cortex-M4, M7 and M33 where an input column has few channels, no multiple of
 * four: the patch under either output column is copied, kernel row by kernel row, in whole words. */
#include "au_conv.h"

#include AU_BLOCK_IN_PLACE

/* Of two output columns; words are copied, so that the end of a kernel row may lie behind the patch. */
typedef struct {
    au_value_t values[2][AU_PATCH_VALUES + 4u] AU_ON_A_WORD;
} patches_t;

/* How kernel rows are copied. */
typedef struct {
    uint32_t whole; /* words of a kernel row */
    uint32_t rest;  /* bytes behind them, and those bytes of a word */
    uint32_t masked;
    uint32_t inside; /* input columns from the left where reading whole words does not leave the row */
    int32_t excess;  /* what au_add_raised4() adds to a patch */
} cut_t;

static cut_t cut(const au_conv_t *conv)
{
    const uint32_t channels = conv->in_channels;
    const uint32_t size = conv->kernel_w * channels;
    const uint32_t read = (size + 3u) & ~3u;
    const uint32_t values = conv->in_width * channels;
    cut_t made = {size / 4u, size % 4u, 0, 0, 0};
    made.masked = (1u << (8u * made.rest)) - 1u;
    made.inside = (values >= read) ? (((values - read) / channels) + 1u) : 0u;
    made.excess = (int32_t)(128u * read * conv->kernel_h);
    return made;
}

/* The patch from `column` on, which lies inside. Returns the sum of its values. */
static inline int32_t copy(const au_conv_t *conv, const au_value_t *const *rows, const cut_t *cut, uint32_t column,
                           au_value_t *patch)
{
    const uint32_t at = column * conv->in_channels;
    const au_value_t *const *const last = rows + conv->kernel_h;
    au_value_t *next = patch;
    uint32_t sum = 0;
    for (const au_value_t *const *row = rows; row != last; ++row) {
        const au_value_t *from = *row + at;
        const au_value_t *const end = from + (4u * cut->whole);
        for (; from != end; from += 4) {
            const uint32_t word = au_load4(from);
            sum = au_add_raised4(sum, word);
            au_store4(next, word);
            next += 4;
        }
        if (cut->rest != 0u) {
            const uint32_t word = au_load4(from) & cut->masked;
            sum = au_add_raised4(sum, word);
            au_store4(next, word);
            next += cut->rest;
        }
    }
    return (int32_t)sum - cut->excess;
}

/* The same for one that lies partly beside the tensor, or at its end. */
AU_OUT_OF_LINE static int32_t copy_any(const au_conv_t *conv, const au_value_t *const *rows, int32_t column,
                                       au_value_t *patch)
{
    const uint32_t channels = conv->in_channels;
    const uint32_t size = (uint32_t)conv->kernel_w * channels * conv->kernel_h;
    au_value_t *next = patch;
    int32_t sum = 0;
    for (uint32_t ky = 0; ky < conv->kernel_h; ++ky) {
        for (int32_t x = column; x < (column + (int32_t)conv->kernel_w); ++x) {
            const bool inside = (x >= 0) && (x < (int32_t)conv->in_width);
            const au_value_t *const from = inside ? (rows[ky] + ((uint32_t)x * channels)) : conv->outside;
            for (uint32_t c = 0; c < channels; ++c) {
                const au_value_t value = from[c];
                sum += value;
                *next = value;
                ++next;
            }
        }
    }
    for (uint32_t i = size; i < AU_FILLED(size); ++i) {
        *next = 0;
        ++next;
    }
    return sum;
}

static inline int32_t take(const au_conv_t *conv, const au_value_t *const *rows, const cut_t *cut, int32_t column,
                           au_value_t *patch)
{
    const bool inside = (column >= 0) && (column < (int32_t)cut->inside);
    return inside ? copy(conv, rows, cut, (uint32_t)column, patch) : copy_any(conv, rows, column, patch);
}

/* Into `sums` of a pool, whose first row stores no values: pointers walk over the sums, which are larger. */
static void one_row(const au_conv_t *conv, const au_value_t *const *rows, uint32_t *sums, au_value_t *out)
{
    const au_row_t row = au_row(conv, sums, out == NULL);
    patches_t patches;
    const cut_t how = cut(conv);
    const uint32_t size = AU_FILLED((uint32_t)conv->kernel_w * conv->in_channels * conv->kernel_h);
    const int32_t stride = (int32_t)conv->stride_w;
    const au_piece_t piece = {{patches.values[0], patches.values[1]}, size};
    au_place_t place = au_first_place(conv, &row, (out != NULL) ? out : (au_value_t *)sums);
    int32_t column = -(int32_t)conv->pad_left;
    for (uint32_t x = 0; x < conv->out_width; x += 2u) {
        int32_t totals[2];
        const bool second = (x + 1u) < conv->out_width;
        if (!second) {
            place.beside = place.out;
        }
        totals[0] = take(conv, rows, &how, column, patches.values[0]);
        totals[1] = take(conv, rows, &how, second ? (column + stride) : column, patches.values[1]);
        au_two_columns(conv, &piece, &piece + 1, totals, &row, &place);
        au_next_place(conv, &place);
        column += 2 * stride;
    }
}

void au_conv_patched(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    one_row((const au_conv_t *)op, rows, NULL, out);
}

void au_conv_patched_pool(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out)
{
    (void)first; /* of two rows, and so without an output */
    one_row((const au_conv_t *)op, rows, (uint32_t *)sums, out);
}
