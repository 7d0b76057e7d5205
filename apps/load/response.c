/* The head of an HTTP/1.1 answer. See response.h. */
#define _GNU_SOURCE /* memmem */
#include "apps/load/response.h"

#include "apps/common/option.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The value when the line [line, end) is the field called name (with its colon), trimmed. */
static const char *field(const char *line, const char *end, const char *name, size_t *len)
{
    size_t name_len = strlen(name);
    if ((size_t)(end - line) < name_len || strncasecmp(line, name, name_len) != 0) {
        return NULL;
    }
    line += name_len;
    while (line < end && (*line == ' ' || *line == '\t')) {
        line++;
    }
    while (end > line && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    *len = (size_t)(end - line);
    return line;
}

/* One header line. False: a field we need makes no sense. */
static bool take_line(const char *line, const char *end, struct load_response *out)
{
    size_t len = 0;
    const char *value;
    if ((value = field(line, end, "Content-Length:", &len))) {
        out->has_length = true;
        return capy_option_number(value, len, UINT64_MAX, &out->length);
    }
    if ((value = field(line, end, "Connection:", &len))) {
        out->close = len == 5 && strncasecmp(value, "close", 5) == 0;
    } else if ((value = field(line, end, "X-Capy-Server:", &len))) {
        if (len >= sizeof out->server) {
            return false;
        }
        memcpy(out->server, value, len);
        out->server[len] = 0;
    }
    return true;
}

int load_response_parse(const char *text, size_t len, struct load_response *out)
{
    static const char version[] = "HTTP/1.1 ";
    size_t known = len < sizeof version - 1 ? len : sizeof version - 1;
    if (memcmp(text, version, known) != 0) {
        return -1;
    }
    const char *blank = memmem(text, len, "\r\n\r\n", 4);
    if (!blank) {
        return 0;
    }
    uint64_t status = 0;
    *out = (struct load_response){0};
    if (blank - text < 12 || !capy_option_number(text + 9, 3, 999, &status)) {
        return -1;
    }
    out->status = (unsigned)status;
    const char *line = memmem(text, (size_t)(blank - text) + 2, "\r\n", 2);
    while (line && line < blank) {
        line += 2;
        const char *end = memmem(line, (size_t)(blank + 2 - line), "\r\n", 2);
        if (!end || !take_line(line, end, out)) {
            return -1;
        }
        line = end;
    }
    return (int)(blank - text) + 4;
}
