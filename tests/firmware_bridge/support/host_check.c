/* Runs a generated network on a host: windows of input on standard input, every row of every stream on standard output.
 * A record is stream, row (uint16), count (uint32), then count values as int8; stream 65535 is the output of a window.
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

int main(void)
{
    static int8_t values[1u << 20];
    uint32_t rows = 0;
    host_init();
    while (fread(values, 1, host_row_values, stdin) == host_row_values) {
        bool ready = host_push(values);
        ++rows;
        if (rows == host_rows) {
            while (!ready) {
                ready = host_work();
            }
            host_output(values);
            host_record(65535u, 0, values, host_output_values);
            host_init();
            rows = 0;
        }
    }
    return 0;
}
