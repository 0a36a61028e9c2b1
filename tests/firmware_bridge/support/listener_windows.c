/* Decisions of pcm.bin to scores.bin, by two contexts at once; STEP samples a push. FORGOTTEN: without
 * auscult_init, in contexts of zeros. */
#include "auscult.h"
#include "board.h"

static auscult_t listeners[2];

static int feed(auscult_t *listener, const int16_t *pcm, size_t count, int out)
{
    const int8_t *scores;

    while ((count > 0u) || auscult_busy(listener)) {
        const size_t taken = auscult_push(listener, pcm, count, &scores);

        if ((scores != NULL) && (board_write(out, scores, NET_OUTPUT_VALUES) != 0)) {
            return 2;
        }
        pcm = &pcm[taken];
        count -= taken;
    }
    return (auscult_push(listener, pcm, 0u, &scores) == 0u) && (scores == NULL) ? 0 : 3;
}

int main(void)
{
    static int16_t pcm[STEP];
    static int16_t negative[STEP];
    const int in = board_open_read("pcm.bin");
    const int out = board_open_write("scores.bin");
    const int other = board_open_write("negative.bin");
    size_t count;
    size_t i;
    int status = 0;

#if !defined(FORGOTTEN)
    auscult_init(&listeners[0]);
    auscult_init(&listeners[1]);
#endif
    for (count = board_read(in, pcm, sizeof pcm); (count > 0u) && (status == 0);
         count = board_read(in, pcm, sizeof pcm)) {
        count /= sizeof pcm[0];
        for (i = 0u; i < count; i++) {
            negative[i] = (int16_t)~pcm[i];
        }
        status = feed(&listeners[0], pcm, count, out);
        status = (status == 0) ? feed(&listeners[1], negative, count, other) : status;
    }
    board_close(out);
    board_close(other);
    return status;
}
