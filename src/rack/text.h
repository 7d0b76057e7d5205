/* A rack as text in memory, and back to the same value: for what carries a rack elsewhere, a recording
 * say. Unlike a rack file's, the value need not make sense as a rack: a host in no rack has one, too. */
#ifndef CAPY_RACK_TEXT_H
#define CAPY_RACK_TEXT_H

#include "capy/rack.h"
#include <stdio.h>

/* malloc'd, NUL behind *len bytes; NULL: out of memory. It holds the key. */
char *capy_rack_text(const struct capy_rack *rack, size_t *len);
/* CAPY_OK, or CAPY_E_CONFIG with one line in err. */
int capy_rack_text_read(const char *text, size_t len, struct capy_rack *rack, char *err,
                        size_t err_len);

/* write.c */
void rack_print(FILE *out, const struct capy_rack *rack);

#endif
