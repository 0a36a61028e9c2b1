/* Windows of sound that overlap, each with its own network. */
#include "auscult.h"

enum { NONE = AUSCULT_WINDOWS, UNLIMITED = (NET_PUSH_COST == UINT32_MAX) };

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
    listener->closing = NONE;
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

/* A row that reaches beyond the window's last sample, or NULL. */
static const int8_t *last_row(auscult_t *listener, size_t window)
{
    return frontend_finish(&listener->frontends[window]);
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

static const int8_t *last_row(auscult_t *listener, size_t window)
{
    (void)listener;
    (void)window;
    return NULL;
}

#endif

/* Take samples until a window has heard all of its own, which is then the one to be closed. */
static size_t take(auscult_t *listener, const int16_t *pcm, size_t count)
{
    size_t taken = 0u;
    size_t i;

    while ((taken < count) && (listener->closing == NONE)) {
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
                listener->closing = (listener->heard[i] == AUSCULT_SAMPLES) ? (uint16_t)i : listener->closing;
            }
        }
    }
    return taken;
}

/* One push's share of what is left of the window to be closed. Returns whether it is decided. */
static bool close_window(auscult_t *listener)
{
    net_t *const net = &listener->nets[listener->closing];
    const int8_t *const row = last_row(listener, listener->closing);
    bool decided = false;

    if (row != NULL) {
        (void)net_push(net, row);
    } else {
        decided = net_work(net);
    }
    if (decided) {
        net_output(net, listener->scores);
        listener->closing = NONE;
    }
    return decided;
}

size_t auscult_push(auscult_t *listener, const int16_t *pcm, size_t count, const int8_t **scores)
{
    size_t taken = 0u;

    *scores = NULL;
    if (listener->closing == NONE) {
        taken = take(listener, pcm, count);
    }
    /* Without a limit on pushes, the call that takes a window's last sample decides it. */
    if ((listener->closing != NONE) && ((taken == 0u) || (UNLIMITED != 0))) {
        bool decided;

        do {
            decided = close_window(listener);
        } while ((!decided) && (UNLIMITED != 0));
        *scores = decided ? listener->scores : NULL;
    }
    return taken;
}

bool auscult_busy(const auscult_t *listener)
{
    return listener->closing != NONE;
}


bool auscult_has(const int8_t *scores, size_t label)
{
    static const int16_t thresholds[] = AUSCULT_THRESHOLDS;

    return scores[label] >= thresholds[label];
}
