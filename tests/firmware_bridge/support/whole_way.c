/* Every window of pcm.bin: its scores to scores.bin, what auscult_has says of each label to decisions.bin. */
#include "auscult.h"
#include "board.h"

enum { CHUNK = 173 };

static auscult_t listener;
static int16_t pcm[CHUNK];

int main(void)
{
    const int in = board_open_read("pcm.bin");
    const int scores_out = board_open_write("scores.bin");
    const int decisions_out = board_open_write("decisions.bin");
    const int8_t *scores;
    size_t count;
    size_t label;

    auscult_init(&listener);
    for (count = board_read(in, pcm, sizeof pcm) / sizeof pcm[0]; count > 0u;
         count = board_read(in, pcm, sizeof pcm) / sizeof pcm[0]) {
        size_t taken = 0u;

        while ((taken < count) || auscult_busy(&listener)) {
            taken += auscult_push(&listener, &pcm[taken], count - taken, &scores);
            if (scores != NULL) {
                (void)board_write(scores_out, scores, NET_OUTPUT_VALUES);
                for (label = 0u; label < NET_OUTPUT_VALUES; label++) {
                    const char decision = auscult_has(scores, label) ? 1 : 0;

                    (void)board_write(decisions_out, &decision, 1u);
                }
            }
        }
    }
    board_close(scores_out);
    board_close(decisions_out);
    board_report("listener_bytes", sizeof listener);
    return 0;
}
