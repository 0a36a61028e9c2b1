/* Of every decision on pcm.bin its answer and its first score to answers.bin. how.bin: samples a push. */
#include "auscult.h"
#include "board.h"

enum { MOST = 5000 };

static auscult_t listener;
static int16_t pcm[MOST];

int main(void)
{
    const int how = board_open_read("how.bin");
    const int in = board_open_read("pcm.bin");
    const int out = board_open_write("answers.bin");
    uint32_t step = 0u;
    size_t count;

    if ((board_read(how, &step, sizeof step) != sizeof step) || (step == 0u) || (step > (uint32_t)MOST)) {
        return 4;
    }
    auscult_init(&listener);
    do {
        const int16_t *samples = &pcm[(size_t)MOST - step];
        const int8_t *scores;

        count = board_read(in, &pcm[(size_t)MOST - step], step * sizeof pcm[0]) / sizeof pcm[0];
        for (size_t left = count; (left > 0u) || auscult_busy(&listener);) {
            const size_t taken = auscult_push(&listener, samples, left, &scores);

            if (scores != NULL) {
                const int8_t told[2] = {(int8_t)auscult_answer(&listener), scores[0]};

                if (board_write(out, told, sizeof told) != 0) {
                    return 2;
                }
            }
            samples = &samples[taken];
            left -= taken;
        }
    } while (count > 0u);
    board_close(out);
    return 0;
}
