#include "au_stream.h"

#include <string.h>

static au_value_t *slot(const au_stream_t *stream, const au_state_t *state, uint32_t row)
{
    au_value_t *const ring = (au_value_t *)(void *)(state->memory + stream->offset);
    return ring + ((row % stream->slots) * stream->width);
}

/* Row index of the last row that run number `run` of a window reads, clipped to the tensor; -1 if it lies before the
 * first. */
static int32_t last_row(const au_stream_t *stream, const au_tap_t *tap, uint16_t run)
{
    int32_t last = (int32_t)stream->rows - 1;
    if (tap->kernel != 0u) {
        const int32_t first = ((int32_t)run * (int32_t)tap->stride) - (int32_t)tap->pad;
        const int32_t end = first + (((int32_t)tap->kernel - 1) * (int32_t)tap->dilation);
        if (end < last) {
            last = end;
        }
    }
    return last;
}

static bool ready(const au_program_t *program, const au_state_t *state, const au_step_t *step, uint16_t run)
{
    bool all = run < step->runs;
    for (uint16_t t = 0; all && (t < step->n_taps); ++t) {
        const au_tap_t *const tap = &step->taps[t];
        const int32_t written = (int32_t)state->written[tap->stream];
        all = last_row(&program->streams[tap->stream], tap, run) < written;
    }
    return all;
}

AU_OUT_OF_LINE static void find_rows(const au_program_t *program, const au_state_t *state, const au_step_t *step,
                                     uint16_t run, const au_value_t **rows)
{
    uint32_t count = 0;
    for (uint16_t t = 0; t < step->n_taps; ++t) {
        const au_tap_t *const tap = &step->taps[t];
        const au_stream_t *const stream = &program->streams[tap->stream];
        if (tap->kernel == 0u) {
            rows[count] = slot(stream, state, 0);
            ++count;
        }
        int32_t row = ((int32_t)run * (int32_t)tap->stride) - (int32_t)tap->pad;
        for (uint16_t k = 0; k < tap->kernel; ++k) {
            const bool inside = (row >= 0) && (row < (int32_t)stream->rows);
            rows[count] = inside ? slot(stream, state, (uint32_t)row) : tap->outside;
            ++count;
            row += (int32_t)tap->dilation;
        }
    }
}

/* Run number `run` goes into the sums of the fold it belongs to, if any. Returns whether that fold is complete. */
static bool fold_rows(const au_program_t *program, const au_state_t *state, const au_step_t *step, uint16_t run,
                      const au_value_t *const *rows, au_value_t *out)
{
    const uint32_t inside = ((uint32_t)run + (uint32_t)step->fold_pad) % step->fold_stride;
    const bool first = (inside == 0u) || (run == 0u);
    const bool last = (inside == ((uint32_t)step->fold_kernel - 1u)) || (((uint32_t)run + 1u) == step->runs);
    bool complete = false;
    if ((inside < step->fold_kernel) && (state->written[step->output] < program->streams[step->output].rows)) {
        complete = last;
        step->fold(step->op, rows, state->memory + step->sums, first, complete ? out : NULL);
    }
    return complete;
}

void au_reset(const au_program_t *program, const au_state_t *state)
{
    (void)memset(state->written, 0, program->n_streams * sizeof(state->written[0]));
    (void)memset(state->runs, 0, program->n_steps * sizeof(state->runs[0]));
}

au_value_t *au_next_row(const au_program_t *program, const au_state_t *state, uint16_t stream)
{
    return slot(&program->streams[stream], state, state->written[stream]);
}

/* One run of `step`: rows in, perhaps rows out. */
static void run_step(const au_program_t *program, const au_state_t *state, const au_step_t *step, uint16_t run)
{
    const au_value_t *rows[AU_MAX_ROWS];
    au_value_t *const out = au_next_row(program, state, step->output);
    bool made = true;
    find_rows(program, state, step, run, rows);
    if (step->fold != NULL) {
        made = fold_rows(program, state, step, run, rows, out);
    } else {
        step->run(step->op, rows, out);
    }
    if (made) {
#ifdef AU_TRACE
        const uint32_t count = (uint32_t)step->emits * program->streams[step->output].width;
        au_trace(step->output, state->written[step->output], out, count);
#endif
        state->written[step->output] = (uint16_t)(state->written[step->output] + step->emits);
    }
}

/* The deepest step that is ready, none before `first` being so; as many as there are steps if none is. */
static uint16_t deepest_ready(const au_program_t *program, const au_state_t *state, uint16_t first)
{
    uint16_t s = first;
    while ((s < program->n_steps) && !ready(program, state, &program->steps[s], state->runs[s])) {
        ++s;
    }
    return s;
}

bool au_work(const au_program_t *program, const au_state_t *state, uint32_t limit, uint32_t *spent)
{
    bool within = true;
    uint16_t s = deepest_ready(program, state, 0);
    while (within && (s < program->n_steps)) {
        const au_step_t *const step = &program->steps[s];
        const uint32_t left = (*spent < limit) ? (limit - *spent) : 0u;
        within = (*spent == 0u) || (step->cost <= left);
        if (within) {
            run_step(program, state, step, state->runs[s]);
            state->runs[s] = (uint16_t)(state->runs[s] + 1u);
            *spent += step->cost;
            /* Of the deeper ones, none of which was ready, only those that read what was made can be now. */
            const uint16_t reader = program->streams[step->output].reader;
            s = deepest_ready(program, state, (reader < s) ? reader : s);
        }
    }
    return s == program->n_steps;
}
