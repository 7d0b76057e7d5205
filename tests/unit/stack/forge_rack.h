/* A forged host in a rack of three that is only messages: the switch and the other servers are
 * whoever writes them. Header only. */
#ifndef CAPY_TESTS_STACK_FORGE_RACK_H
#define CAPY_TESTS_STACK_FORGE_RACK_H

#include "forge.h"
#include "wire/tcpmig_header.h"

enum { FORGE_PEERS = 3, FORGE_PORT = 80, FORGE_MIG_PORTS = 61440, FORGE_MIG_PORT_CNT = 4096 };

#define FORGE_SERVER(id) (0x0a000001u + (id))
#define FORGE_TOR 0x0a0000feu
#define FORGE_TOR_MAC ((struct capy_mac){{2, 0, 0, 0, 9, 9}})
#define FORGE_RACK_KEY ((struct capy_key){5, 6})

static inline struct capy_stack_cfg forge_rack_cfg(uint16_t self)
{
    struct capy_stack_cfg cfg = forge_cfg();
    cfg.conn_max = 8;
    cfg.migrate_max = 2;
    cfg.memory_max = 16;
    cfg.ip = capy_ip_from_v4(FORGE_SERVER(self));
    cfg.self = self;
    cfg.peer_cnt = FORGE_PEERS;
    for (unsigned i = 0; i < FORGE_PEERS; i++)
        cfg.peers[i] = (struct capy_stack_peer){.ip = capy_ip_from_v4(FORGE_SERVER(i)),
                                                .mac = {{2, 0, 0, 0, 0, (uint8_t)(1 + i)}}};
    cfg.mac = cfg.peers[self].mac;
    cfg.tor = (struct capy_stack_peer){.ip = capy_ip_from_v4(FORGE_TOR), .mac = FORGE_TOR_MAC};
    cfg.rack_key = FORGE_RACK_KEY;
    cfg.mig_port_first = FORGE_MIG_PORTS;
    cfg.mig_port_cnt = FORGE_MIG_PORT_CNT;
    cfg.incarnation = 3u + self;
    cfg.heartbeat_ns = CAPY_MS(10);
    cfg.lease_ns = CAPY_SEC(1);
    return cfg;
}

/* As a server of the rack computes it. */
static inline uint64_t forge_state_hash(const struct capy_mig_msg *msg)
{
    static struct capy_mig_env env;
    capy_mig_state_key_init(&env.state_key, FORGE_RACK_KEY);
    return capy_mig_state_hash(&env, msg, msg->payload);
}

static inline void forge_rack_says(struct forge *f, const struct capy_mig_msg *msg, uint32_t from)
{
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_frame_to to = {.dst_mac = f->s->cfg.mac,
                               .src_mac = FORGE_TOR_MAC,
                               .src = capy_ip_from_v4(from),
                               .dst = f->s->cfg.ip,
                               .src_port = f->s->cfg.tcpmig_port,
                               .dst_port = f->s->cfg.tcpmig_port};
    struct capy_mig_msg m = *msg;
    if (msg->length > 0)
        memcpy(frame + CAPY_UDP_AT + CAPY_MIG_HEADER_LEN, msg->payload, msg->length);
    if (msg->type == CAPY_MIG_CONN_STATE)
        m.payload_hash = forge_state_hash(msg);
    size_t len = capy_mig_build(frame + CAPY_UDP_AT, FORGE_RACK_KEY, &m);
    capy_stack_input(f->s, frame, capy_frame_build_udp(frame, &to, len), f->now);
}

/* The host's next TCPMig message of this type, its payload in f->frame; false: none comes. What
 * comes before it is lost. */
static inline bool forge_rack_hears(struct forge *f, enum capy_mig_type type,
                                    struct capy_mig_msg *msg)
{
    struct capy_packet p;
    while (forge_hear(f, &p))
        if (p.kind == CAPY_PACKET_UDP &&
            capy_mig_parse(p.udp.data, p.udp.data_len, FORGE_RACK_KEY, msg) == CAPY_MIG_GOOD &&
            msg->type == type)
            return true;
    return false;
}

/* The switch answers a HEARTBEAT that left just now. */
static inline void forge_rack_beat(struct forge *f, uint64_t switch_boot)
{
    uint8_t bytes[CAPY_MIG_HEARTBEAT_ACK_LEN];
    const struct capy_mig_heartbeat_ack ack = {.switch_boot = switch_boot};
    struct capy_mig_msg msg = {.type = CAPY_MIG_HEARTBEAT_ACK,
                               .origin = f->s->cfg.self,
                               .target = CAPY_SERVER_ANY,
                               .mig_id = f->now,
                               .total = sizeof bytes,
                               .length = sizeof bytes,
                               .payload = bytes};
    capy_mig_heartbeat_ack_store(bytes, &ack);
    forge_rack_says(f, &msg, FORGE_TOR);
}

/* Just started: it has no lease yet, and its quiet time runs. */
static inline void forge_rack_open(struct forge *f, uint16_t self)
{
    struct capy_stack_cfg cfg = forge_rack_cfg(self);
    forge_open(f, &cfg);
    CAPY_ASSERT(capy_stack_listen(f->s, FORGE_PORT, 0) == CAPY_OK);
}

/* Ready to take what comes. */
static inline void forge_rack_ready(struct forge *f, uint16_t self)
{
    forge_rack_open(f, self);
    forge_pass(f, CAPY_MIG_QUIET_NS);
    forge_rack_beat(f, 7);
    forge_drain(f);
}

#endif
