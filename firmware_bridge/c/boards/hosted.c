/* The board of a program that an operating system runs: text on stderr as with semihosting, no counter. */
#include <stdio.h>

#include "board.h"

enum { FILES = 8 };
static FILE *files[FILES];

static int open_file(const char *path, const char *mode)
{
    int handle = 0;

    while ((handle < FILES) && (files[handle] != NULL)) {
        handle++;
    }
    if (handle == FILES) {
        return -1;
    }
    files[handle] = fopen(path, mode);
    return (files[handle] != NULL) ? handle : -1;
}

void board_putchar(char character)
{
    (void)fputc(character, stderr);
}

void board_counter_start(void)
{
}

uint32_t board_counter(void)
{
    return 0u;
}

uint32_t board_elapsed(uint32_t since)
{
    return since;
}

int board_open_read(const char *path)
{
    return open_file(path, "rb");
}

int board_open_write(const char *path)
{
    return open_file(path, "wb");
}

size_t board_read(int handle, void *data, size_t bytes)
{
    return fread(data, 1u, bytes, files[handle]);
}

int board_write(int handle, const void *data, size_t bytes)
{
    return (fwrite(data, 1u, bytes, files[handle]) == bytes) ? 0 : -1;
}

void board_close(int handle)
{
    (void)fclose(files[handle]);
    files[handle] = NULL;
}
