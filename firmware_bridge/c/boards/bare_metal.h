/* Between the first instructions of a core and main. */
#ifndef BARE_METAL_H
#define BARE_METAL_H

/* The first function of a core; nobody calls it but the vector table. */
void board_start(void);

/* Fill the memory that C expects, call main, report the stack, exit with main's status. Does not return. */
void bare_metal_run(void) __attribute__((noreturn));

/* Leave the emulator with this status. Does not return. */
void semihosting_exit(int status) __attribute__((noreturn));

/* Statuses beyond main's own. */
#define STATUS_FAULT 71
#define STATUS_STACK_OVERFLOW 72

#endif
