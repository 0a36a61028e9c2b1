/* The memory that C expects, and how deep the stack went. */
#include "bare_metal.h"

#include "board.h"

#define PAINT 0xC5C5C5C5u
/* Left unpainted: the frame of the function that paints. */
#define PAINTER_BYTES 128u

/* Ends of the sections, from board.ld. */
extern const uint32_t board_data_load[];
extern uint32_t board_data_start[];
extern uint32_t board_data_end[];
extern uint32_t board_bss_start[];
extern uint32_t board_bss_end[];
extern uint32_t board_stack_limit[];
extern uint32_t board_stack_top[];

int main(void);

static void paint_stack(void)
{
    /* volatile: the compiler must not see that nobody reads what it wrote. */
    volatile uint32_t *word = board_stack_limit;
    const uintptr_t end = (uintptr_t)board_stack_top - PAINTER_BYTES;

    while ((uintptr_t)word < end) {
        *word = PAINT;
        word++;
    }
}

static uint32_t stack_high_water(void)
{
    const volatile uint32_t *word = board_stack_limit;

    while ((word < board_stack_top) && (*word == PAINT)) {
        word++;
    }
    return (uint32_t)((uintptr_t)board_stack_top - (uintptr_t)word);
}

void bare_metal_run(void)
{
    const uint32_t *from = board_data_load;
    volatile uint32_t *to;
    int status;

    for (to = board_data_start; to < board_data_end; to++) {
        *to = *from;
        from++;
    }
    for (to = board_bss_start; to < board_bss_end; to++) {
        *to = 0u;
    }
    paint_stack();
    board_counter_start();
    status = main();
    if (board_stack_limit[0] != PAINT) {
        board_print("the stack ran over its end\n");
        semihosting_exit(STATUS_STACK_OVERFLOW);
    }
    board_report("stack_bytes", stack_high_water());
    semihosting_exit(status);
}
