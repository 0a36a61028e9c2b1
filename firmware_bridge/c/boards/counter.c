/* A 32-bit counter: cycles on silicon, instructions (times a constant) in QEMU.
 *
 * BOARD_COUNTER_ADDRESS, BOARD_COUNTER_NRF51 or BOARD_COUNTER_INSTRET name the emulated machine's counter. Without
 * one the core's own counts cycles: DWT CYCCNT, on ARMv6-M SysTick with its interrupt, on RISC-V cycle. */
#include "board.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))

#if defined(BOARD_COUNTER_ADDRESS)

void board_counter_start(void)
{
}

uint32_t board_counter(void)
{
    return REGISTER(BOARD_COUNTER_ADDRESS);
}

#elif defined(BOARD_COUNTER_NRF51)

#define TIMER0 0x40008000u

void board_counter_start(void)
{
    REGISTER(TIMER0 + 0x508u) = 3u; /* BITMODE: 32 bits */
    REGISTER(TIMER0 + 0x510u) = 0u; /* PRESCALER: 16 MHz */
    REGISTER(TIMER0 + 0x000u) = 1u; /* TASKS_START */
}

uint32_t board_counter(void)
{
    REGISTER(TIMER0 + 0x040u) = 1u;   /* TASKS_CAPTURE[0] */
    return REGISTER(TIMER0 + 0x540u); /* CC[0] */
}

#elif defined(__riscv)

#if defined(BOARD_COUNTER_INSTRET)
#define READ_COUNTER "rdinstret"
#else
#define READ_COUNTER "rdcycle"
#endif

void board_counter_start(void)
{
}

uint32_t board_counter(void)
{
    uint32_t count;

    __asm__ volatile(".option arch, +zicsr\n\t" READ_COUNTER " %0" : "=r"(count));
    return count;
}

#elif defined(__ARM_ARCH_6M__)

#define SYSTICK 0xE000E010u

/* CMSIS's name: a vendor's vector table has it, and start_cortex_m.c. */
void SysTick_Handler(void);

static volatile uint32_t wraps; /* of 24 bits */

void SysTick_Handler(void)
{
    wraps++;
}

void board_counter_start(void)
{
    REGISTER(SYSTICK + 0x4u) = 0x00FFFFFFu; /* reload */
    REGISTER(SYSTICK + 0x8u) = 0u;          /* current */
    REGISTER(SYSTICK + 0x0u) = 7u;          /* enabled, core's clock, interrupt */
}

uint32_t board_counter(void)
{
    uint32_t before;
    uint32_t value;

    do {
        before = wraps;
        value = 0x00FFFFFFu - REGISTER(SYSTICK + 0x8u); /* it counts down */
    } while (before != wraps);
    return (before << 24) + value;
}

#else

#define DEMCR 0xE000EDFCu
#define DWT 0xE0001000u

void board_counter_start(void)
{
    REGISTER(DEMCR) |= 1u << 24;          /* TRCENA */
    REGISTER(DWT + 0xFB0u) = 0xC5ACCE55u; /* unlocks the registers where there is a lock: Cortex-M7 */
    REGISTER(DWT + 0x4u) = 0u;            /* CYCCNT */
    REGISTER(DWT + 0x0u) |= 1u;           /* CYCCNTENA */
}

uint32_t board_counter(void)
{
    return REGISTER(DWT + 0x4u);
}

#endif

uint32_t board_elapsed(uint32_t since)
{
    return board_counter() - since;
}
