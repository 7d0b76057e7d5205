/* Inside switch/core and switch/xdp: what a plane's state consists of, one frame's way through it, and
 * the questions about servers that every decision asks. Header only: user space, BPF and the
 * simulator compile the same source. The memory is the plane's, and so are four things that differ
 * (each plane defines them before it includes flows.h, arbiter.h and own.h; one.h has those of a
 * plane that runs alone in one thread):
 *
 *   capy_plane_choose, _least                     a search, which BPF's verifier wants apart, each
 *                                                 under its lock
 *   capy_plane_is_empty                           no entry at all: nothing to look for
 *   capy_plane_lock_of, _lock_of_servers, _lock, _unlock
 *                                                 exclusion between CPUs
 *   capy_plane_look, _looked                      reading entries without it: what was read between the
 *                                                 two is whole if the second says so
 *   capy_plane_send, _send_both, _cut             where a frame goes, and its length
 *   capy_plane_payload_hash, _answer_heartbeat    a long read, a new frame */
#ifndef CAPY_SWITCH_STATE_H
#define CAPY_SWITCH_STATE_H

#include "switch/core/counters.h"
#include "switch/core/directory.h"
#include "switch/core/index.h"
#include "switch/core/l2.h"
#include "switch/core/maglev.h"
#include "switch/core/plane.h"
#include "switch/core/servers.h"
#include "switch/core/view.h"
#include "wire/addr6.h"

/* Besides entries and stations, all that changes. */
struct capy_switch_live {
    uint64_t learn_until;
    uint64_t boot_id; /* of the memory: a program that takes it over goes on under this name */
    struct capy_key hash_key;
    uint16_t last_chosen; /* server id: equals take turns */
    struct capy_server server[CAPY_SWITCH_SERVER_MAX];
    struct capy_maglev maglev; /* of the service address */
};

void capy_switch_live_init(struct capy_switch_live *live, const struct capy_switch_cfg *cfg,
                           uint64_t now);
/* Fills the table of the service address anew when its servers are no longer those it was filled with:
 * alive, and not draining. To be called every few milliseconds. */
void capy_switch_refill(struct capy_switch_live *live, const struct capy_switch_cfg *cfg,
                        uint64_t now);

struct capy_switch {
    const struct capy_switch_cfg *cfg;
    const struct capy_index *index; /* of cfg */
    struct capy_switch_live *live;
    uint64_t *count; /* CAPY_COUNT_END of them */
    struct capy_directory dir;
    struct capy_l2 l2;
    uint32_t sweep_next; /* next slot that capy_switch_expire looks at */
    bool long_way;       /* a test's: takes it with every frame (quick.h) */
};

/* One frame on its way through. */
struct capy_job {
    struct capy_switch *sw;
    uint64_t now;
    uint16_t port; /* ingress */
    uint8_t *frame;
    const uint8_t *end;
    struct capy_view *view;
    struct capy_switch_out *out; /* of a plane that returns frames */
    void *ctx;                   /* of one that sends the frame in hand: its own name for it, */
    uint16_t egress;             /* and where it goes */
};

/* A TCPMig message in it. */
struct capy_mig_job {
    struct capy_job *j;
    struct capy_mig_msg *msg;
    uint16_t sender; /* server id */
    uint16_t peer;   /* the other server that it goes on to, or CAPY_SERVER_ANY */
    uint16_t home;   /* the server at the flow's home address, or CAPY_SERVER_ANY */
    /* What the message's answer says of the entry, as it stood under the lock. */
    uint8_t phase;
    uint16_t owner;
    uint32_t epoch;
};

static inline void capy_switch_count(struct capy_switch *sw, enum capy_switch_counter c)
{
    sw->count[c]++;
}

static inline void capy_job_drop(struct capy_job *j, enum capy_switch_counter why)
{
    capy_switch_count(j->sw, why);
}

/* ---- servers ---- */

static inline struct capy_server *capy_switch_server_at(const struct capy_switch *sw, uint16_t id)
{
    return &sw->live->server[id % CAPY_SWITCH_SERVER_MAX];
}

/* Where the server is: its configuration. */
#define CAPY_SWITCH_PLACE(sw, id) (&(sw)->cfg->server[(id) % CAPY_SWITCH_SERVER_MAX])

/* The server with this address, of either version, or CAPY_SERVER_ANY. */
static inline uint16_t capy_switch_server_of(const struct capy_switch *sw, const struct capy_ip *ip)
{
    return capy_index_server_of(sw->index, sw->cfg, ip);
}

static inline uint16_t capy_switch_server_of_mac(const struct capy_switch *sw, uint64_t word)
{
    return capy_index_server_of_mac(sw->index, sw->cfg, word);
}

/* Its address of this one family, or NULL. */
static inline const struct capy_ip *capy_switch_address(const struct capy_switch *sw, uint16_t id,
                                                        uint8_t family)
{
    if (!(capy_switch_server_at(sw, id)->families & family))
        return NULL;
    return capy_family_of(&CAPY_SWITCH_PLACE(sw, id)->ip) == family
               ? &CAPY_SWITCH_PLACE(sw, id)->ip
               : &CAPY_SWITCH_PLACE(sw, id)->ip6;
}

/* The switch's own. */
static inline bool capy_switch_is_own(const struct capy_switch *sw, const struct capy_ip *ip)
{
    return !capy_ip_is_unset(ip) && (capy_ip_eq(ip, &sw->cfg->ip) || capy_ip_eq(ip, &sw->cfg->ip6));
}

static inline bool capy_switch_server_alive(const struct capy_switch *sw, uint16_t id, uint64_t now)
{
    return capy_server_alive(capy_switch_server_at(sw, id), now, sw->cfg->lease_ns);
}

static inline bool capy_switch_in_learning(const struct capy_switch *sw, uint64_t now)
{
    return now < sw->live->learn_until;
}

/* A question for a server: the least-loaded one, or whether this one can. */
struct capy_switch_ask {
    uint16_t target;  /* this one, or CAPY_SERVER_ANY */
    uint16_t asker;   /* not this one */
    uint16_t from;    /* charge what a connection there costs; CAPY_SERVER_ANY: one of its own */
    uint8_t families; /* one of these */
    uint64_t now;
};

/* The minimum workload register's value; UINT32_MAX: nobody takes anything. */
static inline uint32_t capy_switch_least(const struct capy_switch *sw, uint64_t now)
{
    uint16_t id = capy_server_choose(sw->live->server, sw->cfg->server_cnt, CAPY_FAMILY_ANY,
                                     CAPY_SERVER_ANY, 0, now, sw->cfg->lease_ns);
    return id == CAPY_SERVER_ANY ? UINT32_MAX : capy_switch_server_at(sw, id)->load;
}

/* The server, charged with one connection more, or CAPY_SERVER_ANY. Under the lock of the servers. */
static inline uint16_t capy_switch_choose(struct capy_switch *sw, const struct capy_switch_ask *ask)
{
    uint16_t id = ask->target;
    if (id == CAPY_SERVER_ANY)
        id = capy_server_choose(sw->live->server, sw->cfg->server_cnt, ask->families, ask->asker,
                                sw->live->last_chosen, ask->now, sw->cfg->lease_ns);
    if (id == CAPY_SERVER_ANY || id == ask->asker || !capy_switch_server_alive(sw, id, ask->now))
        return CAPY_SERVER_ANY;
    struct capy_server *s = capy_switch_server_at(sw, id);
    if (!(s->families & ask->families))
        return CAPY_SERVER_ANY;
    sw->live->last_chosen = id;
    capy_server_charge(s, ask->from == CAPY_SERVER_ANY ? s : capy_switch_server_at(sw, ask->from));
    return id;
}

/* ---- entries, under the lock of their client ---- */

/* Brings an entry up to date with its servers' deaths. */
static inline void capy_switch_refresh(struct capy_switch *sw, struct capy_entry *e, uint64_t now)
{
    uint32_t epoch = e->epoch;
    capy_entry_refresh(e, capy_switch_server_at(sw, e->owner.id),
                       capy_switch_server_at(sw, e->previous.id), now, sw->cfg->lease_ns);
    if (e->epoch != epoch)
        capy_switch_count(sw, CAPY_COUNT_entries_given_back);
}

/* The flow's entry, brought up to date, or NULL. */
static inline struct capy_entry *capy_switch_find(struct capy_switch *sw, uint64_t hash,
                                                  const struct capy_flow_key *key, uint64_t now)
{
    struct capy_entry *e = capy_directory_find(&sw->dir, hash, key);
    if (e)
        capy_switch_refresh(sw, e, now);
    return e;
}

#endif
