/** PCM in, rows of int8 log-mel out, exactly alike on every core: integers throughout, with or without an FPU.
 *
 *     frontend_init(&frontend);
 *     while (count > 0) {
 *         taken = frontend_push(&frontend, pcm, count, &row);
 *         pcm += taken;
 *         count -= taken;
 *         if (row != NULL) { ... FRONTEND_MELS values ... }
 *     }
 *     while ((row = frontend_finish(&frontend)) != NULL) { ... }     (where frames are centred)
 *
 * A row stays valid until the next call with the same context. Contexts share nothing. Where bands are normalised over
 * the recording (FRONTEND_RECORDING), frontend_init begins a new one.
 */
#ifndef FRONTEND_H /* whoever includes it twice reads it once */
#define FRONTEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend_spec.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int32_t re;
    int32_t im;
} frontend_complex_t;

/* What the FFT leaves in the place of its values: two to one, so that the buffer is the same. */
typedef union {
    frontend_complex_t bin;
    uint64_t power;
} frontend_bin_t;

#if FRONTEND_RECORDING
typedef int16_t frontend_code_t; /* a level, not less the mean yet */

/* What the stream's mean is made of. */
typedef struct {
    uint32_t sums[FRONTEND_MELS]; /* of levels; of a full memory the mean times FRONTEND_REMEMBERED */
    uint32_t frames;              /* in the sums, silent ones left out */
} frontend_mean_t;
#else
typedef int8_t frontend_code_t;

typedef struct {
    int64_t re;
    int64_t im;
} frontend_wide_t;

/* What a frame whose codes are in doubt is made of a second time. */
typedef struct {
    frontend_wide_t values[FRONTEND_FFT / 8];
    uint64_t sums[FRONTEND_MELS];
} frontend_exact_t;
#endif

/** The front end of one stream of sound. The caller owns it and reads nothing in it. */
typedef struct {
    union {
        frontend_bin_t spectrum[(FRONTEND_FFT / 2) + 1];
#if !FRONTEND_RECORDING
        frontend_exact_t exact;
#endif
    } work;
#if FRONTEND_RECORDING
    frontend_mean_t mean;
#endif
    int16_t
        samples[FRONTEND_FFT + 2]; /* the frame begins at 2; before it the sample that the last mirrored one needs */
    union {
        int8_t row[FRONTEND_MELS];
        frontend_code_t codes[FRONTEND_MELS];
    } out;
    uint16_t filled; /* of the frame */
    uint16_t beyond; /* mirrored samples after the last one */
    bool started;    /* the first frame has been made */
} frontend_t;

/** Begin a new stream of sound. */
void frontend_init(frontend_t *frontend);

/** A window begins with the next sample. So do its frames, unless they go on in the stream: that is where bands are
 * normalised over the recording, whose mean goes on in any case, and the last window was a whole number of hops. Frames
 * that reach from one window into the next are then completed, too, before FRONTEND_FFT samples of the new one. */
void frontend_begin(frontend_t *frontend);

/** Take samples, up to the one that completes a frame. Returns how many; *row is NULL unless a frame was completed. */
size_t frontend_push(frontend_t *frontend, const int16_t *pcm, size_t count, const int8_t **row);

/** After the last sample: the rows of frames that reach beyond it, one a call, then NULL. Frames that lie inside the
 * sound (FRONTEND_CENTRED 0) leave none. At least FRONTEND_FFT / 2 + 1 samples must have been pushed. */
const int8_t *frontend_finish(frontend_t *frontend);

#ifdef __cplusplus
}
#endif

#endif
