/* One JSON object per line over a Unix stream socket: what the control sockets of servers, switch
 * and local rack speak. A question is one line, its answer the next line. */
#ifndef CAPY_APPS_COMMON_JSONL_H
#define CAPY_APPS_COMMON_JSONL_H

#include <jansson.h>
#include <stddef.h>

/* Connects to the socket at path: a descriptor (the caller closes it), or -1 with errno. */
int capy_jsonl_connect(const char *path);

/* Writes one line. 0, or -1 with errno. */
int capy_jsonl_write(int fd, const json_t *object);

/* Reads one line within timeout_ms: a new reference, or NULL with errno (ETIMEDOUT, EPIPE at the
 * end of the stream, EBADMSG when it is not a JSON object). Reads no byte behind the line. When
 * pass is not NULL, *pass gets a descriptor that came along with it, or -1. */
json_t *capy_jsonl_read(int fd, int timeout_ms, int *pass);

/* Connects, asks, closes: the answer as a new reference, or NULL with errno. Steals question. */
json_t *capy_jsonl_ask(const char *path, json_t *question, int timeout_ms);

#endif
