/* See sweep.h. */
#include "sweep.h"
#include "move.h"
#include "taken.h"

#include <stdio.h>

enum {
    WARM_UP = 100,
    TAKEN = 20000,           /* migrations of a point */
    TAKEN_BYTES = 512 << 20, /* or as many as move so much, with their heads */
    HEAD = 16 << 10,
};

static struct spread point(struct move *m, unsigned cnt, double tick_ns)
{
    struct taken t = taken_open(cnt);
    for (unsigned i = 0; i < WARM_UP; i++)
        (void)move_once(m);
    while (t.cnt < cnt)
        t.ns[t.cnt++] = (double)move_once(m) * tick_ns;
    struct spread s = taken_spread(&t);
    taken_close(&t);
    return s;
}

void sweep_queued(double tick_ns)
{
    static const uint32_t bytes[] = {0,         1u << 10,   4u << 10, 16u << 10,
                                     64u << 10, 256u << 10, 1u << 20};
    printf("[");
    for (unsigned i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        struct move m;
        move_open(&m, 1, bytes[i]);
        struct spread s = point(&m, capy_min32(TAKEN, TAKEN_BYTES / (bytes[i] + HEAD)), tick_ns);
        printf("%s\n    {\"bytes\": %u, ", i ? "," : "", bytes[i]);
        print_spread("host_ns", s, "%.0f");
        printf("}");
        move_close(&m);
    }
    printf("]");
}

void sweep_open(double tick_ns)
{
    printf("[");
    for (unsigned cnt = 1; cnt <= 1000000; cnt *= 10) {
        struct move m;
        move_open(&m, cnt, 0);
        struct spread s = point(&m, TAKEN, tick_ns);
        printf("%s\n    {\"connections\": %u, ", cnt > 1 ? "," : "", cnt);
        print_spread("host_ns", s, "%.0f");
        printf("}");
        move_close(&m);
    }
    printf("]");
}
