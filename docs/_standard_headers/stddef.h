/* Stands for the compiler's own where the documentation is built. */
#ifndef AUSCULT_DOCS_STDDEF_H
#define AUSCULT_DOCS_STDDEF_H

typedef __SIZE_TYPE__ size_t;

#endif
