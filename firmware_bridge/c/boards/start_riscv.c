/* First instructions of a 32-bit RISC-V in machine mode. */
#include "bare_metal.h"
#include "board.h"

void start_fault(void) __attribute__((noreturn, used));

/* Traps go to trap_entry; the stack is empty; no interrupt is on. */
__asm__(".section .vectors, \"ax\"\n"
        ".option arch, +zicsr\n"
        ".globl board_start\n"
        "board_start:\n"
        "    la sp, board_stack_top\n"
        "    la t0, trap_entry\n"
        "    csrw mtvec, t0\n"
        "    j bare_metal_run\n"
        ".balign 4\n"
        "trap_entry:\n"
        "    la sp, board_stack_top\n"
        "    j start_fault\n"
        ".text\n");

void start_fault(void)
{
    board_print("the core took a fault\n");
    semihosting_exit(STATUS_FAULT);
}
