/* The MAC table; contract in l2.h. The caller's arena owns the memory. */
#include "switch/core/l2.h"
#include <string.h>

void capy_l2_init(struct capy_l2 *l2, struct capy_arena *a, struct capy_key key)
{
    size_t cnt = (size_t)CAPY_L2_SETS * CAPY_L2_WAYS;
    *l2 = (struct capy_l2){.key = key};
    l2->stations = capy_arena_take(a, cnt, sizeof *l2->stations);
    if (l2->stations)
        memset(l2->stations, 0, cnt * sizeof *l2->stations);
}
