/* The configuration of a server's stack: what its rack file says, and a few random numbers. The same for
 * a running server and for a replay. */
#ifndef CAPY_SOCK_CONFIG_H
#define CAPY_SOCK_CONFIG_H

#include "capy/rack.h"
#include "stack/stack.h"

#define CAPY_LISTENER_MAX 16u

/* Drawn at start. */
struct capy_host_seed {
    struct capy_key hash_key;
    uint32_t incarnation; /* not 0 */
};

/* self: index in rack->server; -1: a host in no rack, which rack->server[0] describes. */
void capy_host_cfg(const struct capy_rack *rack, int self, const struct capy_host_seed *seed,
                   struct capy_stack_cfg *cfg);

#endif
