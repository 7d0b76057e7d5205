/* Filling Maglev's table; contract in maglev.h. */
#include "switch/core/maglev.h"
#include "base/assert.h"
#include <string.h>

/* A server's walk: slots at, at + skip, ... modulo the table, which is prime, so it meets all. */
struct walk {
    uint32_t at, skip;
};

static struct walk begin(uint64_t name)
{
    return (struct walk){(uint32_t)(name >> 32) % CAPY_MAGLEV_SLOTS,
                         (uint32_t)name % (CAPY_MAGLEV_SLOTS - 1u) + 1u};
}

/* The next slot of the walk that nobody has. */
static uint32_t step(const struct capy_maglev *m, struct walk *w)
{
    while (m->slot[w->at] != CAPY_MAGLEV_NONE)
        w->at = (w->at + w->skip) % CAPY_MAGLEV_SLOTS;
    return w->at;
}

void capy_maglev_build(struct capy_maglev *m, uint64_t members, const uint64_t name[64])
{
    struct walk walk[64];
    m->members = members;
    memset(m->slot, CAPY_MAGLEV_NONE, sizeof m->slot);
    for (uint32_t i = 0; i < 64; i++)
        walk[i] = begin(name[i]);
    for (uint32_t filled = 0; members != 0 && filled < CAPY_MAGLEV_SLOTS;)
        for (uint32_t i = 0; i < 64 && filled < CAPY_MAGLEV_SLOTS; i++) {
            if (!(members >> i & 1u))
                continue;
            m->slot[step(m, &walk[i])] = (uint8_t)i;
            filled++;
        }
}
