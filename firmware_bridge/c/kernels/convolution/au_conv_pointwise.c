/* Convolution of 1 x 1 for Cortex-M4, M7 and M33: two columns at a time where they lie, as au_conv_paired.c does it,
 * but without pieces to look for; what is known of two channels lies around their weights. A last column without
 * another beside it is made alone. */
#include "au_conv.h"

#include AU_BLOCK_IN_PLACE

/* Words before two channels' weights, which begin what au_packed.h lists, and words behind them, which end it but for
 * the last: how either is scaled, a half each. */
enum { BEFORE = AU_SCALE, BEHIND = AU_WORDS_OF_PAIR - AU_SCALE };

/* In either half: whether the channel is AU_OTHERWISE. The highest bit says that no others follow. */
#define EITHER_OTHERWISE 0x00600060u

/* Two columns of input, and 128 times the sum of each; where their next channels go. If there is no second column, it
 * lies where the first does. */
typedef struct {
    const au_column_t *values[2];
    int32_t excess[2];
    au_value_t *to[2];
    uint32_t bytes; /* of two channels' weights */
} place_t;

/* Sums of two channels, one behind the other, in two columns. */
typedef struct {
    int32_t of[2][2];
} sums_t;

/* Sums of two channels become values, however they are scaled and clamped; `scale` is what lies behind their weights.
 */
AU_OUT_OF_LINE static void finish(const au_conv_t *conv, const int32_t *scale, const sums_t *sums, place_t *place)
{
    const int32_t how = scale[AU_HOW - AU_SCALE];
    const int32_t second = (int32_t)((uint32_t)how >> AU_SECOND_HALF);
    const int32_t *const second_scale = scale + (AU_SECOND_SCALE - AU_SCALE);
    for (uint32_t column = 2; column > 0u; --column) {
        const int32_t *const sum = sums->of[column - 1u];
        au_value_t *const out = place->to[column - 1u];
        out[0] = (au_value_t)au_finish_clamped(sum[0], scale, how, conv->out_zero, conv->low, conv->high);
        out[1] = (au_value_t)au_finish_clamped(sum[1], second_scale, second, conv->out_zero, conv->low, conv->high);
        place->to[column - 1u] = out + 2;
    }
}

/* The next channels of two columns, or of the first `alone`, up to two that need finish(), whose sums are then left, or
 * to the last. Returns where the weights of the next are. */
#ifdef AU_FINISHES
/* AU_GROUP for the first column alone. */
#define GROUP_ALONE                        \
    "ldrd %[a], %[b], [%[w]], #8\n\t"      \
    "ldr %[x], [%[x0]], #4\n\t"            \
    "sxtb16 %[c], %[a], ror #8\n\t"        \
    "sxtb16 %[d], %[b], ror #8\n\t"        \
    "sxtb16 %[y], %[x]\n\t"                \
    "sxtb16 %[x], %[x], ror #8\n\t"        \
    "smlad %[s00], %[y], %[a], %[s00]\n\t" \
    "smlad %[s01], %[y], %[c], %[s01]\n\t" \
    "smlad %[s00], %[x], %[b], %[s00]\n\t" \
    "smlad %[s01], %[x], %[d], %[s01]\n\t"
#define FIRST               \
    "strb r8, [r6], #1\n\t" \
    "strb r9, [r6], #1\n\t"
#define SECOND               \
    "strb r10, [r7], #1\n\t" \
    "strb r11, [r7], #1\n\t"
#define CHANNELS(group, store)                                                                                     \
    __asm volatile("0:\n\t"                                                                                        \
                   "ldr %[left], %[bytes]\n\t"                                                                     \
                   "ldrd %[s00], %[s01], [%[w]], #8\n\t"                                                           \
                   "ldrd %[a], %[b], %[excess]\n\t"                                                                \
                   "ldrd %[x0], %[x1], %[values]\n\t"                                                              \
                   "mov %[s11], %[s01]\n\t"                                                                        \
                   "sub %[s10], %[s00], %[b]\n\t"                                                                  \
                   "sub %[s00], %[s00], %[a]\n\t" AU_GROUPS(                                                       \
                       group) "ldmia %[w]!, {r0, r1, r2, r3, r4}\n\t"                                              \
                              "sub r8, r8, r9, lsl #8\n\t"                                                         \
                              "sub r10, r10, r11, lsl #8\n\t" AU_FINISH(                                           \
                                  AU_DOUBLING, AU_LEAVING) "ldrd r6, r7, %[to]\n\t" store "strd r6, r7, %[to]\n\t" \
                                                           "lsls r0, r4, #16\n\t"                                  \
                                                           "bpl 0b\n"                                              \
                                                           "9:\n\t"                                                \
                   : [s00] "=&r"(s00), [s01] "=&r"(s01), [s10] "=&r"(s10), [s11] "=&r"(s11), [x0] "=&r"(x0),       \
                     [x1] "=&r"(x1), [w] "+r"(w), [left] "=&r"(left), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c),    \
                     [d] "=&r"(d), [x] "=&r"(x), [y] "=&r"(y), [to] "+m"(place->to)                                \
                   : [values] "m"(place->values), [excess] "m"(place->excess), [bytes] "m"(place->bytes)           \
                   : "cc", "memory")

/* Registers are named as LDM and AU_FINISH want them, and all of them, since there is none to spare. */
AU_DISSOLVED const int8_t *channels(const au_conv_t *conv, place_t *place, const int8_t *weights, bool alone)
{
    register uint32_t a __asm("r0");
    register uint32_t b __asm("r1");
    register uint32_t c __asm("r2");
    register uint32_t d __asm("r3");
    register uint32_t x __asm("r4");
    register uint32_t y __asm("r5");
    register const au_column_t *x0 __asm("r6");
    register const au_column_t *x1 __asm("r7");
    register int32_t s00 __asm("r8");
    register int32_t s01 __asm("r9");
    register int32_t s10 __asm("r10");
    register int32_t s11 __asm("r11");
    register const int8_t *w __asm("r12") = weights;
    register uint32_t left __asm("r14");
    if (alone) {
        CHANNELS(GROUP_ALONE, FIRST "mov r7, r6\n\t");
    } else {
        CHANNELS(AU_GROUP, FIRST SECOND);
    }
    if ((x & EITHER_OTHERWISE) != 0u) {
        const sums_t sums = {{{s00, s01}, {s10, s11}}};
        const int8_t *const behind = w;
        finish(conv, (const int32_t *)(const void *)(behind - (BEHIND * 4)), &sums, place);
        return behind;
    }
    return w;
}
#else
AU_DISSOLVED const int8_t *channels(const au_conv_t *conv, place_t *place, const int8_t *weights, bool alone)
{
    const au_piece_t piece = {{place->values[0], place->values[1]}, place->bytes / 2u};
    const int32_t *const before = (const int32_t *)(const void *)weights;
    const uint32_t both = (uint32_t)before[AU_BOTH];
    au_block_t block = {(int32_t)(both - (uint32_t)place->excess[0]), before[AU_SECOND],
                        (int32_t)(both - (uint32_t)place->excess[1]), before[AU_SECOND]};
    const int8_t *const behind = au_accumulate(&block, &piece, weights + (BEFORE * 4));
    const sums_t sums = {{{(int32_t)((uint32_t)block.s00 - ((uint32_t)block.s01 * 256u)), block.s01},
                          {(int32_t)((uint32_t)block.s10 - ((uint32_t)block.s11 * 256u)), block.s11}}};
    (void)alone;
    finish(conv, (const int32_t *)(const void *)behind, &sums, place);
    return behind + (BEHIND * 4);
}
#endif

/* All channels of two columns, or of the first `alone`. */
AU_DISSOLVED void all_channels(const au_conv_t *conv, place_t *place, bool alone)
{
    const au_piece_t piece = {{place->values[0], place->values[alone ? 0 : 1]}, conv->in_channels};
    const au_value_t *const last = place->to[0] + conv->out_channels;
    const int8_t *weights = conv->weights;
    int32_t sums[2];
    au_sum_up(&piece, &piece + 1, sums);
    place->excess[0] = sums[0] * 128;
    place->excess[1] = sums[1] * 128;
    do {
        weights = channels(conv, place, weights, alone);
    } while (place->to[0] != last);
}

void au_conv_pointwise(const void *op, const au_value_t *const *rows, au_value_t *out)
{
    const au_conv_t *const conv = (const au_conv_t *)op;
    const uint32_t apart = (uint32_t)conv->stride_w * conv->in_channels;
    place_t place = {{rows[0], rows[0] + apart}, {0, 0}, {out, out + conv->out_channels}, 2u * conv->in_channels};
    for (uint32_t x = 1; x < conv->out_width; x += 2u) {
        all_channels(conv, &place, false);
        place.values[0] += 2u * apart;
        place.values[1] += 2u * apart;
        place.to[0] = place.to[1];
        place.to[1] += conv->out_channels;
    }
    if ((conv->out_width % 2u) != 0u) { /* there is no second column */
        place.values[1] = place.values[0];
        place.to[1] = place.to[0];
        all_channels(conv, &place, true);
    }
}
