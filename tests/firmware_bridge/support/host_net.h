/* A network as host_check.h knows it; stands behind its net.c. */
#include "host_check.h"

static net_t host_net;
static int8_t host_row[NET_ROW_VALUES];
static int8_t host_values[NET_OUTPUT_VALUES];

static void host_init(void)
{
    net_init(&host_net);
}

/* Through arrays of the right size, beyond which the sanitizers let nothing be read or written. */
static bool host_push(const int8_t *row)
{
    for (uint32_t i = 0; i < NET_ROW_VALUES; ++i) {
        host_row[i] = row[i];
    }
    return net_push(&host_net, host_row);
}

static bool host_work(void)
{
    return net_work(&host_net);
}

static void host_output(int8_t *values)
{
    net_output(&host_net, host_values);
    for (uint32_t i = 0; i < NET_OUTPUT_VALUES; ++i) {
        values[i] = host_values[i];
    }
}

static const host_network_t host_network = {
    NET_ROWS, NET_ROW_VALUES, NET_OUTPUT_VALUES, host_init, host_push, host_work, host_output,
};
