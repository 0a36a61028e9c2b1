/* What the main of the host's tests calls; host_net.h makes it of each network, so that main is compiled only once. */
#ifndef HOST_CHECK_H
#define HOST_CHECK_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t rows;
    uint32_t row_values;
    uint32_t output_values;
    void (*init)(void);
    bool (*push)(const int8_t *row);
    bool (*work)(void);
    void (*output)(int8_t *values);
} host_network_t;

extern const host_network_t *const host_networks[]; /* NULL behind the last */

void host_record(uint16_t stream, uint16_t row, const int8_t *values, uint32_t count);

#endif
