/* Rows of rows.bin to outputs.bin: an output whenever a window is decided, on and on. With CUT_OUT a window begins anew
 * after each: the same from windows cut out. */
#include "board.h"
#include "net.h"

#define COUNTERS (sizeof net.written / sizeof net.written[0])

static net_t net;
static int8_t row[NET_ROW_VALUES];
static int8_t output[NET_OUTPUT_VALUES];

int main(void)
{
    const int in = board_open_read("rows.bin");
    const int out = board_open_write("outputs.bin");
    uint64_t ticks = 0u;
    uint32_t worst = 0u;
    uint32_t rows = 0u;
    uint32_t most_shares = 0u;
    uint32_t highest = 0u;
    uint32_t i;

    board_counter_start();
    net_init(&net);
    while (board_read(in, row, sizeof row) == sizeof row) {
        uint32_t start = board_counter();
        bool ready = net_push(&net, row);
        uint32_t took = board_elapsed(start);
        const bool last = ++rows == NET_ROWS;
        uint32_t shares = 0u;

        ticks += took;
        worst = (took > worst) ? took : worst;
        for (i = 0u; i < ((sizeof net.written + sizeof net.runs) / sizeof net.written[0]); i++) {
            const uint32_t count = (i < COUNTERS) ? net.written[i] : net.runs[i - COUNTERS];

            highest = (count > highest) ? count : highest;
        }
        for (; last && !ready; shares++) {
            start = board_counter();
            ready = net_work(&net);
            took = board_elapsed(start);
            ticks += took;
            worst = (took > worst) ? took : worst;
        }
        most_shares = (shares > most_shares) ? shares : most_shares;
        if (last) {
            net_output(&net, output);
            (void)board_write(out, output, sizeof output);
#if defined(CUT_OUT)
            net_init(&net);
            rows = 0u;
#else
            rows = NET_ROWS - NET_HOP;
#endif
        }
    }
    board_report("network_ticks", ticks);
    board_report("worst_push_ticks", worst);
    board_report("most_shares", most_shares);
    board_report("highest_counter", highest);
    board_report("network_bytes", sizeof net);
    board_close(out);
    return 0;
}
