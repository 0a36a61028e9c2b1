/* Power spectrum of real samples in block floating point.
 *
 * FRONTEND_FFT / 2 pairs of samples as complex numbers; decimation in time, in place, radices 8 (first stage only), 4
 * and 5; then the split into the spectrum of the real sequence. Before each stage all values share a shift that leaves
 * room for the stage's growth; stages gather the bits of the magnitudes that they write. */
#include "frontend_butterflies.h"
#include "frontend_parts.h"

/* One stage after the first. */
DISSOLVED uint32_t stage(frontend_bin_t *spectrum, size_t radix, size_t length, const frontend_complex_t *twiddles,
                         uint32_t shift, bool last)
{
    uint32_t bits = 0u;
    size_t block;
    size_t k;

    (void)last;
    for (block = 0u; block < PAIRS; block += radix * length) {
        const frontend_complex_t *twiddle = twiddles;

#if defined(FRONTEND_VECTORS) && FRONTEND_RADIX_4
        if ((radix == 4u) && ((length % LANES) == 0u)) {
            frontend_range_t range = {0, 0};

            for (k = 0u; k < length; k += LANES) {
                range = lanes_join_4(&spectrum[block + k], length, &twiddle[3u * k], shift, last, range);
            }
            bits = frontend_gather(bits, range.most, range.least);
            continue;
        }
#elif defined(FRONTEND_JOIN_4)
        if ((radix == 4u) && ((3u * length * sizeof spectrum[0]) < 1024u)) {
            bits = join_4_row(&spectrum[block], length, twiddle, shift, last, bits);
            continue;
        }
#endif
        for (k = block; k < (block + length); k++) {
#if FRONTEND_RADIX_4
            if (radix == 4u) {
                bits = join_4(&spectrum[k], length, twiddle, shift, last, bits);
            }
#endif
#if FRONTEND_RADIX_5
            if (radix == 5u) {
                bits = join_5(&spectrum[k], length, twiddle, shift, bits);
            }
#endif
            twiddle = &twiddle[radix - 1u];
        }
    }
    return bits;
}

static uint64_t power(int32_t re, int32_t im)
{
    return (uint64_t)(((int64_t)re * re) + ((int64_t)im * im));
}

/* Spectrum of pairs to power spectrum of single samples, two bins at a time. */
static void split(frontend_bin_t *spectrum, uint32_t shift)
{
    const frontend_complex_t zero = shift_right(spectrum[0].bin, shift);
    size_t k;

    spectrum[0].power = power(zero.re + zero.im, 0);
    spectrum[PAIRS].power = power(zero.re - zero.im, 0);
#if defined(FRONTEND_VECTORS)
    for (k = 1u; k < ODD_PAIR; k += LANES) {
        lanes_split(&spectrum[k], &spectrum[PAIRS - k], &frontend_split[k], shift);
    }
#endif
    for (k = ODD_PAIR; k <= (PAIRS / 2); k++) {
        const frontend_complex_t a = shift_right(spectrum[k].bin, shift);
        const frontend_complex_t b = shift_right(spectrum[PAIRS - k].bin, shift);
        const frontend_complex_t difference = {a.re - b.re, a.im + b.im};
        const frontend_complex_t turned = rotate(difference, frontend_split[k]);
        const int32_t re = (a.re + b.re) >> 1;
        const int32_t im = (a.im - b.im) >> 1;

        spectrum[k].power = power(re + turned.im, im - turned.re);
        spectrum[PAIRS - k].power = power(re - turned.im, im + turned.re);
    }
}

/* Shift that leaves `room` bits. */
static uint32_t excess(uint32_t bits, int32_t room)
{
    const int32_t width = frontend_width(frontend_bits(bits));

    return (width > room) ? (uint32_t)(width - room) : 0u;
}

/* Shift before a stage. Rotations halve, and radix 5 halves once more. After the first stage complex magnitudes stay
 * below 2^30.5, and sums of five fit as they are; after a stage of five a shift of one always does for the next. A last
 * stage of four leaves magnitudes below 2^29.5, which need no shift before the split. */
#define SHIFT_4_AFTER_4(last) excess(bits, ROOM + 1 - (last))
#define SHIFT_4_AFTER_8(last) excess(bits, ROOM + 1 - (last))
#define SHIFT_5_AFTER_FIRST(last) 0u
#define SHIFT_5_AFTER_4(last) excess(bits, ROOM + 2)
#define SHIFT_5_AFTER_5(last) 1u

int32_t frontend_power(frontend_bin_t *spectrum, uint32_t bits)
{
    uint32_t shift = excess(bits, (FRONTEND_FIRST_RADIX == 8) ? ROOM_8 : ROOM);
    uint32_t exponent = shift;

    bits = first_stage(spectrum, shift);
#define STAGE(radix, before, length, twiddle, last)                                        \
    shift = SHIFT_##radix##_AFTER_##before(last);                                          \
    bits = stage(spectrum, (radix), (length), &frontend_twiddles[twiddle], shift, (last)); \
    exponent += shift + (((radix) == 5) ? 2u : 1u);
    FRONTEND_STAGES
#undef STAGE
    shift = FRONTEND_SPLIT_FITS ? 0u : excess(bits, ROOM + 1);
    split(spectrum, shift);
    return (int32_t)(exponent + shift);
}
