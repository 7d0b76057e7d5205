/* Numbers on command lines and in query strings: decimal digits only, whole text, within a range.
 */
#ifndef CAPY_APPS_COMMON_OPTION_H
#define CAPY_APPS_COMMON_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads len bytes at text as a number in 0..max. False, *out untouched, when it is anything else.
 */
static inline bool capy_option_number(const char *text, size_t len, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;
    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned char)text[i] - (unsigned)'0';
        if (digit > 9 || digit > max || v > (max - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *out = v;
    return true;
}

#endif
