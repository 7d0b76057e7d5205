/* Carves one caller-owned allocation into aligned pieces, at start only. Measuring and carving run
 * the same code: carve from a NULL base to learn the size, then from the real memory. */
#ifndef CAPY_BASE_ARENA_H
#define CAPY_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct capy_arena {
    uint8_t *base; /* NULL while measuring */
    size_t used;
};

/* n * size bytes, 64-byte aligned, not cleared; NULL while measuring. */
static inline void *capy_arena_take(struct capy_arena *a, size_t n, size_t size)
{
    size_t at = (a->used + 63u) & ~(size_t)63u;
    a->used = at + n * size;
    return a->base ? a->base + at : NULL;
}

#endif
