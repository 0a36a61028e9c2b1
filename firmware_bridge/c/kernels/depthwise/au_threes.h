/* The innermost work of au_depthwise_threes.c: kernels of 3 x 3 over two output columns of two channels. */
#ifndef AU_THREES_H
#define AU_THREES_H

#include "au_rescale.h"

/* What is known of two channels, in words (specialise/depthwise.py): twice their biases; of each kernel column twice
 * the weights, the upper two of either channel as halves of a word, then the lowest of both; of each channel two words
 * that au_rescale.h wants; and a half each that says how it is scaled. In the first two of four, STRANGE is set if
 * au_finish_clamped() is for one of the four. */
enum { BIAS = 0, WEIGHTS = 2, SCALE = 11, SECOND_SCALE = 13, HOW = 15, WORDS_OF_TWO = 16 };
#define STRANGE 0x8000

/* What two output columns have in common: the second lies over the first's next input column, or over its last, or
 * nothing. Then four, five or six input columns lie under both, in the order in which kernel columns want them: the
 * first output column's and the second's for one kernel column, then for the next. OVERLAPPING takes the last kernel
 * column second, so that it meets the input column in common again at once. */
typedef enum { SHARED, OVERLAPPING, APART } common_t;

enum { MOST_COLUMNS = (AU_THREES_APART != 0) ? 6 : ((AU_THREES_OVERLAPPING != 0) ? 5 : 4) };

/* Where two output columns come from, three values of an input column, top first, the last column last; and where they
 * go to. If there is no second column, it lies where the first does. */
typedef struct {
    const au_value_t *under[3 * MOST_COLUMNS];
    au_value_t *out;
    au_value_t *beside;
    uint32_t last; /* where four channels can begin */
} place_t;

static inline uint32_t columns_under(common_t common)
{
    return 4u + (uint32_t)common;
}

static inline const au_value_t **first_under(place_t *place, common_t common)
{
    return place->under + (3u * (MOST_COLUMNS - columns_under(common)));
}

/* Channels of two output columns by fours, whose values lie `at` behind every pointer of `place`, as far as they are
 * not STRANGE. Returns what is known of the next. In assembly, for compilers load ahead until they run out of
 * registers; they are named since LDM loads in their order. */
#ifdef AU_FINISHES
#define COLUMN(turn)                \
    "ldmia r12!, {r0, r1, r2}\n\t"  \
    "ldr r0, [r0, r14]\n\t"         \
    "ldr r1, [r1, r14]\n\t"         \
    "ldr r2, [r2, r14]\n\t"         \
    "sxtb16 r0, r0" turn "\n\t"     \
    "sxtb16 r1, r1" turn "\n\t"     \
    "sxtb16 r2, r2" turn "\n\t"     \
    "pkhbt r3, r0, r1, lsl #16\n\t" \
    "pkhtb r1, r1, r0, asr #16\n\t"
#define NEXT_WEIGHTS "ldmia r7!, {r4, r5, r6}\n\t"
#define ADD(first, second)                     \
    "smlad " first ", r3, r4, " first "\n\t"   \
    "smlad " second ", r1, r5, " second "\n\t" \
    "smlabb " first ", r2, r6, " first "\n\t"  \
    "smlatt " second ", r2, r6, " second "\n\t"
#define BOTH(turn) NEXT_WEIGHTS COLUMN(turn) ADD("r8", "r9") COLUMN(turn) ADD("r10", "r11")
#define SECOND(turn) NEXT_WEIGHTS ADD("r8", "r9") COLUMN(turn) ADD("r10", "r11")
#define COLUMNS_SHARED(turn) BOTH(turn) SECOND(turn) SECOND(turn)
#define COLUMNS_OVERLAPPING(turn) BOTH(turn) SECOND(turn) BOTH(turn)
#define COLUMNS_APART(turn) BOTH(turn) BOTH(turn) BOTH(turn)
#define TWO_CHANNELS(columns, lane, second)                                                                           \
    "ldmia r7!, {r8, r9}\n\t"                                                                                         \
    "mov r10, r8\n\t"                                                                                                 \
    "mov r11, r9\n\t" columns "ldmia r7!, {r0, r1, r2, r3, r4}\n\t" AU_FINISH("", "") "ldmia r12, {r5, r6}\n\t"       \
                                                                                      "strb r10, [r6, #" lane "]\n\t" \
                                                                                      "strb r11, [r6, #" second       \
                                                                                      "]\n\t"                         \
                                                                                      "strb r8, [r5, #" lane "]\n\t"  \
                                                                                      "strb r9, [r5, #" second "]\n\t"
#define BY_FOURS(columns, back)                                                                                 \
    __asm volatile("0:\n\t"                                                                                     \
                   "ldr r0, [r7, #60]\n\t" /* HOW */                                                            \
                   "lsls r0, r0, #16\n\t"                                                                       \
                   "bmi 9f\n\t" TWO_CHANNELS(columns(""), "0", "2") "sub r12, r12, #" back "\n\t" TWO_CHANNELS( \
                       columns(", ror #8"), "1", "3") "add r5, r5, #4\n\t"                                      \
                                                      "add r6, r6, #4\n\t"                                      \
                                                      "stmia r12, {r5, r6}\n\t"                                 \
                                                      "ldr r0, [r12, #8]\n\t"                                   \
                                                      "sub r12, r12, #" back "\n\t"                             \
                                                      "add r14, r14, #4\n\t"                                    \
                                                      "cmp r14, r0\n\t"                                         \
                                                      "bls 0b\n"                                                \
                                                      "9:\n\t"                                                  \
                   : "+r"(p), "+r"(w), "+r"(here)                                                               \
                   :                                                                                            \
                   : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "cc", "memory")

AU_DISSOLVED const int32_t *by_fours(const int32_t *known, place_t *place, uint32_t *at, common_t common)
{
    register const au_value_t *const *p __asm("r12") = first_under(place, common);
    register const int32_t *w __asm("r7") = known;
    register uint32_t here __asm("r14") = *at;
    if (common == SHARED) {
        BY_FOURS(COLUMNS_SHARED, "48");
    } else if (common == OVERLAPPING) {
        BY_FOURS(COLUMNS_OVERLAPPING, "60");
    } else {
        BY_FOURS(COLUMNS_APART, "72");
    }
    *at = here;
    return w;
}
#endif

/* Add one input column that lies under one output column. */
static inline void add_column(int32_t sums[2], const au_value_t *const *under, uint32_t at, bool odd,
                              const int32_t *weights)
{
    uint32_t two[3];
    for (uint32_t i = 0; i < 3u; ++i) {
        const uint32_t four = au_load4(under[i] + at);
        two[i] = (uint32_t)(odd ? au_odd(four) : au_even(four));
    }
    const uint32_t low = (two[0] & 0xFFFFu) | (two[1] << 16);
    const uint32_t high = (two[0] >> 16) | (two[1] & 0xFFFF0000u);
    sums[0] = __smlabb((int32_t)two[2], weights[2], __smlad((int32_t)low, weights[0], sums[0]));
    sums[1] = __smlatt((int32_t)two[2], weights[2], __smlad((int32_t)high, weights[1], sums[1]));
}

/* Twice the sums of two channels in one of two output columns. */
static inline void add_columns(int32_t sums[2], const int32_t *known, const au_value_t *const *under, uint32_t at,
                               bool odd, common_t common)
{
    sums[0] = known[BIAS];
    sums[1] = known[BIAS + 1];
    for (uint32_t k = 0; k < 3u; ++k) {
        const uint32_t passed = (common == APART) ? (2u * k) : ((common == SHARED) ? k : (k + (k / 2u)));
        add_column(sums, under + (3u * passed), at, odd, known + WEIGHTS + (3u * k));
    }
}

#endif
