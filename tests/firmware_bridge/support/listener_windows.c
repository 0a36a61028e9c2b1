/* Decisions of pcm.bin to scores.bin, by two contexts at once. how.bin: samples a push, and whether auscult_init is
 * forgotten, in contexts of zeros. */
#include "auscult.h"
#include "board.h"

enum { MOST = 5000 };

static auscult_t listeners[2];
static int16_t pcm[MOST];
static int16_t negative[MOST];

static int feed(auscult_t *listener, const int16_t *samples, size_t count, int out)
{
    const int8_t *scores;

    while ((count > 0u) || auscult_busy(listener)) {
        const size_t taken = auscult_push(listener, samples, count, &scores);

        if ((scores != NULL) && (board_write(out, scores, NET_OUTPUT_VALUES) != 0)) {
            return 2;
        }
        samples = &samples[taken];
        count -= taken;
    }
    return (auscult_push(listener, samples, 0u, &scores) == 0u) && (scores == NULL) ? 0 : 3;
}

int main(void)
{
    const int how = board_open_read("how.bin");
    const int in = board_open_read("pcm.bin");
    const int out = board_open_write("scores.bin");
    const int other = board_open_write("negative.bin");
    uint32_t told[2] = {0u, 0u}; /* samples a push, and whether auscult_init is forgotten */
    size_t first;
    size_t count;
    size_t i;
    int status = 0;

    if ((board_read(how, told, sizeof told) != sizeof told) || (told[0] == 0u) || (told[0] > (uint32_t)MOST)) {
        return 4;
    }
    if (told[1] == 0u) {
        auscult_init(&listeners[0]);
        auscult_init(&listeners[1]);
    }
    first = (size_t)MOST - told[0]; /* whoever reads on behind a push reads behind the array */
    do {
        count = board_read(in, &pcm[first], told[0] * sizeof pcm[0]) / sizeof pcm[0];
        for (i = first; i < (first + count); i++) {
            negative[i] = (int16_t)~pcm[i];
        }
        status = feed(&listeners[0], &pcm[first], count, out);
        status = (status == 0) ? feed(&listeners[1], &negative[first], count, other) : status;
    } while ((count > 0u) && (status == 0));
    board_close(out);
    board_close(other);
    return status;
}
