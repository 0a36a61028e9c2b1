/* The mean of each band over the recording, as far as it was heard. */
#include "frontend_parts.h"

enum { HALF = FRONTEND_REMEMBERED / 2 };

void frontend_subtract_mean(frontend_mean_t *mean, frontend_code_t *levels, int8_t *row)
{
    const bool full = mean->frames == FRONTEND_REMEMBERED;
    bool heard = false; /* a frame of silence says nothing of the stethoscope */
    uint32_t frames;
    size_t i;

    for (i = 0u; i < FRONTEND_MELS; i++) {
        heard = heard || (levels[i] != 0);
    }
    mean->frames += (heard && !full) ? 1u : 0u;
    frames = (mean->frames > 0u) ? mean->frames : 1u;
    for (i = 0u; i < FRONTEND_MELS; i++) {
        const int32_t level = levels[i];
        uint32_t sum = mean->sums[i];
        int64_t code = FRONTEND_CODE_OFFSET;

        if (heard) {
            sum += (uint32_t)level;
            sum -= full ? ((mean->sums[i] + HALF) / FRONTEND_REMEMBERED) : 0u;
            mean->sums[i] = sum;
        }
        /* A power of two is divided by in one instruction; others are, too, but not on every core. */
        sum = (frames == FRONTEND_REMEMBERED) ? ((sum + HALF) / FRONTEND_REMEMBERED) : ((sum + (frames / 2u)) / frames);
        code += (int64_t)(level - (int32_t)sum) * FRONTEND_CODE_SLOPE;
        code >>= FRONTEND_CODE_BITS;
        code = (code > 127) ? 127 : code;
        /* The row takes the levels' place: the i-th code lies no further than the i-th level. */
        row[i] = (int8_t)((code < -128) ? -128 : code);
    }
}
