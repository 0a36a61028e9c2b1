/* A network of NET_ROWS rows that answers with its whole input; with SHARES, after so many calls of net_work beyond the
 * last row. */
#ifndef NET_H
#define NET_H

#include <stdbool.h>
#include <stdint.h>

#include "frontend_spec.h"

#define NET_ROW_VALUES FRONTEND_MELS
#define NET_OUTPUT_VALUES (NET_ROWS * FRONTEND_MELS)
#if defined(SHARES)
#define NET_PUSH_COST 1u
#else
#define NET_PUSH_COST UINT32_MAX
#define SHARES 1u
#endif

typedef struct {
    int8_t values[NET_OUTPUT_VALUES];
    uint32_t rows;
    uint32_t shares;
} net_t;

static inline void net_init(net_t *net)
{
    net->rows = 0u;
    net->shares = 0u;
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
    net->shares++;
    return (net->rows >= NET_ROWS) && (net->shares >= SHARES);
}

static inline void net_output(const net_t *net, int8_t *values)
{
    uint32_t i;

    for (i = 0u; i < NET_OUTPUT_VALUES; i++) {
        values[i] = ((net->rows == NET_ROWS) && (net->shares >= SHARES)) ? net->values[i] : 0;
    }
}

#endif
