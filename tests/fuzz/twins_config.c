/* The twins' and their peer's configuration, and the network's (twins.h). */
#include "twins.h"

static const struct capy_key twin_key = {21, 22}, peer_key = {23, 24};

struct capy_ip twins_ip(const struct twins *t, bool peer)
{
    struct capy_ip six = {{0xfd, 0, [15] = peer ? 2 : 1}};
    return t->ipv6 ? six : capy_ip_from_v4(0x0a000001u + peer);
}

static void address(struct twins *t, struct capy_stack_cfg *c, bool peer)
{
    c->ip = twins_ip(t, peer);
    c->netmask = capy_ip_from_v4(0xffffff00u);
    if (t->ipv6)
        c->netmask = (struct capy_ip){{255, 255, 255, 255, 255, 255, 255, 255}};
    c->mac = (struct capy_mac){{2, 0xfa, 0, 0, 0, (uint8_t)(peer ? 2 : 1)}};
    c->hash_key = peer ? peer_key : twin_key;
}

static void tune(struct fuzz_bytes *b, struct capy_tcp_cfg *c)
{
    static const uint32_t buffers[] = {4096, 16384, 65536, 200000};
    static const uint16_t segments[] = {1460, 1000, 536, 88};
    static const uint64_t rtos[] = {CAPY_MS(200), CAPY_MS(10), CAPY_MS(1)};
    static const uint64_t patience[] = {CAPY_SEC(300), CAPY_SEC(300), CAPY_SEC(3)};
    uint8_t options = fuzz_u8(b), sizes = fuzz_u8(b), times = fuzz_u8(b), more = fuzz_u8(b);
    c->timestamps = options % 4 != 0;
    c->sack = options / 4 % 4 != 0;
    c->window_scale = options / 16 % 4 != 0;
    c->nagle = options / 64 % 2 != 0;
    c->snd_buf_max = buffers[sizes % 4];
    c->rcv_buf_max = buffers[sizes / 4 % 4];
    c->mss_max = segments[sizes / 16 % 4];
    c->rcv_buf_start = sizes / 64 % 2 ? c->rcv_buf_max / 4 : 0;
    c->rto_min_ns = rtos[times % 3];
    c->tlp_min_ns = times / 3 % 2 ? CAPY_MS(2) : CAPY_US(100);
    c->delack_ns = times / 6 % 3 ? CAPY_MS(40) : 0;
    c->time_wait_ns = times / 18 % 2 ? CAPY_SEC(2) : CAPY_MS(50);
    c->user_timeout_ns = patience[times / 36 % 3];
    c->fin_wait_2_ns = times / 108 % 2 ? CAPY_SEC(60) : CAPY_MS(500);
    c->congestion = more % CAPY_TCP_CONGESTION_CNT;
    c->ecn = more / 3 % 3;
    c->suspect_timeouts = more / 9 % 2 ? 3 : 0;
    c->initial_window = more / 18 % 2 ? 10 : 2;
    c->keep_idle_ns = c->keep_interval_ns = CAPY_SEC(1);
    c->keep_cnt = 3;
}

static void host(struct twins *t, struct capy_stack_cfg *c, bool peer)
{
    capy_stack_cfg_default(c);
    c->conn_max = 4;
    c->listener_max = 1;
    c->block_cnt = 600; /* ample for two connections: scarcity has no part in this */
    c->orphan_max = 4;
    address(t, c, peer);
    tune(t->b, &c->tcp);
}

void twins_configure(struct twins *t)
{
    static const uint64_t delays[] = {CAPY_US(50), CAPY_US(5), CAPY_MS(2), CAPY_MS(40)};
    static const uint8_t rates[] = {0, 2, 8, 30}, moves[] = {255, 60, 20, 6};
    struct fuzz_bytes *b = t->b;
    uint8_t net = fuzz_u8(b), faults = fuzz_u8(b), more = fuzz_u8(b);
    t->now = CAPY_SEC(100);
    t->ipv6 = net & 1;
    t->delay_ns = delays[net / 2 % 4];
    t->jitter_ns = net / 8 % 2 ? 3 * t->delay_ns : 0;
    t->loss = rates[faults % 4];
    t->repeat = rates[faults / 4 % 4];
    t->late = rates[faults / 16 % 4];
    t->mark = rates[faults / 64 % 4];
    t->forge = rates[more % 4] / 2;
    t->move = moves[more / 4 % 4];
    t->calm = fuzz_u8(b);
    host(t, &t->cfg, false);
    host(t, &t->peer_cfg, true);
    for (unsigned i = 0; i < TWINS_HOSTS; i++)
        t->end[i].conn = CAPY_HANDLE_NONE;
}
