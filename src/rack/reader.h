/* What reading and checking a rack file share: the parsed tree, the value being filled, and the one
 * error line. Room-internal; lives on the stack of capy_rack_read. */
#ifndef CAPY_RACK_READER_H
#define CAPY_RACK_READER_H

#include "capy/rack.h"
#include <libconfig.h>
#include <stdio.h>

struct rack_reader {
    config_t config;
    struct capy_rack *rack;
    char *err;
    size_t err_len;
    bool plain; /* a value that was written by us is read back, whatever it is: nothing is required,
                   derived or compared, but types (text.h) */
};

/* Writes "FILE:LINE: ..." for the line of `at` (NULL: the file as a whole, line 1) and returns
 * CAPY_E_CONFIG. The text says what is wrong, a semicolon, and what to write instead. */
int rack_fail(struct rack_reader *r, const config_setting_t *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The setting of member i of a list, or of key name in it when name is not NULL; never NULL: the
 * nearest enclosing setting stands in for an absent key. */
const config_setting_t *rack_at(struct rack_reader *r, const char *list, unsigned i,
                                const char *name);

/* Reads the file's tree into the value. */
int rack_read_file(struct rack_reader *r, FILE *file);

/* What no single key can tell: names, addresses, ports and times against each other. */
int rack_check(struct rack_reader *r);
/* The part of it about IP addresses, in addresses.c. */
int rack_check_addresses(struct rack_reader *r);

#endif
