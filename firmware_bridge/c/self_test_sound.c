/* Holds the front end against the float64 reference, and the listener against its parts. Exit status 0 when all agree.
 *
 * The reference rounds in float64 and this in integers: of 50,000 codes one may differ, by 1. */
#include "auscult.h"
#include "board.h"
#include "golden_sound.h"

enum { CHUNK = 61, MOST_DIFFERING = (GOLDEN_WINDOWS * GOLDEN_CODES / 50000) + 1 };

static auscult_t listener;
static frontend_t frontend;
static net_t net;

/* Codes of one golden window that differ; all of them when one differs by more than 1. */
static uint32_t differing_codes(const int16_t *pcm, const int8_t *codes)
{
    const int8_t *row;
    uint32_t made = 0u;
    uint32_t count = 0u;
    size_t taken = 0u;
    size_t i;

    frontend_init(&frontend);
    while ((taken < GOLDEN_SAMPLES) && (made < GOLDEN_CODES)) {
        taken += frontend_push(&frontend, &pcm[taken], GOLDEN_SAMPLES - taken, &row);
        for (i = 0u; (row != NULL) && (i < FRONTEND_MELS); i++) {
            const int32_t off = (int32_t)row[i] - (int32_t)codes[made];

            if ((off < -1) || (off > 1)) {
                return GOLDEN_CODES;
            }
            count += (off != 0) ? 1u : 0u;
            made++;
        }
    }
    return (made == GOLDEN_CODES) ? count : GOLDEN_CODES;
}

static void next_chunk(int16_t chunk[CHUNK], uint32_t *state)
{
    size_t i;

    for (i = 0u; i < CHUNK; i++) {
        *state = (*state * 1664525u) + 1013904223u;
        chunk[i] = (int16_t)((int32_t)(*state >> 20) - 2048);
    }
}

/* The same noise through the front end and the network by hand. */
static void by_hand(int8_t scores[NET_OUTPUT_VALUES])
{
    static int16_t chunk[CHUNK];
    uint32_t state = 1u;
    uint32_t left = AUSCULT_SAMPLES;
    const int8_t *row;

    frontend_init(&frontend);
    net_init(&net);
    while (left > 0u) {
        const uint32_t count = (left < (uint32_t)CHUNK) ? left : (uint32_t)CHUNK;
        uint32_t taken = 0u;

        next_chunk(chunk, &state);
        while (taken < count) {
            taken += (uint32_t)frontend_push(&frontend, &chunk[taken], count - taken, &row);
            if (row != NULL) {
                (void)net_push(&net, row);
            }
        }
        left -= count;
    }
    for (row = frontend_finish(&frontend); row != NULL; row = frontend_finish(&frontend)) {
        (void)net_push(&net, row);
    }
    while (!net_work(&net)) {
    }
    net_output(&net, scores);
}

static uint32_t differing_scores(void)
{
    static int16_t chunk[CHUNK];
    static int8_t wanted[NET_OUTPUT_VALUES];
    uint32_t state = 1u;
    uint32_t heard = 0u;
    uint32_t count = 0u;
    const int8_t *scores = NULL;
    size_t i;

    by_hand(wanted);
    auscult_init(&listener);
    while (scores == NULL) {
        size_t taken = 0u;

        next_chunk(chunk, &state);
        while ((taken < CHUNK) && (scores == NULL)) {
            taken += auscult_push(&listener, &chunk[taken], CHUNK - taken, &scores);
        }
        heard += (uint32_t)taken;
    }
    for (i = 0u; i < NET_OUTPUT_VALUES; i++) {
        count += (scores[i] != wanted[i]) ? 1u : 0u;
    }
    return count + ((heard == AUSCULT_SAMPLES) ? 0u : 1u);
}

int main(void)
{
    uint32_t codes = 0u;
    uint32_t scores;
    size_t i;

    for (i = 0u; i < GOLDEN_WINDOWS; i++) {
        codes += differing_codes(golden_pcm[i], golden_codes[i]);
    }
    scores = differing_scores();
    board_report("front_end_differing_codes", codes);
    board_report("listener_differing_bytes", scores);
    return ((codes <= (uint32_t)MOST_DIFFERING) && (scores == 0u)) ? 0 : 1;
}
