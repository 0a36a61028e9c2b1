/* Runs the network over four windows and compares every output byte with what LiteRT answered.
 * Exit status 0 when all agree. */
#include "board.h"
#include "golden.h"
#include "net.h"

static net_t net;

static uint32_t next_random(uint32_t *state)
{
    *state = (*state * 1664525u) + 1013904223u;
    return *state >> 24;
}

/* Value of window 0 (random), 1 (all lowest), 2 (all highest) or 3 (random extremes). */
static int8_t value_of(uint32_t window, uint32_t *state)
{
    int32_t value = (window == 2u) ? 127 : -128;
    if ((window == 0u) || (window == 3u)) {
        const uint32_t random = next_random(state);
        value += (window == 0u) ? (int32_t)random : 0;
        if ((window == 3u) && (random >= 128u)) {
            value = 127;
        }
    }
    return (int8_t)value;
}

static uint32_t differing(uint32_t window, uint32_t *state)
{
    static int8_t row[NET_ROW_VALUES];
    static int8_t output[NET_OUTPUT_VALUES];
    uint32_t count = 0;
    net_init(&net);
    for (uint32_t r = 0; r < NET_ROWS; ++r) {
        for (uint32_t i = 0; i < NET_ROW_VALUES; ++i) {
            row[i] = value_of(window, state);
        }
        (void)net_push(&net, row);
    }
    while (!net_work(&net)) {
    }
    net_output(&net, output);
    for (uint32_t i = 0; i < NET_OUTPUT_VALUES; ++i) {
        count += (output[i] != golden[window][i]) ? 1u : 0u;
    }
    return count;
}

int main(void)
{
    uint32_t state = 1u;
    uint32_t count = 0;
    for (uint32_t window = 0; window < 4u; ++window) {
        count += differing(window, &state);
    }
    board_report("differing_bytes", count);
    return (count == 0u) ? 0 : 1;
}
