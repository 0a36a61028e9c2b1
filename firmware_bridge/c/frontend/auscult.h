/** Samples in, decisions out: the front end and the network joined, for one window of sound or to listen on and on.
 *
 *     static auscult_t listener;
 *     auscult_init(&listener);
 *     for (;;) {
 *         taken = auscult_push(&listener, pcm, count, &scores);
 *         pcm += taken;
 *         count -= taken;
 *         if (scores != NULL) { ... auscult_has(scores, AUSCULT_LABEL_...), of the window that ended just now ... }
 *     }
 *
 * A decision comes every AUSCULT_HOP samples, on the AUSCULT_SAMPLES before it. Windows that overlap share one network
 * where net.h has a NET_HOP, and keep one each where it has none; they share the front end where frames lie inside the
 * sound, and keep one each where frames are centred, because every window then mirrors its own ends. Windows that
 * follow each other begin their own frames. Where bands are normalised over the recording (FRONTEND_RECORDING), it
 * begins with auscult_init, and frames go on from one window to the next where these are a whole number of hops. The
 * context is the caller's; there is no heap and two share nothing. */
#ifndef AUSCULT_H /* whoever includes it twice reads it once */
#define AUSCULT_H

#include "auscult_config.h"
#include "frontend.h"
#include "net.h"

#if defined(AUSCULT_CHECKED)
#include "auscult_quality.h"
#endif

#if FRONTEND_CENTRED
#define AUSCULT_FRONTENDS AUSCULT_WINDOWS
#else
#define AUSCULT_FRONTENDS 1
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** A listener: all that it remembers of the sound. The caller owns it and reads nothing in it. */
typedef struct {
    frontend_t frontends[AUSCULT_FRONTENDS];
    net_t nets[AUSCULT_WINDOWS];
    uint32_t missing[AUSCULT_WINDOWS]; /* samples that each window still waits for; 0: none is open */
    uint32_t until_start;              /* samples until the next window begins */
    uint16_t next;                     /* where it will be kept */
    uint16_t closing;                  /* 1 + which one has all its samples and is not decided yet; 0: none */
    int8_t scores[NET_OUTPUT_VALUES];
#if defined(AUSCULT_CHECKED)
    uint8_t reason; /* of the window that ended last */
    auscult_quality_stream_t checked;
#endif
} auscult_t;

/** Begin to listen; whatever was heard before is forgotten. A must before the first push: a context of zeros happens to
 * be as good, memory that held something else is not. */
void auscult_init(auscult_t *listener);

/** Take samples, up to the next decision. Returns how many; *scores is NULL unless a window was decided, and stays
 * valid until the next call with the same context.
 *
 * Where pushes have a limit (NET_PUSH_COST), no call does more than it allows for every frame that the samples complete
 * and every open window: after a window's last sample, calls take no samples and do a share of what is left, until one
 * brings the decision. */
size_t auscult_push(auscult_t *listener, const int16_t *pcm, size_t count, const int8_t **scores);

/** Whether a window waits to be decided: auscult_push with no samples goes on. */
bool auscult_busy(const auscult_t *listener);

/** Whether a decided window has a label: a constant of auscult_config.h, such as AUSCULT_LABEL_CRACKLE, its place in
 * AUSCULT_LABELS. */
bool auscult_has(const int8_t *scores, size_t label);

#if defined(AUSCULT_CHECKED)
/** Whether the window that was decided last has an answer, the labels of auscult_has; otherwise listen again, for this
 * reason. Ask before the next push. */
auscult_reason_t auscult_answer(const auscult_t *listener);
#endif

#ifdef __cplusplus
}
#endif

#endif
