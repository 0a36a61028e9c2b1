/* The network of net.h behind host_check.h; included behind net.c. */
#include "host_check.h"

const uint32_t host_rows = NET_ROWS;
const uint32_t host_row_values = NET_ROW_VALUES;
const uint32_t host_output_values = NET_OUTPUT_VALUES;

static net_t host_net;
static int8_t host_row[NET_ROW_VALUES];
static int8_t host_values[NET_OUTPUT_VALUES];

void au_trace(uint16_t stream, uint16_t row, const au_value_t *values, uint32_t count)
{
    static int8_t narrow[1u << 20];
    for (uint32_t i = 0; i < count; ++i) {
        narrow[i] = (int8_t)values[i];
    }
    host_record(stream, row, narrow, count);
}

void host_init(void)
{
    net_init(&host_net);
}

/* Through arrays of the right size, beyond which the sanitizers let nothing be read or written. */
bool host_push(const int8_t *row)
{
    for (uint32_t i = 0; i < NET_ROW_VALUES; ++i) {
        host_row[i] = row[i];
    }
    return net_push(&host_net, host_row);
}

bool host_work(void)
{
    return net_work(&host_net);
}

void host_output(int8_t *values)
{
    net_output(&host_net, host_values);
    for (uint32_t i = 0; i < NET_OUTPUT_VALUES; ++i) {
        values[i] = host_values[i];
    }
}
