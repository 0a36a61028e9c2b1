/* Convolution in plain C: two output columns and two output channels at a time, so that four loads feed four products.
 */
#include "au_conv.h"

/* Values under an output column, where they are so few that they are copied into one run: the kernel's rows are too
 * short to run along. */
#define GATHERED 48u

/* Two neighbouring output columns, or one where their number is odd. */
typedef struct {
    uint32_t count;
    int32_t left[2]; /* the first input column under each */
    uint32_t run; /* kernel columns that lie in a row: all, or one if dilation or an edge of the tensor comes between */
} place_t;

/* What becomes of two channels in those columns. */
typedef struct {
    const int8_t *weights; /* the first channel's next */
    uint32_t apart;        /* from there to the second channel's */
    int32_t sums[2][2];    /* [column][channel] */
} block_t;

#ifndef AU_FEW_REGISTERS
static inline void add_products(int32_t sums[2][2], int32_t left, int32_t right, int32_t first, int32_t second)
{
    sums[0][0] += left * first;
    sums[0][1] += left * second;
    sums[1][0] += right * first;
    sums[1][1] += right * second;
}
#endif

/* Runs of both columns, `right` being NULL if there is one only. */
AU_OUT_OF_LINE static void add_run(block_t *block, const au_value_t *left, const au_value_t *right, uint32_t count)
{
    const int8_t *const first = block->weights;
    const int8_t *const second = first + block->apart;
    uint32_t done = 0;
#ifndef AU_FEW_REGISTERS
    if (right != NULL) {
        done = count & ~3u;
        int32_t sums[2][2] = {{block->sums[0][0], block->sums[0][1]}, {block->sums[1][0], block->sums[1][1]}};
        for (uint32_t i = 0; i != done; i += 4u) {
            add_products(sums, left[i], right[i], first[i], second[i]);
            add_products(sums, left[i + 1u], right[i + 1u], first[i + 1u], second[i + 1u]);
            add_products(sums, left[i + 2u], right[i + 2u], first[i + 2u], second[i + 2u]);
            add_products(sums, left[i + 3u], right[i + 3u], first[i + 3u], second[i + 3u]);
        }
        block->sums[0][0] = sums[0][0];
        block->sums[0][1] = sums[0][1];
        block->sums[1][0] = sums[1][0];
        block->sums[1][1] = sums[1][1];
    }
#endif
    au_add_to_two(block->sums[0], left + done, first + done, second + done, count - done);
    if (right != NULL) {
        au_add_to_two(block->sums[1], right + done, first + done, second + done, count - done);
    }
    block->weights += count;
}

static place_t place_of(const au_conv_t *conv, uint32_t x)
{
    const uint32_t count = ((x + 1u) < conv->out_width) ? 2u : 1u;
    const int32_t left = (int32_t)(x * conv->stride_w) - (int32_t)conv->pad_left;
    const int32_t right = left + (int32_t)conv->stride_w;
    const int32_t end = ((count == 2u) ? right : left) + (int32_t)conv->kernel_w;
    const bool whole = (conv->dilation_w == 1u) && (left >= 0) && (end <= (int32_t)conv->in_width);
    const place_t place = {count, {left, right}, whole ? conv->kernel_w : 1u};
    return place;
}

/* What lies in a row under kernel column `k`; a column before the first wraps round to beyond the last. */
static inline const au_value_t *values_at(const au_conv_t *conv, const au_value_t *row, int32_t left, uint32_t k)
{
    const uint32_t column = (uint32_t)left + (k * conv->dilation_w);
    return (column < conv->in_width) ? (row + (column * conv->in_channels)) : conv->outside;
}

static void gather(const au_conv_t *conv, const au_value_t *const *rows, int32_t left, uint32_t run, au_value_t *values)
{
    const uint32_t count = run * conv->in_channels;
    au_value_t *next = values;
    for (uint32_t y = 0; y < conv->kernel_h; ++y) {
        for (uint32_t k = 0; k < conv->kernel_w; k += run) {
            const au_value_t *const from = values_at(conv, rows[y], left, k);
            for (uint32_t i = 0; i < count; ++i) {
                next[i] = from[i];
            }
            next += count;
        }
    }
}

/* All that lies under one output column, if it is one run or is made one in `values`; NULL otherwise. */
static const au_value_t *run_of(const au_conv_t *conv, const au_value_t *const *rows, int32_t left, uint32_t run,
                                au_value_t *values)
{
    const au_value_t *all = NULL;
    if (((uint32_t)conv->kernel_h * conv->kernel_w * conv->in_channels) <= GATHERED) {
        gather(conv, rows, left, run, values);
        all = values;
    } else if ((conv->kernel_h == 1u) && (run == conv->kernel_w)) {
        all = values_at(conv, rows[0], left, 0);
    } else {
        /* rows apart */
    }
    return all;
}

/* Every kernel row where it lies. */
static void add_rows(const au_conv_t *conv, const au_value_t *const *rows, const place_t *place, block_t *block)
{
    const uint32_t count = place->run * conv->in_channels;
    for (uint32_t y = 0; y < conv->kernel_h; ++y) {
        for (uint32_t k = 0; k < conv->kernel_w; k += place->run) {
            const au_value_t *const left = values_at(conv, rows[y], place->left[0], k);
            const au_value_t *const right = (place->count == 2u) ? values_at(conv, rows[y], place->left[1], k) : NULL;
            add_run(block, left, right, count);
        }
    }
}

static void finish(const au_conv_t *conv, const block_t *block, uint32_t columns, uint32_t channel, au_value_t *out)
{
    const uint32_t channels = conv->out_channels;
    const int32_t zero = conv->out_zero;
    const int32_t low = conv->low;
    const int32_t high = conv->high;
    for (uint32_t c = 0; (c < 2u) && ((channel + c) < channels); ++c) {
        const int32_t multiplier = conv->multiplier[channel + c];
        const int32_t shift = conv->shift[channel + c];
        au_value_t *next = out + channel + c;
        for (uint32_t i = 0; i < columns; ++i) {
            *next = (au_value_t)au_clamp(au_plus(au_requantize(block->sums[i][c], multiplier, shift), zero), low, high);
            next += channels;
        }
    }
}

void au_conv(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_conv_t *const conv = (const au_conv_t *)op;
    const uint32_t patch = (uint32_t)conv->kernel_h * conv->kernel_w * conv->in_channels;
    au_value_t values[2][GATHERED];
    au_value_t *here = out;
    for (uint32_t x = 0; x < conv->out_width; x += 2u) {
        const place_t place = place_of(conv, x);
        const au_value_t *const left = run_of(conv, rows, place.left[0], place.run, values[0]);
        const au_value_t *const right =
            (place.count == 2u) ? run_of(conv, rows, place.left[1], place.run, values[1]) : NULL;
        const int8_t *weights = conv->weights;
        for (uint32_t c = 0; c < conv->out_channels; c += 2u) {
            /* The last of an odd number of channels is paired with itself. */
            const uint32_t step = ((c + 1u) < conv->out_channels) ? 1u : 0u;
            const int32_t first = conv->bias[c];
            const int32_t second = conv->bias[c + step];
            block_t block = {weights, step * patch, {{first, second}, {first, second}}};
            if (left != NULL) {
                add_run(&block, left, right, patch);
            } else {
                add_rows(conv, rows, &place, &block);
            }
            finish(conv, &block, place.count, c, here);
            weights += (1u + step) * patch;
        }
        here += place.count * conv->out_channels;
    }
}
