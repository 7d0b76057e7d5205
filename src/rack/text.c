/* A rack's text in memory; see text.h. */
#define _GNU_SOURCE /* memmem */
#include "rack/text.h"
#include "rack/reader.h"
#include <stdlib.h>
#include <string.h>

char *capy_rack_text(const struct capy_rack *rack, size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);
    if (!out)
        return NULL;
    rack_print(out, rack);
    bool failed = ferror(out) != 0;
    failed |= fclose(out) != 0;
    if (!failed)
        return text;
    free(text);
    return NULL;
}

int capy_rack_text_read(const char *text, size_t len, struct capy_rack *rack, char *err,
                        size_t err_len)
{
    struct rack_reader r = {.rack = rack, .err = err, .err_len = err_len, .plain = true};
    capy_rack_default(rack);
    strcpy(rack->path, "rack");
    /* "@include" would read other files of this machine; ours has none. */
    bool other = memmem(text, len, "@include", strlen("@include")) != NULL;
    FILE *in = len > 0 && !other ? fmemopen((void *)text, len, "r") : NULL;
    if (!in) {
        (void)snprintf(err, err_len, "rack: no text of a rack");
        return CAPY_E_CONFIG;
    }
    int rc = rack_read_file(&r, in);
    (void)fclose(in);
    rack->path[0] = 0;
    return rc;
}
