/* Stands for the compiler's own where the documentation is built. */
#ifndef AUSCULT_DOCS_STDBOOL_H
#define AUSCULT_DOCS_STDBOOL_H

typedef _Bool bool;

#endif
