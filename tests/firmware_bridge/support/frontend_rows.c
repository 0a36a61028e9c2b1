/* Rows of pcm.bin to rows.bin. step.bin: samples a push at most; after every push an empty one. Reports the ticks of
 * all pushes, of the worst, and of the best that completed a frame. */
#include "board.h"
#include "frontend.h"

enum { MOST = 4000 };

int main(void)
{
    static frontend_t frontend;
    static int16_t samples[MOST];
    int16_t *pcm;
    const int8_t *row = NULL;
    const int told = board_open_read("step.bin");
    const int in = board_open_read("pcm.bin");
    const int out = board_open_write("rows.bin");
    uint64_t ticks = 0u;
    uint32_t worst = 0u;
    uint32_t best = UINT32_MAX;
    uint32_t start;
    uint32_t step = 0u;
    size_t count;

    if ((board_read(told, &step, sizeof step) != sizeof step) || (step == 0u) || (step > (uint32_t)MOST)) {
        return 5;
    }
    pcm = &samples[(size_t)MOST - step]; /* whoever reads on behind a push reads behind the array */
    frontend_init(&frontend);
    for (;;) {
        size_t taken = 0u;

        count = board_read(in, pcm, step * sizeof samples[0]) / sizeof samples[0];
        if (count == 0u) {
            break;
        }
        while (taken < count) {
            start = board_counter();
            taken += frontend_push(&frontend, &pcm[taken], count - taken, &row);
            start = board_elapsed(start);
            ticks += start;
            worst = (start > worst) ? start : worst;
            best = ((row != NULL) && (start < best)) ? start : best;
            if ((row != NULL) && (board_write(out, row, FRONTEND_MELS) != 0)) {
                return 2;
            }
            if ((frontend_push(&frontend, NULL, 0u, &row) != 0u) || (row != NULL)) {
                return 3;
            }
        }
    }
    for (;;) {
        start = board_counter();
        row = frontend_finish(&frontend);
        ticks += board_elapsed(start);
        if (row == NULL) {
            break;
        }
        if (board_write(out, row, FRONTEND_MELS) != 0) {
            return 4;
        }
    }
    board_close(out);
    board_report("ticks", ticks);
    board_report("worst", worst);
    board_report("best", best);
    board_report("context", sizeof frontend);
    return 0;
}
