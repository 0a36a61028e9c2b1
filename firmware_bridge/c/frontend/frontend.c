/* Frames out of a stream of samples. */
#include "frontend.h"

#include <string.h>

#include "frontend_parts.h"

#if defined(FRONTEND_VECTORS)
#include "frontend_mve.h"
#endif

enum { HALF = FRONTEND_FFT / 2, FRAME = 2, END = FRAME + FRONTEND_FFT };

void frontend_init(frontend_t *frontend)
{
    (void)memset(frontend, 0, sizeof *frontend);
    /* A centred first frame mirrors its right half into its left; the right half comes first. */
    frontend->filled = (FRONTEND_CENTRED != 0) ? HALF : 0;
}

void frontend_begin(frontend_t *frontend)
{
#if FRONTEND_RECORDING
    if ((frontend->filled % FRONTEND_HOP) != 0u) {
        frontend->filled = 0u;
    }
#else
    frontend_init(frontend);
#endif
}

#if defined(FRONTEND_VECTORS)
/* All pairs; returns the last product. */
static int32_t load_pairs(frontend_t *frontend, uint32_t shift, uint32_t *bits)
{
    frontend_range_t range = {0, 0};
    int32_t before = 0;
    size_t i;

    for (i = 0u; i < HALF; i += LANES) {
        range = lanes_load_pairs(&frontend->samples[FRAME + (2u * i)], &frontend_window[2u * i], &frontend_order[i],
                                 frontend->work.spectrum, shift, &before, range);
    }
    *bits = frontend_gather(*bits, range.most, range.least);
    return before;
}
#elif defined(FRONTEND_PACKED_HALVES) && defined(__OPTIMIZE__)
/* Two samples: a half of a register is a factor as it is. `odd` holds the window at first. */
#define PAIR(before, odd)                                   \
    "ldr %[free], [%[samples]], #4\n\t"                     \
    "ldrd %[even], %[" odd "], [%[window]], #8\n\t"         \
    "lsl %[free], %[free], %[shift]\n\t"                    \
    "smulwb %[even], %[even], %[free]\n\t"                  \
    "and %[free], %[free], %[mask]\n\t"                     \
    "smulwt %[" odd "], %[" odd "], %[free]\n\t"            \
    "sub %[re], %[even], %[" before "]\n\t"                 \
    "add %[re], %[re], %[" before "], asr #4\n\t"           \
    "sub %[" before "], %[" odd "], %[even]\n\t"            \
    "add %[" before "], %[" before "], %[even], asr #4\n\t" \
    "ldrh %[free], [%[order]], #2\n\t"                      \
    "add %[free], %[spectrum], %[free], lsl #3\n\t"         \
    "strd %[re], %[" before "], [%[free]]\n\t" FRONTEND_GATHER("%[bits]", "%[re]", "%[" before "]", "%[free]")

/* All pairs; returns the last product. */
static int32_t load_pairs(frontend_t *frontend, uint32_t shift, uint32_t *bits)
{
    const int16_t *samples = &frontend->samples[FRAME];
    const int32_t *window = frontend_window;
    const uint16_t *order = frontend_order;
    const uint32_t mask = UINT32_MAX << shift; /* without the lower sample, shifted into the upper */
    uint32_t left = HALF / 4u;
    int32_t before = 0;
    int32_t odd;
    int32_t even;
    int32_t re;
    uint32_t free;

    __asm__ volatile(
        "1:\n\t" PAIR("before", "odd") PAIR("odd", "before") PAIR("before", "odd")
            PAIR("odd", "before") "subs %[left], #1\n\t"
                                  "bne 1b"
        : [samples] "+r"(samples), [window] "+r"(window), [order] "+r"(order), [bits] "+r"(*bits), [left] "+r"(left),
          [before] "+r"(before), [odd] "=&r"(odd), [even] "=&r"(even), [re] "=&r"(re), [free] "=&r"(free)
        : [shift] "r"(shift - 16u), [mask] "r"(mask), [spectrum] "r"(frontend->work.spectrum)
        : "cc", "memory");
    return before;
}
#undef PAIR
#else
static int32_t load_pairs(frontend_t *frontend, uint32_t shift, uint32_t *bits)
{
    const int16_t *const samples = &frontend->samples[FRAME];
    int32_t before = 0;
    size_t i;

#pragma GCC unroll 4
    for (i = 0u; i < HALF; i++) {
        const int32_t even_sample = (int32_t)((uint32_t)(int32_t)samples[2u * i] << shift);
        const int32_t odd_sample = (int32_t)((uint32_t)(int32_t)samples[(2u * i) + 1u] << shift);
        const int32_t even = frontend_high(even_sample, frontend_window[2u * i]);
        const int32_t odd = frontend_high(odd_sample, frontend_window[(2u * i) + 1u]);
        frontend_complex_t *const pair = &frontend->work.spectrum[frontend_order[i]].bin;

        pair->re = even - before + (before >> 4);
        pair->im = odd - even + (even >> 4);
        *bits = frontend_gather(*bits, pair->re, pair->im);
        before = odd;
    }
    return before;
}
#endif

/* Samples of the frame, scaled up by `shift`, 16 at least, times the window, and from each 15/16 of the one before
 * subtracted: lung sounds are loudest at the lowest frequencies, and integers are spent on what is large. The bands'
 * weights undo it. Returns the gathered bits of all. */
static uint32_t load_frame(frontend_t *frontend, uint32_t shift)
{
    frontend_complex_t *const first = &frontend->work.spectrum[0].bin;
    uint32_t bits = 0u;
    const int32_t last = load_pairs(frontend, shift, &bits);

    /* The window begins with zero, so that the frame's last sample stands alone before its first. */
    first->re = (last >> 4) - last;
    return frontend_gather(bits, first->re, first->im);
}

static void make_row(frontend_t *frontend)
{
    uint32_t bits = 0u;
    uint32_t residues;
    int32_t width;
    int32_t exponent;
    size_t i;

    /* Two samples at a time: where a bit differs from the one below it, the sample is at least so wide. */
#pragma GCC unroll 8
    for (i = FRAME; i < END; i += 2u) {
        uint32_t two;

        (void)memcpy(&two, &frontend->samples[i], sizeof two);
        bits |= two ^ (two << 1);
    }
    bits = (bits | (bits >> 16)) & 0xFFFEu;
    width = frontend_width(bits >> 1);
    width = (width > FRONTEND_LEAST_WIDTH) ? width : FRONTEND_LEAST_WIDTH;
    /* A sample of 15 bits and sign, scaled up to 31; the product with the window keeps 30. */
    exponent = width - (15 + 30);
    bits = load_frame(frontend, 31u - (uint32_t)width);
    exponent += frontend_power(frontend->work.spectrum, bits);
    residues = frontend_quantize(frontend->work.spectrum, exponent, frontend->out.codes);
#if FRONTEND_RECORDING
    (void)residues; /* levels are what the quick transform gives */
    frontend_subtract_mean(&frontend->mean, frontend->out.codes, frontend->out.row);
#else
    if (residues != 0u) {
        frontend_repeat(&frontend->work.exact, &frontend->samples[FRAME], residues, exponent, frontend->out.codes);
    }
#endif
}

/* The frame is whole: its row, and room for the next hop. */
static void complete(frontend_t *frontend)
{
    size_t i;

    if ((FRONTEND_CENTRED != 0) && !frontend->started) {
        for (i = 1u; i < HALF; i++) {
            frontend->samples[FRAME + HALF - i] = frontend->samples[FRAME + HALF + i];
        }
    }
    frontend->started = true;
    make_row(frontend);
    (void)memmove(frontend->samples, &frontend->samples[FRONTEND_HOP],
                  (END - FRONTEND_HOP) * sizeof frontend->samples[0]);
    frontend->filled = FRONTEND_FFT - FRONTEND_HOP;
}

size_t frontend_push(frontend_t *frontend, const int16_t *pcm, size_t count, const int8_t **row)
{
    const size_t room = (size_t)FRONTEND_FFT - frontend->filled;
    const size_t taken = (count < room) ? count : room;

    *row = NULL;
    if (taken > 0u) {
        (void)memcpy(&frontend->samples[FRAME + frontend->filled], pcm, taken * sizeof *pcm);
        frontend->filled = (uint16_t)(frontend->filled + taken);
    }
    if (frontend->filled == FRONTEND_FFT) {
        complete(frontend);
        *row = frontend->out.row;
    }
    return taken;
}

const int8_t *frontend_finish(frontend_t *frontend)
{
    /* The sound ended here; a frame counts while its centre lies no further. */
    const int32_t end = (int32_t)frontend->filled - (int32_t)frontend->beyond;

    if ((FRONTEND_CENTRED == 0) || (end < HALF)) {
        return NULL;
    }
    while (frontend->filled < FRONTEND_FFT) {
        int16_t *const next = &frontend->samples[FRAME + frontend->filled];

        frontend->beyond++;
        /* Two steps back for every step beyond. */
        *next = *(next - (2u * frontend->beyond));
        frontend->filled++;
    }
    complete(frontend);
    return frontend->out.row;
}
