/* Lines of text out of single characters; no printf, which would cost more than the network. */
#include "board.h"

void board_print(const char *text)
{
    while (*text != '\0') {
        board_putchar(*text);
        text++;
    }
}

void board_report(const char *name, uint64_t value)
{
    char digits[20];
    size_t count = 0u;

    do {
        digits[count] = (char)('0' + (char)(value % 10u));
        value /= 10u;
        count++;
    } while (value != 0u);
    board_print(name);
    board_putchar(' ');
    while (count > 0u) {
        count--;
        board_putchar(digits[count]);
    }
    board_putchar('\n');
}
