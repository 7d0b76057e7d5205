/* Static files below the root directory. */
#ifndef CAPY_APPS_HTTPD_FILES_H
#define CAPY_APPS_HTTPD_FILES_H

#include "apps/httpd/http.h"
#include "apps/httpd/site.h"

/* Answers a GET or HEAD for a file: 200, 301 to a directory's slash, or an error. */
void capy_httpd_open_file(struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                          const struct capy_httpd_request *req);
/* On arrival from another server: opens our copy of x->path and checks that size and modification
 * time are those promised. False: it is another file, or not there. */
bool capy_httpd_reopen_file(const struct capy_httpd_site *site, struct capy_httpd_exchange *x);
/* Reads exactly len bytes at x->offset. False: the file became shorter, or cannot be read. */
bool capy_httpd_file_read(const struct capy_httpd_exchange *x, uint8_t *out, uint32_t len);

/* Decodes a target's path (RFC 3986 §2.1) into a path relative to the root, without empty and "."
 * segments; one that ends in '/' gets "index.html". False: a broken escape, NUL, a ".." segment, or
 * longer than out. Writes at most cap bytes, NUL included. */
bool capy_httpd_path(const char *path, size_t len, char *out, size_t cap);
/* By extension; "application/octet-stream" when unknown. */
const char *capy_httpd_mime(const char *path);

#endif
