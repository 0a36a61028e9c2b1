/* Windows of sound that overlap, each with its own network or all with one. */
#include "auscult.h"

/* What is left of a window after its last sample: without a limit on pushes one call does all of it, at most all rows
 * and the network's work. */
enum { UNLIMITED = (NET_PUSH_COST == UINT32_MAX), SHARES_A_CALL = (UNLIMITED != 0) ? ((int)NET_ROWS + 1) : 1 };

/* A window of another length would never be decided, or not on its own sound. */
#if FRONTEND_CENTRED
#if NET_ROWS != ((AUSCULT_SAMPLES / FRONTEND_HOP) + 1)
#error "the network's rows are not the frames of a window"
#endif
#else
#if NET_ROWS != (((AUSCULT_SAMPLES - FRONTEND_FFT) / FRONTEND_HOP) + 1)
#error "the network's rows are not the frames of a window"
#endif
#if (AUSCULT_WINDOWS > 1) && ((AUSCULT_HOP % FRONTEND_HOP) != 0)
#error "windows that overlap share frames only where they begin with one"
#endif
#endif
#if defined(NET_HOP)
#if FRONTEND_CENTRED || (AUSCULT_WINDOWS != 1) || (AUSCULT_HOP != (NET_HOP * FRONTEND_HOP))
#error "the network's windows are not those of the sound"
#endif
#endif

void auscult_init(auscult_t *listener)
{
    size_t i;

    for (i = 0u; i < AUSCULT_WINDOWS; i++) {
        listener->missing[i] = 0u;
    }
#if FRONTEND_RECORDING
    frontend_init(&listener->frontends[0]);
#endif
#if defined(AUSCULT_CHECKED)
    listener->reason = (uint8_t)AUSCULT_ANSWER;
    auscult_quality_init(&listener->checked);
#endif
    listener->until_start = 0u;
    listener->next = 0u;
    listener->closing = 0u;
}

#if FRONTEND_CENTRED

static void begin_frames(auscult_t *listener)
{
    frontend_init(&listener->frontends[listener->next]);
}

#else

/* Frames begin with the window, unless they are shared with another one that is open. */
static void begin_frames(auscult_t *listener)
{
    bool shared = false;
    size_t i;

    for (i = 0u; i < AUSCULT_WINDOWS; i++) {
        shared = shared || (listener->missing[i] > 0u);
    }
    if (!shared) {
        frontend_begin(&listener->frontends[0]);
    }
}

#endif

static void open_window(auscult_t *listener)
{
    begin_frames(listener);
    net_init(&listener->nets[listener->next]);
    listener->missing[listener->next] = AUSCULT_SAMPLES;
    listener->next = (uint16_t)((listener->next + 1u) % AUSCULT_WINDOWS);
    listener->until_start = AUSCULT_HOP;
}

/* Samples that every open window takes, for the check of its signal. */
static void check(auscult_t *listener, const int16_t *pcm, size_t count)
{
#if defined(AUSCULT_CHECKED)
    const auscult_reason_t reason = auscult_quality_listen(&listener->checked, pcm, count);

    listener->reason = (uint8_t)reason;
#else
    (void)listener;
    (void)pcm;
    (void)count;
#endif
}

#if defined(NET_HOP)

/* The network is of all windows, and knows itself where one ends. */
static void hear(auscult_t *listener, const int16_t *pcm, size_t count)
{
    const int8_t *row;
    size_t taken = 0u;

    while (taken < count) {
        taken += frontend_push(&listener->frontends[0], &pcm[taken], count - taken, &row);
        if (row != NULL) {
            (void)net_push(&listener->nets[0], row);
        }
    }
}

static const int8_t *last_row(auscult_t *listener, size_t window)
{
    (void)listener;
    (void)window;
    return NULL;
}

/* Take samples until a window has heard all of its own, which is then the one to be closed. */
static size_t take(auscult_t *listener, const int16_t *pcm, size_t count)
{
    size_t taken = 0u;

    if (count > 0u) {
        if (listener->until_start == 0u) {
            open_window(listener); /* the first; the others the network begins itself */
        }
        taken = (count < listener->missing[0]) ? count : listener->missing[0];
        hear(listener, pcm, taken);
        check(listener, pcm, taken);
        listener->missing[0] -= (uint32_t)taken;
        if (listener->missing[0] == 0u) {
            listener->missing[0] = AUSCULT_HOP;
            listener->closing = 1u;
        }
    }
    return taken;
}

#else

/* Samples that may be taken before a window begins or ends. */
static uint32_t until_event(const auscult_t *listener)
{
    uint32_t samples = listener->until_start;
    size_t i;

    for (i = 0u; i < AUSCULT_WINDOWS; i++) {
        const uint32_t missing = listener->missing[i];

        samples = ((missing > 0u) && (missing < samples)) ? missing : samples;
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
        for (taken = (listener->missing[i] > 0u) ? 0u : count; taken < count;) {
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

/* A frame belongs to the windows that were open when it began. */
static void hear(auscult_t *listener, const int16_t *pcm, size_t count)
{
    const int8_t *row;
    size_t taken = 0u;
    size_t i;

    while (taken < count) {
        const size_t step = frontend_push(&listener->frontends[0], &pcm[taken], count - taken, &row);

        taken += step;
        for (i = 0u; (row != NULL) && (i < AUSCULT_WINDOWS); i++) {
            const uint32_t missing = listener->missing[i];

            if ((missing > 0u) && (((AUSCULT_SAMPLES - missing) + taken) >= FRONTEND_FFT)) {
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

    while ((taken < count) && (listener->closing == 0u)) {
        uint32_t step;

        if (listener->until_start == 0u) {
            open_window(listener);
        }
        step = until_event(listener);
        step = ((count - taken) < step) ? (uint32_t)(count - taken) : step;
        hear(listener, &pcm[taken], step);
        check(listener, &pcm[taken], step);
        taken += step;
        listener->until_start -= step;
        for (i = 0u; i < AUSCULT_WINDOWS; i++) {
            if (listener->missing[i] > 0u) {
                listener->missing[i] -= step;
                listener->closing = (listener->missing[i] == 0u) ? (uint16_t)(i + 1u) : listener->closing;
            }
        }
    }
    return taken;
}

#endif

/* One push's share of what is left of the window to be closed. Returns whether it is decided. */
static bool close_window(auscult_t *listener)
{
    const size_t window = (size_t)listener->closing - 1u;
    net_t *const net = &listener->nets[window];
    const int8_t *const row = last_row(listener, window);
    bool decided = false;

    if (row != NULL) {
        (void)net_push(net, row);
    } else {
        decided = net_work(net);
    }
    if (decided) {
        net_output(net, listener->scores);
        listener->closing = 0u;
    }
    return decided;
}

size_t auscult_push(auscult_t *listener, const int16_t *pcm, size_t count, const int8_t **scores)
{
    size_t taken = 0u;

    *scores = NULL;
    if (listener->closing == 0u) {
        taken = take(listener, pcm, count);
    }
    /* Without a limit on pushes, the call that takes a window's last sample decides it. */
    if ((listener->closing != 0u) && ((taken == 0u) || (UNLIMITED != 0))) {
        bool decided = false;
        int share;

        for (share = 0; (!decided) && (share < SHARES_A_CALL); share++) {
            decided = close_window(listener);
        }
        *scores = decided ? listener->scores : NULL;
    }
    return taken;
}

bool auscult_busy(const auscult_t *listener)
{
    return listener->closing != 0u;
}

bool auscult_has(const int8_t *scores, size_t label)
{
    static const int16_t thresholds[] = AUSCULT_THRESHOLDS;

    return scores[label] >= thresholds[label];
}
