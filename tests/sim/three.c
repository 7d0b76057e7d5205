/* See three.h. */
#include "three.h"
#include <string.h>

/* Of each flow by its ports; of the one rack that runs. A late copy of a SYN is answered as well, with a
 * label of its own: the last two. */
static struct {
    uint32_t label[2], iss;
} seen[UINT16_MAX + 1];

/* A segment that a server's connection sent. */
static void check_label(void *ctx, enum sim_moment moment, unsigned host, bool to_switch,
                        struct sim_stamp *stamp, const struct sim_view *v)
{
    (void)ctx, (void)stamp;
    if (moment != SIM_DELIVERED || to_switch || host != SIM_CLIENT || v->kind != SIM_TCP ||
        capy_ip_is_v4(&v->src) || (v->flags & SIM_RST))
        return;
    uint16_t flow = v->dst_port ^ v->src_port; /* one of them is the same for all */
    if ((v->flags & SIM_SYN) && v->label != seen[flow].label[0]) {
        seen[flow].label[1] = seen[flow].label[0];
        seen[flow].label[0] = v->label;
        seen[flow].iss = v->seq;
    }
    if ((int32_t)(v->seq - seen[flow].iss) < 0)
        return; /* of an earlier connection of this name, or of the one whose SYN was the first */
    CAPY_ASSERT(v->label == seen[flow].label[0] || v->label == seen[flow].label[1]);
}

void sim_init(struct sim_rack *r, uint64_t seed)
{
    sim_init_as(r, seed, seed % 3 == 0);
}

void sim_init_as(struct sim_rack *r, uint64_t seed, bool ipv6_only)
{
    memset(seen, 0, sizeof seen);
    sim_setup(r, seed, SIM_SERVERS, 1, ipv6_only ? SIM_IPV6_ALONE : SIM_BOTH);
    r->watch = check_label;
}
