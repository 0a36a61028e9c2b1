/* A network that answers with its whole input. */
#ifndef NET_H
#define NET_H

#include <stdbool.h>
#include <stdint.h>

#include "frontend_spec.h"

#define NET_ROW_VALUES FRONTEND_MELS
#define NET_OUTPUT_VALUES (NET_ROWS * FRONTEND_MELS)

typedef struct {
    int8_t values[NET_OUTPUT_VALUES];
    uint32_t rows;
} net_t;

static inline void net_init(net_t *net)
{
    net->rows = 0u;
}

static inline bool net_push(net_t *net, const int8_t *row)
{
    uint32_t i;

    for (i = 0u; (net->rows < NET_ROWS) && (i < NET_ROW_VALUES); i++) {
        net->values[(net->rows * NET_ROW_VALUES) + i] = row[i];
    }
    net->rows++;
    return net->rows >= NET_ROWS;
}

static inline bool net_work(net_t *net)
{
    return net->rows >= NET_ROWS;
}

static inline void net_output(const net_t *net, int8_t *values)
{
    uint32_t i;

    for (i = 0u; i < NET_OUTPUT_VALUES; i++) {
        values[i] = (net->rows == NET_ROWS) ? net->values[i] : 0;
    }
}

#endif
