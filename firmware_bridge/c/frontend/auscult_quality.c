/* The check of a window's signal. */
#include <string.h>

#include "auscult.h"

enum { UNIT = 16, STEPS = 16, SHARE = 256 };

/* Where the features of each kind begin. */
enum {
    LEVEL = 0,
    FLUX = LEVEL + AUSCULT_QUALITY_BANDS,
    FLUX_APART = FLUX + AUSCULT_QUALITY_BANDS,
    RANGE = FLUX_APART + AUSCULT_QUALITY_APART,
    LOW = RANGE + AUSCULT_QUALITY_BANDS,
    MIDDLE = LOW + AUSCULT_QUALITY_BANDS,
    LOW_APART = MIDDLE + AUSCULT_QUALITY_BANDS,
    SPAN = LOW_APART + AUSCULT_QUALITY_APART
};

static const int16_t noise[AUSCULT_QUALITY_FEATURES] = AUSCULT_QUALITY_NOISE;
static const int16_t voice[AUSCULT_QUALITY_FEATURES] = AUSCULT_QUALITY_VOICE;
static const int16_t contact[AUSCULT_QUALITY_FEATURES] = AUSCULT_QUALITY_CONTACT;

static uint32_t magnitude(int32_t value)
{
    return (value < 0) ? (0u - (uint32_t)value) : (uint32_t)value;
}

/* STEPS * log2(value + 1), from the leading bit and the four below it. */
static uint16_t logarithm(uint32_t value)
{
    static const uint8_t mantissas[16] = AUSCULT_QUALITY_MANTISSAS;
    const uint64_t more = (uint64_t)value + 1u;
    uint32_t width = 0u;
    uint32_t level;

    while ((more >> (width + 1u)) != 0u) {
        width++;
    }
    level = (STEPS * width) + mantissas[((more << 4) >> width) & 15u];
    return (uint16_t)((level > (STEPS * AUSCULT_QUALITY_HALVINGS)) ? (level - (STEPS * AUSCULT_QUALITY_HALVINGS)) : 0u);
}

/* A sum that stays at the most it can hold. */
static void add(uint16_t *sum, uint32_t more)
{
    const uint32_t whole = *sum + more;

    *sum = (uint16_t)((whole > UINT16_MAX) ? UINT16_MAX : whole);
}

static void add_change(uint16_t *sum, int32_t now, int32_t before)
{
    add(sum, magnitude(now - before));
}

static void begin(auscult_quality_t *quality)
{
    (void)memset(quality, 0, sizeof *quality);
}

/* A group's last block has been heard. `number`: of the group, from 0. */
static void end_group(auscult_quality_t *quality, uint32_t number)
{
    size_t i;

    for (i = 0u; i < AUSCULT_QUALITY_BANDS; i++) {
        const uint16_t low = quality->lowest[i];

        add(&quality->range[i], (uint32_t)quality->highest[i] - low);
        if (number == 0u) {
            quality->least_low[i] = low;
            quality->most_low[i] = low;
        } else {
            add_change(&quality->low[i], low, quality->last_low[i]);
            add_change(&quality->middle[i], quality->whole[i], quality->last_whole[i]);
            quality->least_low[i] = (low < quality->least_low[i]) ? low : quality->least_low[i];
            quality->most_low[i] = (low > quality->most_low[i]) ? low : quality->most_low[i];
        }
    }
    for (i = 0u; (number > 0u) && (i < AUSCULT_QUALITY_APART); i++) {
        add_change(&quality->low_apart[i], (int32_t)quality->lowest[i] - (int32_t)quality->lowest[i + 1u],
                   (int32_t)quality->last_low[i] - (int32_t)quality->last_low[i + 1u]);
    }
    (void)memcpy(quality->last_low, quality->lowest, sizeof quality->last_low);
    (void)memcpy(quality->last_whole, quality->whole, sizeof quality->last_whole);
}

/* A block that counts. `number`: of these, from 0. */
static void count_block(auscult_quality_t *quality, const uint16_t levels[AUSCULT_QUALITY_BANDS], uint32_t number)
{
    const uint32_t place = number % AUSCULT_QUALITY_GROUP;
    size_t i;

    add(&quality->quiet, (quality->peak < AUSCULT_QUALITY_QUIET_PEAK) ? 1u : 0u);
    add(&quality->clipped, (quality->peak >= AUSCULT_QUALITY_CLIPPED_PEAK) ? 1u : 0u);
    for (i = 0u; i < AUSCULT_QUALITY_BANDS; i++) {
        const uint16_t level = levels[i];

        quality->level[i] += level;
        if (number > 0u) {
            add_change(&quality->flux[i], level, quality->last[i]);
        }
        quality->lowest[i] = ((place == 0u) || (level < quality->lowest[i])) ? level : quality->lowest[i];
        quality->highest[i] = ((place == 0u) || (level > quality->highest[i])) ? level : quality->highest[i];
        quality->whole[i] = (uint16_t)(((place == 0u) ? 0u : (uint32_t)quality->whole[i]) + level);
    }
    for (i = 0u; (number > 0u) && (i < AUSCULT_QUALITY_APART); i++) {
        add_change(&quality->flux_apart[i], (int32_t)levels[i] - (int32_t)levels[i + 1u],
                   (int32_t)quality->last[i] - (int32_t)quality->last[i + 1u]);
    }
    (void)memcpy(quality->last, levels, sizeof quality->last);
    if (place == (AUSCULT_QUALITY_GROUP - 1u)) {
        end_group(quality, number / AUSCULT_QUALITY_GROUP);
    }
}

static void end_block(auscult_quality_t *quality)
{
    uint16_t levels[AUSCULT_QUALITY_BANDS];
    size_t i;

    for (i = 0u; i < AUSCULT_QUALITY_BANDS; i++) {
        levels[i] = logarithm(quality->sums[i]);
        quality->sums[i] = 0u;
    }
    if (quality->blocks > 0u) { /* in the first the filters begin */
        count_block(quality, levels, quality->blocks - 1u);
    }
    quality->blocks++;
    quality->place = 0u;
    quality->peak = 0u;
}

/* A sample through the octaves, each of which hears every other one of the one above. */
static void hear(auscult_quality_t *quality, int32_t sample)
{
    const uint32_t place = quality->place;
    int32_t rest = sample;
    size_t i;

    for (i = 0u; i < AUSCULT_QUALITY_OCTAVES; i++) {
        int32_t *const before = quality->history[i];
        const int32_t a = rest;
        const int32_t b = before[0];
        const int32_t c = before[1];
        const int32_t d = before[2];

        before[2] = c;
        before[1] = b;
        before[0] = a;
        if (((place >> i) & 1u) != 0u) {
            return;
        }
        if ((i + 1u) > AUSCULT_QUALITY_HALVINGS) {
            quality->sums[i - AUSCULT_QUALITY_HALVINGS] += magnitude((a - d) + (3 * (c - b)));
        }
        rest = ((a + d) + (3 * (b + c)) + 2) >> 2;
    }
    quality->sums[AUSCULT_QUALITY_BANDS - 1] += magnitude(rest);
}

static void push(auscult_quality_t *quality, const int16_t *pcm, size_t count)
{
    size_t i;

    for (i = 0u; i < count; i++) {
        const uint32_t peak = magnitude(pcm[i]);

        quality->peak = (peak > quality->peak) ? (uint16_t)peak : quality->peak;
        hear(quality, pcm[i]);
        quality->place++;
        if (quality->place == AUSCULT_QUALITY_BLOCK) {
            end_block(quality);
        }
    }
}

static void means(int16_t *features, const uint16_t *sums, size_t count, uint32_t unit, uint32_t of)
{
    size_t i;

    for (i = 0u; i < count; i++) {
        features[i] = (int16_t)((sums[i] * unit) / of);
    }
}

static void tell(const auscult_quality_t *quality, uint32_t blocks, int16_t features[AUSCULT_QUALITY_FEATURES])
{
    const uint32_t groups = blocks / AUSCULT_QUALITY_GROUP;
    size_t i;

    for (i = 0u; i < AUSCULT_QUALITY_BANDS; i++) {
        features[LEVEL + i] = (int16_t)((quality->level[i] * UNIT) / blocks);
        features[SPAN + i] = (int16_t)((quality->most_low[i] - quality->least_low[i]) * UNIT);
    }
    means(&features[FLUX], quality->flux, AUSCULT_QUALITY_BANDS, UNIT, blocks - 1u);
    means(&features[FLUX_APART], quality->flux_apart, AUSCULT_QUALITY_APART, UNIT, blocks - 1u);
    means(&features[RANGE], quality->range, AUSCULT_QUALITY_BANDS, UNIT, groups);
    means(&features[LOW], quality->low, AUSCULT_QUALITY_BANDS, UNIT, groups - 1u);
    means(&features[MIDDLE], quality->middle, AUSCULT_QUALITY_BANDS, UNIT / AUSCULT_QUALITY_GROUP, groups - 1u);
    means(&features[LOW_APART], quality->low_apart, AUSCULT_QUALITY_APART, UNIT, groups - 1u);
}

static int32_t score(const int16_t *weights, const int16_t *features)
{
    int32_t sum = 0;
    size_t i;

    for (i = 0u; i < AUSCULT_QUALITY_FEATURES; i++) {
        sum += (int32_t)weights[i] * features[i];
    }
    return sum;
}

static int32_t steadiness(const int16_t *features)
{
    size_t loudest = 0u;
    size_t i;

    for (i = 1u; i < AUSCULT_QUALITY_BANDS; i++) {
        loudest = (features[LEVEL + i] > features[LEVEL + loudest]) ? i : loudest;
    }
    return features[MIDDLE + loudest];
}

static auscult_reason_t reason_of(const auscult_quality_t *quality)
{
    const uint32_t blocks = quality->blocks - 1u;
    int16_t features[AUSCULT_QUALITY_FEATURES];
    auscult_reason_t reason = AUSCULT_ANSWER;

    tell(quality, blocks, features);
    if (((uint32_t)quality->quiet * SHARE) > (AUSCULT_QUALITY_MOST_QUIET * blocks)) {
        reason = AUSCULT_SILENT;
    } else if (((uint32_t)quality->clipped * SHARE) > (AUSCULT_QUALITY_MOST_CLIPPED * blocks)) {
        reason = AUSCULT_CLIPPED;
    } else if (steadiness(features) < AUSCULT_QUALITY_HUM) {
        reason = AUSCULT_HUM;
    } else if (score(noise, features) >= AUSCULT_QUALITY_NOISE_FROM) {
        reason = (score(voice, features) >= AUSCULT_QUALITY_VOICE_FROM) ? AUSCULT_VOICE : AUSCULT_NOISE;
    } else if (score(contact, features) >= AUSCULT_QUALITY_CONTACT_FROM) {
        reason = AUSCULT_CONTACT;
    }
    return reason;
}

void auscult_quality_init(auscult_quality_stream_t *stream)
{
    (void)memset(stream, 0, sizeof *stream);
}

auscult_reason_t auscult_quality_listen(auscult_quality_stream_t *stream, const int16_t *pcm, size_t count)
{
    size_t taken = 0u;
    size_t i;

    while (taken < count) {
        uint32_t step;

        if (stream->until_start == 0u) {
            begin(&stream->windows[stream->next]);
            stream->missing[stream->next] = AUSCULT_SAMPLES;
            stream->next = (uint16_t)((stream->next + 1u) % AUSCULT_CHECKED);
            stream->until_start = AUSCULT_HOP;
        }
        step = ((count - taken) < stream->until_start) ? (uint32_t)(count - taken) : stream->until_start;
        for (i = 0u; i < AUSCULT_CHECKED; i++) {
            const uint32_t missing = stream->missing[i];

            step = ((missing > 0u) && (missing < step)) ? missing : step;
        }
        for (i = 0u; i < AUSCULT_CHECKED; i++) {
            if (stream->missing[i] > 0u) {
                push(&stream->windows[i], &pcm[taken], step);
                stream->missing[i] -= step;
                stream->reason = (stream->missing[i] == 0u) ? (uint16_t)reason_of(&stream->windows[i]) : stream->reason;
            }
        }
        stream->until_start -= step;
        taken += step;
    }
    return (auscult_reason_t)stream->reason;
}

auscult_reason_t auscult_answer(const auscult_t *listener)
{
    static const int16_t absent_below[NET_OUTPUT_VALUES] = AUSCULT_ABSENT_BELOW;
    static const int16_t present_from[NET_OUTPUT_VALUES] = AUSCULT_PRESENT_FROM;
    auscult_reason_t reason = (auscult_reason_t)listener->reason;
    size_t i;

    for (i = 0u; (reason == AUSCULT_ANSWER) && (i < NET_OUTPUT_VALUES); i++) {
        const int8_t score = listener->scores[i];

        reason = ((score >= absent_below[i]) && (score < present_from[i])) ? AUSCULT_UNCERTAIN : reason;
    }
    return reason;
}
