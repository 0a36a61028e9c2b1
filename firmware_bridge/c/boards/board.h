/* What a self-test or a benchmark asks of the machine below it.
 *
 * Bare metal (start_cortex_m.c or start_riscv.c, bare_metal.c, semihosting.c, counter.c) and an operating system
 * (hosted.c) answer alike. Silicon without a debugger supplies board_putchar alone and links counter.c. */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

/* One character of text, towards the person at the other end. */
void board_putchar(char character);

/* Lines of text: "text", and "name value\n". */
void board_print(const char *text);
void board_report(const char *name, uint64_t value);

/* A counter that runs freely, and its ticks since an earlier reading. It wraps at 32 bits. */
void board_counter_start(void);
uint32_t board_counter(void);
uint32_t board_elapsed(uint32_t since);

/* Files beside the program. A handle is negative when the file could not be opened. */
int board_open_read(const char *path);
int board_open_write(const char *path);
size_t board_read(int handle, void *data, size_t bytes);     /* bytes read; fewer at the end of the file */
int board_write(int handle, const void *data, size_t bytes); /* 0 when everything was written */
void board_close(int handle);

#endif
