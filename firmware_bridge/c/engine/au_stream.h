/* The schedule: which step may run, on which rows. A step runs as soon as the rows it needs are there, the deepest
 * first, so that every stream keeps only the rows somebody still needs. */
#ifndef AU_STREAM_H
#define AU_STREAM_H

#include "au_types.h"

/* One tensor that arrives row by row, in a ring. A ring with as many slots as rows holds the tensor whole. */
typedef struct {
    uint32_t offset; /* of the ring in the memory, in bytes */
    uint16_t width;  /* values in a row */
    uint16_t rows;   /* in the whole tensor */
    uint16_t slots;  /* rows that the ring holds */
    uint16_t turn;   /* of a program without an end: by how much its counters are set back together */
    uint16_t reader; /* the deepest step that reads it, or the number of steps */
} au_stream_t;

/* What a step reads of one stream: for its n-th run the rows n * stride - pad + i * dilation, i < kernel; kernel 0: the
 * whole tensor. */
typedef struct {
    const au_value_t
        *outside; /* stands for a row before the first or after the last; NULL if the kernel leaves those out */
    uint16_t stream;
    uint16_t kernel;
    uint16_t stride;
    uint16_t dilation;
    int16_t pad;
} au_tap_t;

/* Rows in, one piece of output out. */
typedef void (*au_run_t)(const void *op, const au_value_t *const *rows, au_value_t *out);

/* Rows into sums; `out` is NULL until the last run of a fold. */
typedef void (*au_fold_t)(const void *op, const au_value_t *const *rows, void *sums, bool first, au_value_t *out);

typedef struct {
    au_run_t run; /* one of the two is NULL */
    au_fold_t fold;
    const void *op;
    const au_tap_t *taps;
    uint32_t sums; /* offset of the fold's sums in the memory, in bytes */
    uint32_t cost; /* multiply-accumulates of one run */
    uint16_t n_taps;
    uint16_t output;      /* stream */
    uint16_t emits;       /* rows made at once */
    uint16_t runs;        /* in a whole window of input */
    uint16_t fold_kernel; /* fold n takes the runs n * fold_stride - fold_pad + i, i < fold_kernel */
    uint16_t fold_stride;
    int16_t fold_pad;
    uint16_t turn; /* as au_stream_t's */
} au_step_t;

typedef struct {
    const au_stream_t *streams;
    const au_step_t *steps; /* deepest first */
    uint16_t n_streams;
    uint16_t n_steps;
    uint16_t input; /* streams */
    uint16_t output;
} au_program_t;

/* What changes while a window passes; all of it belongs to the caller. */
typedef struct {
    uint16_t *written; /* rows so far, by stream */
    uint16_t *runs;    /* so far, by step */
    uint8_t *memory;   /* rings and sums */
} au_state_t;

void au_reset(const au_program_t *program, const au_state_t *state);

/* Where the next row of the input goes. */
au_value_t *au_next_row(const au_program_t *program, const au_state_t *state, uint16_t stream);

/* Run steps until none is ready, or until the next would make `spent` more than `limit`; where nothing is spent the
 * first runs whatever it costs. Returns whether none is ready. */
bool au_work(const au_program_t *program, const au_state_t *state, uint32_t limit, uint32_t *spent);

#ifdef AU_TRACE
/* Called with every row that any step makes; the test harness supplies it. */
void au_trace(uint16_t stream, uint16_t row, const au_value_t *values, uint32_t count);
#endif

#endif
