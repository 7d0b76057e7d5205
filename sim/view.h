/* What the simulation itself reads of a frame, for its oracles and its traces: by offsets of the
 * standards and of docs/protocol.md, sharing no code with the parsers under test. Checks nothing. */
#ifndef CAPY_SIM_VIEW_H
#define CAPY_SIM_VIEW_H

#include "wire/addr.h"

enum sim_kind { SIM_OTHER, SIM_ARP, SIM_ICMP, SIM_UDP, SIM_TCP, SIM_MIG };

enum { SIM_FIN = 1, SIM_SYN = 2, SIM_RST = 4, SIM_ACK = 16 };

struct sim_view {
    enum sim_kind kind;
    struct capy_ip src, dst;
    uint16_t src_port, dst_port;
    uint32_t label; /* of IPv6 */
    uint8_t ttl;    /* or hop limit; 255 of what has none */
    /* TCP */
    uint8_t flags;
    uint32_t seq, ack, data_len;
    /* TCPMig */
    uint8_t type, reason, verdict, phase;
    uint16_t origin, target, owner;
    uint32_t epoch, entry_epoch, total, offset, length;
    uint64_t mig_id;
    struct capy_flow_key key;
};

void sim_view_of(const uint8_t *frame, size_t len, uint16_t tcpmig_port, struct sim_view *v);

/* One line of text about it; returns out. */
#define SIM_VIEW_TEXT_MAX 240u
char *sim_view_text(const struct sim_view *v, char out[SIM_VIEW_TEXT_MAX]);

#endif
