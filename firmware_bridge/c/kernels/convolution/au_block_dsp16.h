/* Blocks for Cortex-M4, M7 and M33 with columns unpacked to halves, once for all channels; weights as au_packed.h
 * describes them, values 0 and 1 in the first word of four and 2 and 3 in the second. Unpacking leaves every four
 * values of a row in the order 0, 2, 1, 3. */
#ifndef AU_BLOCK_DSP16_H
#define AU_BLOCK_DSP16_H

#include "au_block.h"
#include "au_dsp.h"

typedef int16_t au_column_t;

/* Four values of two columns times four weights of two channels. */
#define AU_GROUP                           \
    "ldrd %[a], %[b], [%[w]], #8\n\t"      \
    "sxtb16 %[c], %[a], ror #8\n\t"        \
    "sxtb16 %[d], %[b], ror #8\n\t"        \
    "ldrd %[x], %[y], [%[x0]], #8\n\t"     \
    "smlad %[s00], %[x], %[a], %[s00]\n\t" \
    "smlad %[s01], %[x], %[c], %[s01]\n\t" \
    "smlad %[s00], %[y], %[b], %[s00]\n\t" \
    "smlad %[s01], %[y], %[d], %[s01]\n\t" \
    "ldrd %[x], %[y], [%[x1]], #8\n\t"     \
    "smlad %[s10], %[x], %[a], %[s10]\n\t" \
    "smlad %[s11], %[x], %[c], %[s11]\n\t" \
    "smlad %[s10], %[y], %[b], %[s10]\n\t" \
    "smlad %[s11], %[y], %[d], %[s11]\n\t"

/* Four values of a column as two words of halves. */
static inline void au_unpack(const au_column_t *values, int32_t words[2])
{
    words[0] = (int32_t)au_load4(values);
    words[1] = (int32_t)au_load4(values + 2);
}

/* Values of a gathered column: an even number keeps the next column on a word. */
#define AU_COLUMN(count) (((count) + 1u) & ~1u)

/* `count` values of a row go into a column and are added to its sum. Returns the end of the column so far. */
static inline au_column_t *au_take(au_column_t *to, const au_value_t *from, uint32_t count, int32_t *sum)
{
    const au_value_t *const end = from + count;
    int32_t total = *sum;
    for (; (end - from) >= 4; from += 4) {
        const uint32_t word = au_load4(from);
        const int32_t even = au_even(word);
        const int32_t odd = au_odd(word);
        total = __smlad(even, 0x00010001, total);
        total = __smlad(odd, 0x00010001, total);
        (void)memcpy(to, &even, sizeof(even));
        (void)memcpy(to + 2, &odd, sizeof(odd));
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

#endif
