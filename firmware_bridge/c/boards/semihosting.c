/* Text, files and the exit status through a debugger or an emulator (Arm's semihosting, also on RISC-V). */
#include "bare_metal.h"
#include "board.h"

enum {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITEC = 0x03,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_EXIT_EXTENDED = 0x20
};
enum { MODE_READ_BINARY = 1, MODE_WRITE_BINARY = 5 };
#define APPLICATION_EXIT 0x20026u

static uintptr_t call(uintptr_t operation, const void *arguments)
{
#if defined(__riscv)
    register uintptr_t result __asm__("a0") = operation;
    register const void *block __asm__("a1") = arguments;
    /* The three instructions must be these, uncompressed and on one page. */
    __asm__ volatile(".option push\n\t.option norvc\n\t.balign 16\n\t"
                     "slli x0, x0, 0x1f\n\tebreak\n\tsrai x0, x0, 7\n\t.option pop"
                     : "+r"(result)
                     : "r"(block)
                     : "memory");
#else
    register uintptr_t result __asm__("r0") = operation;
    register const void *block __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xAB" : "+r"(result) : "r"(block) : "memory");
#endif
    return result;
}

static size_t length(const char *text)
{
    size_t count = 0u;

    while (text[count] != '\0') {
        count++;
    }
    return count;
}

static int open_file(const char *path, uintptr_t mode)
{
    const uintptr_t block[3] = {(uintptr_t)path, mode, length(path)};
    return (int)call(SYS_OPEN, block);
}

void board_putchar(char character)
{
    (void)call(SYS_WRITEC, &character);
}

int board_open_read(const char *path)
{
    return open_file(path, MODE_READ_BINARY);
}

int board_open_write(const char *path)
{
    return open_file(path, MODE_WRITE_BINARY);
}

size_t board_read(int handle, void *data, size_t bytes)
{
    const uintptr_t block[3] = {(uintptr_t)handle, (uintptr_t)data, bytes};
    return bytes - (size_t)call(SYS_READ, block); /* the call returns what is missing */
}

int board_write(int handle, const void *data, size_t bytes)
{
    const uintptr_t block[3] = {(uintptr_t)handle, (uintptr_t)data, bytes};
    return (call(SYS_WRITE, block) == 0u) ? 0 : -1;
}

void board_close(int handle)
{
    const uintptr_t block[1] = {(uintptr_t)handle};
    (void)call(SYS_CLOSE, block);
}

void semihosting_exit(int status)
{
    const uintptr_t block[2] = {APPLICATION_EXIT, (uintptr_t)status};

    (void)call(SYS_EXIT_EXTENDED, block);
    for (;;) {
    }
}
