/* What moves with a connection: the encoding of its exchange. Big-endian, versioned, at most
 * CAPY_HTTPD_STATE_MAX bytes, ended by a checksum; a connection between two requests needs none.
 * Times move as what is left of them. The request parser's fields are libhttp-parser's own, so its
 * version goes along and another one is refused. */
#ifndef CAPY_APPS_HTTPD_STATE_H
#define CAPY_APPS_HTTPD_STATE_H

#include "apps/httpd/exchange.h"

#define CAPY_HTTPD_STATE_MAX 4096u

/* The state's length. */
uint32_t capy_httpd_state_encode(const struct capy_httpd_exchange *x, uint64_t now,
                                 uint8_t out[CAPY_HTTPD_STATE_MAX]);
/* Reads a state into a cleared exchange. A FILE is not open yet. False: not a state that this
 * version wrote; x is then to be given back unused. */
bool capy_httpd_state_decode(struct capy_httpd_exchange *x, const uint8_t *data, uint32_t len,
                             uint64_t now);

#endif
