/* The switch as a state machine: frame, ingress port and now go in; frames with egress ports, or a
 * counted drop, come out (design §6). The directory, the server table and L2 learning live in one
 * caller-owned allocation. The pure decisions (parse, entry transitions, target choice, rewriting)
 * are header-only beside this file, free of libc, so that the XDP plane compiles the same source:
 *   view.h     packet view: what the switch needs of a frame, bounds-checked against data_end
 *   entry.h    one directory entry: its transitions, and who may send
 *   servers.h  load table, leases, minimum workload register, choice of a target
 *   rewrite.h  address rewriting with incremental checksums
 *   quote.h    the flow that an ICMP error is about, and its rewriting
 * and so are the ways of a frame made of them (what differs between planes: state.h):
 *   input.h    its beginning     flows.h  TCP     arbiter.h  TCPMig     own.h  ARP */
#ifndef CAPY_SWITCH_PLANE_H
#define CAPY_SWITCH_PLANE_H

#include "base/arena.h"
#include "wire/frame.h"
#include "wire/tcpmig.h"

#define CAPY_SWITCH_PORT_MAX 64u
#define CAPY_SWITCH_SERVER_MAX 64u
#define CAPY_SWITCH_OUT_MAX 2u  /* frames that one input may turn into, flooding apart */
#define CAPY_PORT_FLOOD 0xffffu /* out on every port but the ingress */

/* How a new connection to the service address gets its server. */
enum capy_vip_policy { CAPY_VIP_MAGLEV, CAPY_VIP_LEAST_LOADED };

enum capy_port_role { CAPY_PORT_CLIENT, CAPY_PORT_SERVER };

struct capy_switch_cfg {
    struct capy_mac mac;
    struct capy_ip ip;  /* primary: TCPMig comes here, from the servers' primary addresses */
    struct capy_ip ip6; /* a second one, IPv6, beside an IPv4 ip; all zero: none */
    uint16_t tcpmig_port;
    uint16_t mig_port_first, mig_port_cnt; /* a server's local ports for migrated-in flows */
    struct capy_key key;                   /* rack key */
    struct capy_key hash_key;              /* random: directory hash */
    uint32_t levels, slots;                /* slots per level: a power of two; default 2 x 65536 */
    uint64_t lease_ns, learn_ns, age_ns, linger_ns;
    uint64_t boot_id; /* random, not 0 */
    uint16_t port_cnt;
    enum capy_port_role role[CAPY_SWITCH_PORT_MAX];
    struct {
        struct capy_ip ip, ip6; /* as the switch's; of one family: in ip */
        uint16_t port[CAPY_VIP_PORT_CNT];
        uint16_t port_cnt; /* 0: there is no service address */
        uint8_t policy;    /* capy_vip_policy */
    } vip;
    uint16_t server_cnt;
    struct {
        struct capy_ip ip, ip6; /* as the switch's */
        struct capy_mac mac;
        uint16_t port; /* index of its port */
    } server[CAPY_SWITCH_SERVER_MAX];
};

void capy_switch_cfg_default(struct capy_switch_cfg *cfg);

struct capy_switch;

size_t capy_switch_size(const struct capy_switch_cfg *cfg); /* 0: cfg out of range */
struct capy_switch *capy_switch_init(void *mem, const struct capy_switch_cfg *cfg, uint64_t now);

/* What to send. Frame 0 is the input frame, rewritten in place; frame 1 lies in extra. */
struct capy_switch_out {
    unsigned cnt;
    struct {
        uint16_t port; /* or CAPY_PORT_FLOOD */
        uint8_t *data;
        size_t len;
    } frame[CAPY_SWITCH_OUT_MAX];
    uint8_t extra[CAPY_FRAME_MAX];
};

/* frame: writable, len 1..CAPY_FRAME_MAX, borrowed. Never fails: a drop is out->cnt == 0, counted. */
void capy_switch_input(struct capy_switch *sw, uint16_t port, uint8_t *frame, size_t len,
                       uint64_t now, struct capy_switch_out *out);

/* Ages entries and expires leases, a bounded piece of the directory per call. When to call next. */
uint64_t capy_switch_expire(struct capy_switch *sw, uint64_t now);

/* ---- for people and tools ------------------------------------------------------------------------ */
struct capy_switch_entry_info {
    struct capy_flow_key key;
    enum capy_phase phase;
    uint16_t owner, previous; /* server ids; CAPY_SERVER_ANY: the home server by address */
    uint16_t owner_port, previous_port;
    uint32_t epoch;
    bool served, owner_dead;
    uint64_t touched_at;
};
bool capy_switch_next_entry(const struct capy_switch *sw, uint32_t *cursor,
                            struct capy_switch_entry_info *out);

struct capy_switch_server_info {
    bool alive, draining;
    uint32_t load, free_cnt, conn_cnt;
    uint64_t heard_at, incarnation;
};
void capy_switch_server(const struct capy_switch *sw, uint16_t id, uint64_t now,
                        struct capy_switch_server_info *out);

/* Named counters: name of counter i and its value; NULL past the end. */
const char *capy_switch_counter(const struct capy_switch *sw, unsigned i, uint64_t *value);
uint32_t capy_switch_entry_cnt(const struct capy_switch *sw);
bool capy_switch_learning(const struct capy_switch *sw, uint64_t now);

#endif
