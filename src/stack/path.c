/* ICMP errors on their way to the connection they speak of (RFC 9293 MUST-54), and what routers said
 * of MTUs, per destination (RFC 1191 §6.3, RFC 8201 §5.3), so that the next connection there begins
 * with segments that fit. Only what a connection believed is kept: an error that quotes nothing in
 * flight changes nothing here either (RFC 5927).
 *
 * The switch sends an error about a flow that has moved to its owner, with the quote as the owner
 * sent it. Where it cannot, the owner's own suspicion of full-sized segments (tcp/path.h) does what
 * the error would have done. */
#include "tcp/path.h"
#include "stack/host.h"

#define PATH_LIFE_NS CAPY_SEC(600) /* RFC 1191 §6.3, RFC 8201 §5.3: ten minutes */
/* No path is believed to be narrower. IPv4: as kernels have it, because a forged small MTU is an
 * attack (RFC 5927 §7.1) and real ones below do not occur. IPv6: RFC 8200 §5. */
#define MTU_MIN_V4 552u
#define MTU_MIN_V6 1280u

enum { IP_AND_TCP_V4 = 40, IP_AND_TCP_V6 = 60 };

static struct capy_path *path_of(struct capy_stack *s, const struct capy_ip *dst)
{
    uint64_t hash = capy_siphash13(s->index_key, dst->b, sizeof dst->b);
    return &s->paths[hash % CAPY_PATH_MAX];
}

/* What an MTU leaves for a segment, options included; 0 for none. */
static uint32_t segment_of(const struct capy_ip *dst, uint32_t mtu)
{
    if (mtu == 0)
        return 0;
    return capy_ip_is_v4(dst) ? capy_max32(mtu, MTU_MIN_V4) - IP_AND_TCP_V4
                              : capy_max32(mtu, MTU_MIN_V6) - IP_AND_TCP_V6;
}

/* RFC 8201 §4: discarded, whatever it says: such a link has to carry 1280 bytes all the same. */
static bool is_too_narrow(const struct capy_icmp_error *e)
{
    return e->advice == CAPY_ICMP_TOO_BIG && !capy_ip_is_v4(&e->dst) && e->mtu < MTU_MIN_V6;
}

void capy_path_apply(struct capy_stack *s, struct capy_conn *c)
{
    const struct capy_path *path = path_of(s, &c->remote);
    if (path->until <= s->now || !capy_ip_eq(&path->dst, &c->remote))
        return;
    struct capy_tcp_env env = capy_env(s);
    capy_tcp_path_known(&c->tcb, &env, segment_of(&c->remote, path->mtu));
}

void capy_icmp_error_input(struct capy_stack *s, const struct capy_packet *p)
{
    struct capy_icmp_error e;
    /* Only what left from the address that the error came to. */
    if (!capy_icmp_error_parse(p, &e) || !capy_ip_eq(&e.src, &p->dst))
        return;
    uint32_t idx = capy_demux_find(s, &e.dst, e.dst_port, e.src_port);
    if (idx == CAPY_NONE || s->conns[idx].mode != CAPY_CONN_RUNNING)
        return;
    struct capy_tcp_env env = capy_env_with(s, &e.dst);
    if (is_too_narrow(&e)) {
        env.count->icmp_ignored++;
        return;
    }
    bool believed;
    uint32_t events =
        capy_tcp_icmp(&s->conns[idx].tcb, &env, &e, segment_of(&e.dst, e.mtu), &believed);
    if (believed && e.mtu != 0)
        *path_of(s, &e.dst) = (struct capy_path){e.dst, e.mtu, s->now + PATH_LIFE_NS};
    capy_conn_happened(s, idx, events);
}
