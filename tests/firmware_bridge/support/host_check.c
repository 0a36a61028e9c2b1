/* Runs generated networks on a host: for each the number of its windows (uint32) and the windows on standard input,
 * every row of every stream on standard output. A record is stream, row (uint16), count (uint32), then count values as
 * int8; stream 65535 is the output of a window.
 */
#include "host_check.h"

#include <stdio.h>

void host_record(uint16_t stream, uint16_t row, const int8_t *values, uint32_t count)
{
    (void)fwrite(&stream, sizeof(stream), 1, stdout);
    (void)fwrite(&row, sizeof(row), 1, stdout);
    (void)fwrite(&count, sizeof(count), 1, stdout);
    (void)fwrite(values, 1, count, stdout);
}

/* Returns whether the whole window was there. */
static bool hear(const host_network_t *network)
{
    static int8_t values[1u << 20];
    bool ready = false;
    network->init();
    for (uint32_t row = 0; row < network->rows; ++row) {
        if (fread(values, 1, network->row_values, stdin) != network->row_values) {
            return false;
        }
        ready = network->push(values);
    }
    while (!ready) {
        ready = network->work();
    }
    network->output(values);
    host_record(65535u, 0, values, network->output_values);
    return true;
}

int main(void)
{
    for (const host_network_t *const *network = host_networks; *network != NULL; ++network) {
        uint32_t windows;
        if (fread(&windows, sizeof(windows), 1, stdin) != 1) {
            return 1;
        }
        for (; windows > 0; --windows) {
            if (!hear(*network)) {
                return 1;
            }
        }
    }
    return 0;
}
