/* See cold.h. */
#include "cold.h"
#include "base/assert.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum {
    BYTES = 8 << 20, /* four times what this decade's cores have */
    LINE = 64,
};

void cold_caches(void)
{
    static volatile uint8_t *bytes;
    if (!bytes)
        bytes = calloc(BYTES, 1);
    CAPY_ASSERT(bytes);
    for (size_t i = 0; i < BYTES; i += LINE)
        bytes[i]++;
}
