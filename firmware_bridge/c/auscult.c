/* Windows of sound that overlap, each with its own network. */
#include "auscult.h"

void auscult_init(auscult_t *listener)
{
    size_t i;

    for (i = 0u; i < AUSCULT_WINDOWS; i++) {
        listener->heard[i] = AUSCULT_SAMPLES;
    }
    for (i = 0u; i < AUSCULT_FRONTENDS; i++) {
        frontend_init(&listener->frontends[i]);
    }
    listener->until_start = 0u;
    listener->next = 0u;
}

static void open_window(auscult_t *listener)
{
    net_init(&listener->nets[listener->next]);
#if FRONTEND_CENTRED
    frontend_init(&listener->frontends[listener->next]);
#endif
    listener->heard[listener->next] = 0u;
    listener->next = (uint16_t)((listener->next + 1u) % AUSCULT_WINDOWS);
    listener->until_start = AUSCULT_HOP;
}

/* Samples that may be taken before a window begins or ends. */
static uint32_t until_event(const auscult_t *listener)
{
    uint32_t samples = listener->until_start;
    size_t i;

    for (i = 0u; i < AUSCULT_WINDOWS; i++) {
        const uint32_t left = AUSCULT_SAMPLES - listener->heard[i];

        samples = ((left > 0u) && (left < samples)) ? left : samples;
    }
    return samples;
}

#if FRONTEND_CENTRED

static void hear(auscult_t *listener, const int16_t *pcm, size_t count)
{
    const int8_t *row;
    size_t taken;
    size_t i;

    for (i = 0u; i < AUSCULT_WINDOWS; i++) {
        for (taken = (listener->heard[i] < AUSCULT_SAMPLES) ? 0u : count; taken < count;) {
            taken += frontend_push(&listener->frontends[i], &pcm[taken], count - taken, &row);
            if (row != NULL) {
                (void)net_push(&listener->nets[i], row);
            }
        }
    }
}

static void finish(auscult_t *listener, size_t window)
{
    const int8_t *row = frontend_finish(&listener->frontends[window]);

    while (row != NULL) {
        (void)net_push(&listener->nets[window], row);
        row = frontend_finish(&listener->frontends[window]);
    }
}

#else

/* A frame belongs to the windows that were open when it began; a window's frames beyond NET_ROWS are ignored by its
 * network. */
static void hear(auscult_t *listener, const int16_t *pcm, size_t count)
{
    const int8_t *row;
    size_t taken = 0u;
    size_t i;

    while (taken < count) {
        const size_t step = frontend_push(&listener->frontends[0], &pcm[taken], count - taken, &row);

        taken += step;
        for (i = 0u; (row != NULL) && (i < AUSCULT_WINDOWS); i++) {
            const uint32_t heard = listener->heard[i];

            if ((heard < AUSCULT_SAMPLES) && ((heard + taken) >= FRONTEND_FFT)) {
                (void)net_push(&listener->nets[i], row);
            }
        }
    }
}

static void finish(auscult_t *listener, size_t window)
{
    (void)listener;
    (void)window;
}

#endif

size_t auscult_push(auscult_t *listener, const int16_t *pcm, size_t count, const int8_t **scores)
{
    size_t taken = 0u;
    size_t i;

    *scores = NULL;
    while ((taken < count) && (*scores == NULL)) {
        uint32_t step;

        if (listener->until_start == 0u) {
            open_window(listener);
        }
        step = until_event(listener);
        step = ((count - taken) < step) ? (uint32_t)(count - taken) : step;
        hear(listener, &pcm[taken], step);
        taken += step;
        listener->until_start -= step;
        for (i = 0u; i < AUSCULT_WINDOWS; i++) {
            if (listener->heard[i] < AUSCULT_SAMPLES) {
                listener->heard[i] += step;
                if (listener->heard[i] == AUSCULT_SAMPLES) {
                    finish(listener, i);
                    while (!net_work(&listener->nets[i])) {
                    }
                    net_output(&listener->nets[i], listener->scores);
                    *scores = listener->scores;
                }
            }
        }
    }
    return taken;
}

bool auscult_has(const int8_t *scores, size_t label)
{
    static const int16_t thresholds[] = AUSCULT_THRESHOLDS;

    return scores[label] >= thresholds[label];
}
