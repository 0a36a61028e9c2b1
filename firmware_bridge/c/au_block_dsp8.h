/* Blocks for Cortex-M4, M7 and M33 with values of one byte; weights as au_packed.h describes them, values 0 and 2 in the first word
 * of four and 1 and 3 in the second. */
#ifndef AU_BLOCK_DSP8_H
#define AU_BLOCK_DSP8_H

#include "au_block.h"
#include "au_dsp.h"

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

/* Values of a gathered column. */
#define AU_COLUMN(count) (count)

/* Add the values of a piece, column by column: a byte whose sign is turned is 128 more, without a sign. */
static inline void au_add_values(uint32_t *first, uint32_t *second, const au_piece_t *piece)
{
    const int8_t *x0 = piece->values[0];
    const int8_t *x1 = piece->values[1];
    const int8_t *const end = x0 + piece->count;
    uint32_t sum0 = *first - (piece->count * 128u);
    uint32_t sum1 = *second - (piece->count * 128u);
    while (x0 != end) {
        sum0 = __usada8(au_load4(x0) ^ 0x80808080u, 0u, sum0);
        sum1 = __usada8(au_load4(x1) ^ 0x80808080u, 0u, sum1);
        x0 += 4;
        x1 += 4;
    }
    *first = sum0;
    *second = sum1;
}

#include "au_packed.h"

#endif
