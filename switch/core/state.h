/* Inside switch/core only: the switch's whole state, its counters by name, and the functions its
 * files lend each other. The memory is one caller-owned allocation (plane.h). */
#ifndef CAPY_SWITCH_STATE_H
#define CAPY_SWITCH_STATE_H

#include "switch/core/directory.h"
#include "switch/core/l2.h"
#include "switch/core/plane.h"
#include "switch/core/servers.h"
#include "switch/core/view.h"

/* Every drop and every verdict has a counter; names are what `capy ctl switch` prints. */
#define CAPY_SWITCH_COUNTERS(X)                                                                    \
    X(frames_in)                                                                                   \
    X(forwarded) /* by MAC address */                                                              \
    X(flooded)                                                                                     \
    X(routed)               /* sent to the switch's MAC for a server's address */                  \
    X(rewritten_to_owner)   /* client -> owner */                                                  \
    X(rewritten_from_owner) /* owner -> client */                                                  \
    X(errors_to_owner)      /* ICMP about a segment that the owner sent */                         \
    X(to_home_of_tombstone)                                                                        \
    X(entries_installed)                                                                           \
    X(entries_settled)                                                                             \
    X(entries_given_back)                                                                          \
    X(entries_announced)                                                                           \
    X(entries_burned) /* made by CANCEL or NACK only to refuse an epoch */                         \
    X(entries_removed)                                                                             \
    X(entries_aged)                                                                                \
    X(directory_full)                                                                              \
    X(arp_answered)                                                                                \
    X(arp_proxied)                                                                                 \
    X(nd_answered) /* neighbour solicitations, as ARP requests */                                  \
    X(nd_proxied)                                                                                  \
    X(echo_answered)                                                                               \
    X(heartbeats)                                                                                  \
    X(server_restarts)                                                                             \
    X(mig_passed)                                                                                  \
    X(mig_bounced)                                                                                 \
    X(verdict_ok)                                                                                  \
    X(verdict_no_target)                                                                           \
    X(verdict_full)                                                                                \
    X(verdict_stale)                                                                               \
    X(verdict_settled)                                                                             \
    X(verdict_learning)                                                                            \
    X(drop_bad_port) /* ingress port out of range, or frame too long */                            \
    X(drop_runt)                                                                                   \
    X(drop_mixed_ip)        /* IPv4-mapped address inside IPv6 */                                  \
    X(drop_mac_spoofed)     /* a server's or the switch's MAC as source on another port */         \
    X(drop_ip_spoofed)      /* a server's IP address as source on another server's port */         \
    X(drop_same_port)       /* the destination is where it came from */                            \
    X(drop_to_switch)       /* for the switch itself, and nothing it answers */                    \
    X(drop_fenced)          /* from a server that does not own the flow */                         \
    X(drop_unowned)         /* from a migration port, and no entry */                              \
    X(drop_family)          /* flow and owner of different IP versions */                          \
    X(drop_mig_client_port) /* TCPMig from a client-facing port */                                 \
    X(drop_mig_bypass)      /* TCPMig not addressed to the switch */                               \
    X(drop_mig_sender)      /* not the address or the id of a server on that port */               \
    X(drop_mig_malformed)                                                                          \
    X(drop_mig_tag)                                                                                \
    X(drop_mig_hash)                                                                               \
    X(drop_mig_field)   /* a server id or a port out of range */                                   \
    X(drop_mig_refused) /* an acknowledgement that contradicts the entry */

enum capy_switch_counter {
#define X(name) CAPY_COUNT_##name,
    CAPY_SWITCH_COUNTERS(X)
#undef X
        CAPY_COUNT_END
};

struct capy_switch {
    struct capy_switch_cfg cfg;
    uint64_t learn_until;
    uint16_t last_chosen; /* server id: equals take turns */
    uint32_t sweep_next;  /* next slot that capy_switch_expire looks at */
    struct capy_server servers[CAPY_SWITCH_SERVER_MAX];
    struct capy_directory dir;
    struct capy_l2 l2;
    uint64_t count[CAPY_COUNT_END];
};

/* One frame on its way through. */
struct capy_job {
    struct capy_switch *sw;
    uint64_t now;
    uint16_t port; /* ingress */
    uint8_t *frame;
    size_t len;
    struct capy_view view;
    struct capy_switch_out *out;
};

static inline void capy_switch_count(struct capy_switch *sw, enum capy_switch_counter c)
{
    sw->count[c]++;
}

static inline void capy_job_drop(struct capy_job *j, enum capy_switch_counter why)
{
    capy_switch_count(j->sw, why);
}

static inline void capy_job_send(struct capy_job *j, uint16_t port, uint8_t *frame, size_t len)
{
    j->out->frame[j->out->cnt].port = port;
    j->out->frame[j->out->cnt].data = frame;
    j->out->frame[j->out->cnt].len = len;
    j->out->cnt++;
}

/* The server with this address, of either version, or CAPY_SERVER_ANY. */
uint16_t capy_switch_server_of(const struct capy_switch *sw, const struct capy_ip *ip);
/* Its address of this one family, or NULL. */
const struct capy_ip *capy_switch_address(const struct capy_switch *sw, uint16_t id,
                                          uint8_t family);
bool capy_switch_is_own(const struct capy_switch *sw, const struct capy_ip *ip); /* the switch's */
bool capy_switch_server_alive(const struct capy_switch *sw, uint16_t id, uint64_t now);
/* The flow's entry, brought up to date with its servers' deaths, or NULL. */
struct capy_entry *capy_switch_find(struct capy_switch *sw, const struct capy_flow_key *key,
                                    uint64_t now);
void capy_switch_refresh(struct capy_switch *sw, struct capy_entry *e, uint64_t now);

void capy_switch_forward(struct capy_job *j); /* by MAC address, as any switch does */
void capy_switch_tcp(struct capy_job *j);     /* flows.c */
bool capy_switch_error(struct capy_job *j);   /* flows.c: true when it was about a migrated flow */
void capy_switch_arp(struct capy_job *j);     /* local.c */
void capy_switch_icmp(struct capy_job *j);    /* local.c: echo, neighbour discovery */
void capy_switch_tcpmig(struct capy_job *j);  /* tcpmig.c */

#endif
