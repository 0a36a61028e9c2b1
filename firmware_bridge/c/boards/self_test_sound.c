/* Holds the front end against the float64 reference, and the listener against its parts. Exit status 0 when all agree.
 *
 * The reference rounds in float64 and this in integers: of 50,000 codes one may differ, by 1. Where bands are
 * normalised over the recording it is a level that may, which stays in the sum of the mean: a few codes more. */
#include "auscult.h"
#include "board.h"
#include "golden_sound.h"

/* Of windows that share a network a few more, each of which begins amid another. */
#if defined(NET_HOP)
enum { DECISIONS = 4 };
#else
enum { DECISIONS = 2 };
#endif
enum {
    CHUNK = 61,
    MOST_DIFFERING = ((GOLDEN_WINDOWS * GOLDEN_CODES / 50000) + 1) * ((FRONTEND_RECORDING != 0) ? 4 : 1)
};

/* The parts first, then the listener: small devices have the memory once. */
static union {
    struct {
        frontend_t frontend;
        net_t net;
    } parts;
    auscult_t listener;
} memory;
static int16_t chunk[CHUNK];

/* Whether a row that the taken samples of a window completed is one of its own: a frame may have begun before it. */
static bool is_own(const int8_t *row, uint32_t taken)
{
    return (row != NULL) && ((FRONTEND_CENTRED != 0) || (taken >= FRONTEND_FFT));
}

/* Codes of the next golden window that differ; all of them when one differs by more than 1. */
static uint32_t differing_codes(const int16_t *pcm, const int8_t *codes)
{
    const int8_t *row;
    uint32_t made = 0u;
    uint32_t count = 0u;
    uint32_t taken = 0u;
    size_t i;

    frontend_begin(&memory.parts.frontend);
    while (taken < GOLDEN_SAMPLES) {
        taken += (uint32_t)frontend_push(&memory.parts.frontend, &pcm[taken], GOLDEN_SAMPLES - taken, &row);
        for (i = 0u; is_own(row, taken) && (made < GOLDEN_CODES) && (i < FRONTEND_MELS); i++) {
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

typedef struct {
    uint32_t random;
    uint32_t samples; /* so far */
} noise_t;

/* The next sample of noise. It begins at full scale every 4096 samples and fades by half every 512: of a steady one
 * even windows that are cut elsewhere score alike. */
static int16_t next_sample(noise_t *noise)
{
    const int32_t fading = (int32_t)1 << ((noise->samples / 512u) % 8u);

    noise->random = (noise->random * 1664525u) + 1013904223u;
    noise->samples++;
    return (int16_t)(((int32_t)(noise->random >> 16) - 32768) / fading);
}

static void next_chunk(noise_t *noise, uint32_t count)
{
    size_t i;

    for (i = 0u; i < count; i++) {
        chunk[i] = next_sample(noise);
    }
}

/* The next samples of the noise, which begin with a window, through the front end, and the window's own rows into the
 * network if there is one. */
static void hear(noise_t *noise, uint32_t samples, net_t *net)
{
    frontend_t *const frontend = &memory.parts.frontend;
    uint32_t heard = 0u;
    const int8_t *row;

    frontend_begin(frontend);
    while (heard < samples) {
        const uint32_t left = samples - heard;
        const uint32_t count = (left < (uint32_t)CHUNK) ? left : (uint32_t)CHUNK;
        uint32_t taken = 0u;

        next_chunk(noise, count);
        while (taken < count) {
            taken += (uint32_t)frontend_push(frontend, &chunk[taken], count - taken, &row);
            if ((net != NULL) && is_own(row, heard + taken)) {
                (void)net_push(net, row);
            }
        }
        heard += count;
    }
}

/* A window of the noise, after all that comes before it, through the front end and the network by hand. */
static void by_hand(uint32_t window, int8_t scores[NET_OUTPUT_VALUES])
{
    frontend_t *const frontend = &memory.parts.frontend;
    net_t *const net = &memory.parts.net;
    noise_t noise = {1u, 0u};
    const int8_t *row;
    uint32_t i;

    frontend_init(frontend);
    net_init(net);
    for (i = 0u; i < window; i++) {
        hear(&noise, AUSCULT_HOP, NULL);
    }
    hear(&noise, AUSCULT_SAMPLES, net);
    for (row = frontend_finish(frontend); row != NULL; row = frontend_finish(frontend)) {
        (void)net_push(net, row);
    }
    while (!net_work(net)) {
    }
    net_output(net, scores);
}

/* Scores of consecutive windows that the listener makes of the same noise and that differ from those by hand, or come
 * after another sample than the window's last. */
static uint32_t differing_scores(void)
{
    static int8_t wanted[DECISIONS][NET_OUTPUT_VALUES];
    noise_t noise = {1u, 0u};
    uint32_t heard = 0u;
    uint32_t decided = 0u;
    uint32_t count = 0u;
    size_t i;

    for (i = 0u; i < DECISIONS; i++) {
        by_hand((uint32_t)i, wanted[i]);
    }
    auscult_init(&memory.listener);
    while (decided < DECISIONS) {
        size_t taken = 0u;

        next_chunk(&noise, CHUNK);
        while ((taken < CHUNK) && (decided < DECISIONS)) {
            const int8_t *scores;
            const size_t step = auscult_push(&memory.listener, &chunk[taken], CHUNK - taken, &scores);

            taken += step;
            heard += (uint32_t)step;
            if (scores != NULL) {
                for (i = 0u; i < NET_OUTPUT_VALUES; i++) {
                    count += (scores[i] != wanted[decided][i]) ? 1u : 0u;
                }
                count += (heard == ((decided * AUSCULT_HOP) + AUSCULT_SAMPLES)) ? 0u : 1u;
                decided++;
            }
        }
    }
    return count;
}

int main(void)
{
    uint32_t codes = 0u;
    uint32_t scores;
    size_t i;

    frontend_init(&memory.parts.frontend);
    for (i = 0u; i < GOLDEN_WINDOWS; i++) {
        codes += differing_codes(golden_pcm[i], golden_codes[i]);
    }
    scores = differing_scores();
    board_report("front_end_differing_codes", codes);
    board_report("listener_differing_bytes", scores);
    return ((codes <= (uint32_t)MOST_DIFFERING) && (scores == 0u)) ? 0 : 1;
}
