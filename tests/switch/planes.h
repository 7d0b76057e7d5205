/* Two planes of one configuration, for tests that ask both the same: user space (switch/core) and BPF
 * (switch/xdp); and messages for them. Three servers at ports 0..2, clients at ports 3 and 4. */
#ifndef CAPY_TESTS_SWITCH_PLANES_H
#define CAPY_TESTS_SWITCH_PLANES_H

#include "base/prng.h"
#include "switch/core/state.h"
#include "switch/xdp/xdp.h"
#include "wire/frame.h"
#include "wire/tcpmig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define SERVERS 3u
#define PORTS 5u
#define MIG_PORT 61440u

static struct capy_mac planes_mac(uint16_t id)
{
    return (struct capy_mac){{0x02, 0xca, 10, 0, 0, (uint8_t)(id + 1)}};
}

/* Of server or client id; clients from 100 on, the switch is 200. */
static struct capy_ip planes_ip(uint16_t id, bool v4)
{
    struct capy_ip ip = {{0xfd, 0x99, [15] = (uint8_t)(id + 1)}};
    return v4 ? capy_ip_from_v4(0x0a000001u + id) : ip;
}

static void planes_cfg(struct capy_switch_cfg *cfg, uint32_t slots)
{
    capy_switch_cfg_default(cfg);
    cfg->mac = planes_mac(200);
    cfg->ip = planes_ip(200, true);
    cfg->ip6 = planes_ip(200, false);
    cfg->key = (struct capy_key){1, 2};
    cfg->hash_key = (struct capy_key){3, 4};
    cfg->slots = slots;
    cfg->mig_port_first = MIG_PORT;
    cfg->port_cnt = PORTS;
    cfg->server_cnt = SERVERS;
    for (uint16_t i = 0; i < SERVERS; i++) {
        cfg->role[i] = CAPY_PORT_SERVER;
        cfg->server[i].ip = planes_ip(i, true);
        cfg->server[i].ip6 = planes_ip(i, false);
        cfg->server[i].mac = planes_mac(i);
        cfg->server[i].port = i;
    }
}

/* Ends the test program as skipped where BPF cannot be. */
static struct capy_xdp *planes_open_xdp(const struct capy_switch_cfg *cfg, uint64_t now)
{
    const struct capy_xdp_options options = {.device = NULL};
    struct capy_switch_cfg own = *cfg;
    char err[256];
    bool kept;
    if (!capy_xdp_is_built() || geteuid() != 0) {
        puts(capy_xdp_is_built() ? "needs root, to load a BPF program"
                                 : "the XDP plane is not built: needs clang and bpftool");
        exit(77);
    }
    struct capy_xdp *x = capy_xdp_open(&own, &options, now, &kept, err, sizeof err);
    if (!x)
        fail_msg("%s", err);
    return x;
}

/* A TCPMig message from a server to the switch. Its length. */
static size_t planes_message(uint8_t *frame, const struct capy_switch_cfg *cfg, uint16_t sender,
                             const struct capy_mig_msg *msg)
{
    const struct capy_frame_to to = {
        .dst_mac = cfg->mac,
        .src_mac = cfg->server[sender].mac,
        .src = cfg->server[sender].ip,
        .dst = cfg->ip,
        .src_port = cfg->tcpmig_port,
        .dst_port = cfg->tcpmig_port,
    };
    return capy_frame_build_udp(frame, &to, capy_mig_build(frame + CAPY_UDP_AT, cfg->key, msg));
}

static size_t planes_heartbeat(uint8_t *frame, const struct capy_switch_cfg *cfg, uint16_t sender,
                               const struct capy_mig_heartbeat *beat)
{
    const struct capy_mig_msg msg = {
        .type = CAPY_MIG_HEARTBEAT,
        .origin = sender,
        .target = CAPY_SERVER_ANY,
        .total = CAPY_MIG_HEARTBEAT_LEN,
        .length = CAPY_MIG_HEARTBEAT_LEN,
    };
    capy_mig_heartbeat_store(frame + CAPY_UDP_AT + CAPY_MIG_HEADER_LEN, beat);
    return planes_message(frame, cfg, sender, &msg);
}

#endif
