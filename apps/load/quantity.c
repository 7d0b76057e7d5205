/* Quantities on the command line. See quantity.h. */
#include "apps/load/quantity.h"

#include <string.h>

#define DIGITS_MAX 19u /* of whole and fraction together: no 64-bit overflow */

/* A decimal number as written: digits and how many of them lie behind the point. */
struct decimal {
    uint64_t digits;
    unsigned behind;
};

/* Reads digits with at most one point among them; how many bytes those are, 0 when there are none. */
static size_t read_decimal(const char *text, size_t len, struct decimal *out)
{
    size_t i = 0, cnt = 0;
    bool point = false;
    *out = (struct decimal){0};
    for (; i < len; i++) {
        if (text[i] == '.' && !point && cnt > 0) {
            point = true;
            continue;
        }
        unsigned digit = (unsigned char)text[i] - (unsigned)'0';
        if (digit > 9 || ++cnt > DIGITS_MAX)
            break;
        out->digits = out->digits * 10 + digit;
        out->behind += point;
    }
    return cnt == 0 || text[i - 1] == '.' ? 0 : i;
}

/* d * unit when that is a whole number up to max. */
static bool scale(struct decimal d, uint64_t unit, uint64_t max, uint64_t *out)
{
    for (; d.behind > 0; d.behind--) {
        if (unit % 10 == 0)
            unit /= 10;
        else if (d.digits % 10 == 0)
            d.digits /= 10;
        else
            return false;
    }
    if (d.digits > max / unit)
        return false;
    *out = d.digits * unit;
    return true;
}

bool load_quantity_time(const char *text, size_t len, uint64_t max_ns, uint64_t *ns)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } unit[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {"m", 60000000000}};
    struct decimal d;
    size_t at = read_decimal(text, len, &d);
    for (unsigned i = 0; at > 0 && i < sizeof unit / sizeof unit[0]; i++) {
        if (len - at == strlen(unit[i].name) && memcmp(text + at, unit[i].name, len - at) == 0)
            return scale(d, unit[i].ns, max_ns, ns);
    }
    return false;
}

bool load_quantity_count(const char *text, size_t len, uint64_t max, uint64_t *out)
{
    struct decimal d;
    size_t at = read_decimal(text, len, &d);
    if (at == 0 || len - at > 1)
        return false;
    if (at == len)
        return scale(d, 1, max, out);
    return text[at] == 'k'   ? scale(d, 1000, max, out)
           : text[at] == 'M' ? scale(d, 1000000, max, out)
                             : false;
}

bool load_quantity_milli(const char *text, size_t len, uint64_t max_milli, uint64_t *out)
{
    struct decimal d;
    return len > 0 && read_decimal(text, len, &d) == len && scale(d, 1000, max_milli, out);
}
