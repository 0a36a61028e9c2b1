/* Runs a generated network on a host: windows of input on standard input, every row of every stream on standard output.
 * A record is stream, row (uint16), count (uint32), then count values as int8; stream 65535 is the output of a window.
 */
#include <stdio.h>

#include "au_stream.h"
#include "net.h"

static void record(uint16_t stream, uint16_t row, const int8_t *values, uint32_t count)
{
    (void)fwrite(&stream, sizeof(stream), 1, stdout);
    (void)fwrite(&row, sizeof(row), 1, stdout);
    (void)fwrite(&count, sizeof(count), 1, stdout);
    (void)fwrite(values, 1, count, stdout);
}

void au_trace(uint16_t stream, uint16_t row, const au_value_t *values, uint32_t count)
{
    static int8_t narrow[1u << 20];
    for (uint32_t i = 0; i < count; ++i) {
        narrow[i] = (int8_t)values[i];
    }
    record(stream, row, narrow, count);
}

int main(void)
{
    static net_t net;
    static int8_t row[NET_ROW_VALUES];
    int8_t output[NET_OUTPUT_VALUES];
    uint32_t rows = 0;
    net_init(&net);
    while (fread(row, 1, sizeof(row), stdin) == sizeof(row)) {
        bool ready = net_push(&net, row);
        ++rows;
        if (rows == NET_ROWS) {
            while (!ready) {
                ready = net_work(&net);
            }
            net_output(&net, output);
            record(65535u, 0, output, NET_OUTPUT_VALUES);
            net_init(&net);
            rows = 0;
        }
    }
    return 0;
}
