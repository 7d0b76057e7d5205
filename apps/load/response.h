/* The head of an HTTP/1.1 answer (RFC 9112 §4, §5), as far as a load generator needs it. */
#ifndef CAPY_APPS_LOAD_RESPONSE_H
#define CAPY_APPS_LOAD_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_SERVER_NAME_MAX 32u

struct load_response {
    unsigned status;
    bool has_length, close;
    uint64_t length;
    char server[LOAD_SERVER_NAME_MAX]; /* X-Capy-Server; "" when absent */
};

/* text: len bytes from the status line on. The length of the head, blank line included; 0 when more
 * is needed; -1 when it is no HTTP/1.1 head. */
int load_response_parse(const char *text, size_t len, struct load_response *out);

#endif
