/* Blocks for Cortex-M4, M7 and M33 with values of two bytes; weights as au_packed.h describes them, values 0 and 1 in the first word
 * of four and 2 and 3 in the second. */
#ifndef AU_BLOCK_DSP16_H
#define AU_BLOCK_DSP16_H

#include "au_block.h"
#include "au_dsp.h"

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

/* Values of a gathered column: an even number keeps the next column on a word. */
#define AU_COLUMN(count) (((count) + 1u) & ~1u)

/* Add the values of a piece, column by column. */
static inline void au_add_values(uint32_t *first, uint32_t *second, const au_piece_t *piece)
{
    const int16_t *x0 = piece->values[0];
    const int16_t *x1 = piece->values[1];
    const int16_t *const end = x0 + piece->count;
    int32_t sum0 = (int32_t)*first;
    int32_t sum1 = (int32_t)*second;
    while (x0 != end) {
        sum0 = __smlad((int32_t)au_load4(x0), 0x00010001, sum0);
        sum1 = __smlad((int32_t)au_load4(x1), 0x00010001, sum1);
        x0 += 2;
        x1 += 2;
    }
    *first = (uint32_t)sum0;
    *second = (uint32_t)sum1;
}

#include "au_packed.h"

#endif
