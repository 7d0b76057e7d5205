/* The directory's table; contract in directory.h. The caller's arena owns the memory. */
#include "switch/core/directory.h"
#include <string.h>

void capy_directory_init(struct capy_directory *d, struct capy_arena *a, uint32_t levels,
                         uint32_t slots, uint16_t mig_port_first, struct capy_key key)
{
    size_t cnt = (size_t)levels * slots;
    *d = (struct capy_directory){
        .levels = levels, .slots = slots, .mig_port_first = mig_port_first, .key = key};
    d->stripe_mask = capy_directory_stripes(slots) - 1u;
    d->tags = capy_arena_take(a, cnt, sizeof *d->tags);
    d->entries = capy_arena_take(a, cnt, sizeof *d->entries);
    if (!d->entries)
        return;
    memset(d->tags, 0, cnt * sizeof *d->tags);
    memset(d->entries, 0, cnt * sizeof *d->entries);
}
