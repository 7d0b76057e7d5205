/* The gate, where it was not built: says what to install. */
#include "kernel/gate.h"

#include <stdio.h>

struct capy_gate *capy_gate_open(unsigned ifindex, const struct capy_gate_rules *rules, char *err,
                                 size_t err_len)
{
    (void)ifindex, (void)rules;
    snprintf(err, err_len,
             "built without --stack linux; install clang and bpftool, build anew (make clean "
             "release)");
    return NULL;
}

void capy_gate_serve(struct capy_gate *g, uint16_t port)
{
    (void)g, (void)port;
}

void capy_gate_close(struct capy_gate *g)
{
    (void)g;
}
