/* Vector table and first instructions of a Cortex-M. */
#include <stdint.h>

#include "bare_metal.h"
#include "board.h"

typedef union {
    void (*handler)(void);
    uint32_t *stack;
} vector_t;

extern uint32_t board_stack_top[];

void board_start(void)
{
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    /* CPACR: full access to the coprocessors of floating point and vectors, before any code may use them. */
    volatile uint32_t *const access_control = (volatile uint32_t *)0xE000ED88u;
    *access_control |= 0xFu << 20;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
    bare_metal_run();
}

static void fault(void)
{
    board_print("the core took a fault\n");
    semihosting_exit(STATUS_FAULT);
}

/* Only counter.c on ARMv6-M has one. */
void SysTick_Handler(void) __attribute__((weak, alias("fault")));

/* Stack, reset and the fourteen exceptions of the architecture; interrupts stay off. */
__attribute__((section(".vectors"), used)) static const vector_t vectors[16] = {
    {.stack = board_stack_top}, {.handler = board_start}, {.handler = fault}, {.handler = fault},
    {.handler = fault},         {.handler = fault},       {.handler = fault}, {.handler = fault},
    {.handler = fault},         {.handler = fault},       {.handler = fault}, {.handler = fault},
    {.handler = fault},         {.handler = fault},       {.handler = fault}, {.handler = SysTick_Handler},
};
