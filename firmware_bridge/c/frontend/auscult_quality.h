/* What a window's samples tell of its signal: octave bands by blocks, whole numbers throughout. */
#ifndef AUSCULT_QUALITY_H
#define AUSCULT_QUALITY_H

#include <stddef.h>
#include <stdint.h>

#include "auscult_config.h"
#include "auscult_quality_spec.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    AUSCULT_QUALITY_BANDS = 6,
    AUSCULT_QUALITY_APART = AUSCULT_QUALITY_BANDS - 1,
    AUSCULT_QUALITY_GROUP = 8,
    AUSCULT_QUALITY_OCTAVES = AUSCULT_QUALITY_BANDS - 1 + AUSCULT_QUALITY_HALVINGS,
    AUSCULT_QUALITY_BLOCK = 128 << AUSCULT_QUALITY_HALVINGS,
    AUSCULT_QUALITY_FEATURES = (6 * AUSCULT_QUALITY_BANDS) + (2 * AUSCULT_QUALITY_APART)
};

/** Why a window has no answer. */
typedef enum {
    AUSCULT_ANSWER = 0,   /**< it has one */
    AUSCULT_SILENT = 1,   /**< most of it is next to nothing */
    AUSCULT_CLIPPED = 2,  /**< much of it lies at the ends of the scale */
    AUSCULT_HUM = 3,      /**< a sound that never changes covers the rest */
    AUSCULT_VOICE = 4,    /**< speech or crying */
    AUSCULT_NOISE = 5,    /**< the surroundings are louder than the chest */
    AUSCULT_CONTACT = 6,  /**< no breath comes through: poor contact, or movement */
    AUSCULT_UNCERTAIN = 7 /**< a good signal, and scores that leave a label open */
} auscult_reason_t;

/* Of one window. */
typedef struct {
    int32_t history[AUSCULT_QUALITY_OCTAVES][3]; /* what each filter remembers, the newest first */
    uint32_t sums[AUSCULT_QUALITY_BANDS];        /* of magnitudes, of this block */
    uint32_t level[AUSCULT_QUALITY_BANDS];
    uint16_t last[AUSCULT_QUALITY_BANDS];   /* levels of the block before */
    uint16_t lowest[AUSCULT_QUALITY_BANDS]; /* of the group, as the next two */
    uint16_t highest[AUSCULT_QUALITY_BANDS];
    uint16_t whole[AUSCULT_QUALITY_BANDS];
    uint16_t last_low[AUSCULT_QUALITY_BANDS]; /* of the group before, as the next */
    uint16_t last_whole[AUSCULT_QUALITY_BANDS];
    uint16_t least_low[AUSCULT_QUALITY_BANDS]; /* of all groups, as the next */
    uint16_t most_low[AUSCULT_QUALITY_BANDS];
    uint16_t flux[AUSCULT_QUALITY_BANDS]; /* sums of changes, 65535 at most */
    uint16_t flux_apart[AUSCULT_QUALITY_APART];
    uint16_t range[AUSCULT_QUALITY_BANDS];
    uint16_t low[AUSCULT_QUALITY_BANDS];
    uint16_t middle[AUSCULT_QUALITY_BANDS];
    uint16_t low_apart[AUSCULT_QUALITY_APART];
    uint16_t place; /* samples of this block */
    uint16_t peak;  /* of them */
    uint16_t blocks;
    uint16_t quiet; /* blocks, as the next */
    uint16_t clipped;
} auscult_quality_t;

/* Of all windows that are open. */
typedef struct {
    auscult_quality_t windows[AUSCULT_CHECKED];
    uint32_t missing[AUSCULT_CHECKED]; /* samples that each still waits for; 0: it is not open */
    uint32_t until_start;              /* samples until the next begins */
    uint16_t next;                     /* where it will be kept */
    uint16_t reason;                   /* of the window that ended last */
} auscult_quality_stream_t;

/** Begin to listen. */
void auscult_quality_init(auscult_quality_stream_t *stream);

/** Take samples. Returns what the window that ended last tells of its signal: any reason but AUSCULT_UNCERTAIN. */
auscult_reason_t auscult_quality_listen(auscult_quality_stream_t *stream, const int16_t *pcm, size_t count);

#ifdef __cplusplus
}
#endif

#endif
