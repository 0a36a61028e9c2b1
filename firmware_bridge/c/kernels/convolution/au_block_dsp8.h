/* Blocks for Cortex-M4, M7 and M33 with columns of bytes; weights as au_packed.h describes them, values 0 and 2 in the
 * first word of four and 1 and 3 in the second. */
#ifndef AU_BLOCK_DSP8_H
#define AU_BLOCK_DSP8_H

#include "au_block.h"
#include "au_dsp.h"

typedef int8_t au_column_t;

/* Four values of two columns times four weights of two channels. */
#define AU_GROUP                           \
    "ldrd %[a], %[b], [%[w]], #8\n\t"      \
    "ldr %[x], [%[x0]], #4\n\t"            \
    "sxtb16 %[c], %[a], ror #8\n\t"        \
    "sxtb16 %[d], %[b], ror #8\n\t"        \
    "sxtb16 %[y], %[x]\n\t"                \
    "sxtb16 %[x], %[x], ror #8\n\t"        \
    "smlad %[s00], %[y], %[a], %[s00]\n\t" \
    "smlad %[s01], %[y], %[c], %[s01]\n\t" \
    "smlad %[s00], %[x], %[b], %[s00]\n\t" \
    "smlad %[s01], %[x], %[d], %[s01]\n\t" \
    "ldr %[x], [%[x1]], #4\n\t"            \
    "sxtb16 %[y], %[x]\n\t"                \
    "sxtb16 %[x], %[x], ror #8\n\t"        \
    "smlad %[s10], %[y], %[a], %[s10]\n\t" \
    "smlad %[s11], %[y], %[c], %[s11]\n\t" \
    "smlad %[s10], %[x], %[b], %[s10]\n\t" \
    "smlad %[s11], %[x], %[d], %[s11]\n\t"

/* Four values of a column as two words of halves. */
static inline void au_unpack(const au_column_t *values, int32_t words[2])
{
    const uint32_t four = au_load4(values);
    words[0] = au_even(four);
    words[1] = au_odd(four);
}

/* Values of a gathered column. */
#define AU_COLUMN(count) (count)

/* Adds four values, each 128 more than it is: a byte whose sign is turned has none. */
static inline uint32_t au_add_raised4(uint32_t sum, uint32_t values)
{
    return __usada8(values ^ 0x80808080u, 0u, sum);
}

/* Adds four values. */
static inline int32_t au_add4(int32_t sum, uint32_t values)
{
    return (int32_t)au_add_raised4((uint32_t)sum - 512u, values);
}

/* `count` values of a row go into a column and are added to its sum. Returns the end of the column so far. */
static inline au_column_t *au_take(au_column_t *to, const au_value_t *from, uint32_t count, int32_t *sum)
{
    const au_value_t *const end = from + count;
    int32_t total = *sum;
    for (; (end - from) >= 4; from += 4) {
        const uint32_t word = au_load4(from);
        total = au_add4(total, word);
        (void)memcpy(to, &word, sizeof(word));
        to += 4;
    }
    for (; from != end; ++from) {
        total += *from;
        *to = *from;
        ++to;
    }
    *sum = total;
    return to;
}

#include "au_packed.h"

/* Add up the values of kernel rows in place, which are whole groups. */
static inline void au_sum_up(const au_piece_t *pieces, const au_piece_t *last, int32_t sums[2])
{
    uint32_t first = 0;
    uint32_t second = 0;
    uint32_t count = 0;
    for (const au_piece_t *piece = pieces; piece != last; ++piece) {
        for (uint32_t i = 0; i < piece->count; i += 4u) {
            first = au_add_raised4(first, au_load4(piece->values[0] + i));
            second = au_add_raised4(second, au_load4(piece->values[1] + i));
        }
        count += piece->count;
    }
    sums[0] = (int32_t)(first - (128u * count));
    sums[1] = (int32_t)(second - (128u * count));
}

#endif
