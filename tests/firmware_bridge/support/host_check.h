/* What the main of the host's tests calls; host_net.h makes it of a network, so that main is compiled only once. */
#ifndef HOST_CHECK_H
#define HOST_CHECK_H

#include <stdbool.h>
#include <stdint.h>

extern const uint32_t host_rows;
extern const uint32_t host_row_values;
extern const uint32_t host_output_values;

void host_record(uint16_t stream, uint16_t row, const int8_t *values, uint32_t count);

void host_init(void);
bool host_push(const int8_t *row);
bool host_work(void);
void host_output(int8_t *values);

#endif
