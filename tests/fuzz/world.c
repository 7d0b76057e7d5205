/* The rack of world.h: hosts, switch, and frames under way. */
#include "world.h"
#include "target.h"

#define DELAY_NS CAPY_US(5)
#define LIFE_NS CAPY_MS(90) /* at most on one link: no frame lives longer than CAPY_MIG_QUIET_NS */
#define HEARTBEAT_NS CAPY_MS(50) /* few, so that virtual seconds are cheap */
#define HOST_TOR 253u

static const struct capy_key rack_key = {0x1122334455667788u, 0x99aabbccddeeff00u};

/* ---- configuration ------------------------------------------------------------------------- */

struct capy_ip world_ip(unsigned host, bool ipv6)
{
    struct capy_ip six = {{0xfd, 0, [15] = (uint8_t)(1 + host)}};
    return ipv6 ? six : capy_ip_from_v4(0x0a000a01u + host);
}

static struct capy_stack_peer member(const struct world *w, unsigned host)
{
    struct capy_stack_peer p = {.ip = world_ip(host, w->ipv6_only),
                                .mac = {{2, 0xca, 10, 0, 10, (uint8_t)(1 + host)}}};
    if (!w->ipv6_only)
        p.ip6 = world_ip(host, true);
    return p;
}

static void fill_host(struct world *w, unsigned h, uint32_t blocks)
{
    struct capy_stack_cfg *c = &w->cfg[h];
    bool alone = w->ipv6_only && h != WORLD_CLIENT;
    capy_stack_cfg_default(c);
    c->mac = member(w, h).mac;
    c->ip = world_ip(h, alone);
    c->netmask = capy_ip_from_v4(0xffffff00u);
    if (alone)
        c->netmask = (struct capy_ip){{255, 255, 255, 255, 255, 255, 255, 255}};
    else
        c->ip6 = world_ip(h, true);
    c->prefix6_len = 64;
    c->conn_max = 16; /* a quarter of them may close without an application: all that there are */
    c->block_cnt = blocks;
    c->listener_max = 1;
    c->migrate_max = 4;
    c->memory_max = 16;
    c->tcp.time_wait_ns = CAPY_MS(20);
    c->tcp.rcv_buf_max = c->tcp.snd_buf_max = 65536;
    c->tcp.rto_min_ns = CAPY_MS(10);
    c->tcp.fin_wait_2_ns = CAPY_SEC(1);
    c->hash_key = (struct capy_key){h + 1, 77};
    if (h == WORLD_CLIENT)
        return;
    c->mig_port_first = WORLD_MIG_PORT_FIRST;
    c->mig_port_cnt = 16;
    c->self = (uint16_t)h;
    c->peer_cnt = WORLD_SERVERS;
    for (unsigned i = 0; i < WORLD_SERVERS; i++)
        c->peers[i] = member(w, i);
    c->tor = member(w, HOST_TOR);
    c->rack_key = rack_key;
    c->incarnation = 100 + h;
    c->heartbeat_ns = HEARTBEAT_NS;
    c->announce_ns = CAPY_MS(500);
}

static void fill_switch(struct world *w)
{
    struct capy_switch_cfg *c = &w->switch_cfg;
    const struct capy_stack_peer tor = member(w, HOST_TOR);
    capy_switch_cfg_default(c);
    c->mac = tor.mac;
    c->ip = tor.ip;
    c->ip6 = tor.ip6;
    c->tcpmig_port = w->cfg[0].tcpmig_port;
    c->mig_port_first = WORLD_MIG_PORT_FIRST;
    c->mig_port_cnt = 16;
    c->key = rack_key;
    c->hash_key = (struct capy_key){5, 6};
    c->slots = 16;
    c->lease_ns = 3 * HEARTBEAT_NS;
    c->learn_ns = CAPY_MS(200);
    c->linger_ns = CAPY_SEC(5);
    c->age_ns = CAPY_SEC(70); /* more than that of a handshake: CAPY_ENTRY_HALF_NS */
    c->boot_id = 1;
    c->port_cnt = WORLD_HOSTS;
    c->server_cnt = WORLD_SERVERS;
    for (uint16_t h = 0; h < WORLD_SERVERS; h++) {
        const struct capy_stack_peer server = member(w, h);
        c->role[h] = CAPY_PORT_SERVER;
        c->server[h].ip = server.ip;
        c->server[h].ip6 = server.ip6;
        c->server[h].mac = server.mac;
        c->server[h].port = h;
    }
    c->role[WORLD_CLIENT] = CAPY_PORT_CLIENT;
}

/* ---- starting ------------------------------------------------------------------------------ */

static void *memory(unsigned which, size_t need)
{
    static void *mem[WORLD_HOSTS + 1];
    static size_t size[WORLD_HOSTS + 1];
    if (need > size[which]) {
        free(mem[which]);
        mem[which] = fuzz_memory(need);
        size[which] = need;
    }
    return mem[which];
}

void world_start_switch(struct world *w)
{
    void *mem = memory(WORLD_HOSTS, capy_switch_size(&w->switch_cfg));
    w->plane = capy_switch_init(mem, &w->switch_cfg, w->now);
    w->switch_next_at = w->now;
}

void world_configure(struct world *w, bool ipv6_only, uint32_t blocks)
{
    w->now = CAPY_SEC(10);
    w->order = 0;
    w->flying_cnt = 0;
    w->ipv6_only = ipv6_only;
    for (unsigned h = 0; h < WORLD_HOSTS; h++)
        fill_host(w, h, blocks);
    fill_switch(w);
}

void world_add_vip(struct world *w, bool by_load)
{
    const struct capy_stack_peer vip = member(w, WORLD_VIP);
    w->switch_cfg.vip.ip = vip.ip;
    w->switch_cfg.vip.ip6 = vip.ip6;
    w->switch_cfg.vip.port[0] = WORLD_PORT;
    w->switch_cfg.vip.port_cnt = 1;
    w->switch_cfg.vip.policy = by_load ? CAPY_VIP_LEAST_LOADED : CAPY_VIP_MAGLEV;
    for (unsigned h = 0; h < WORLD_SERVERS; h++) {
        w->cfg[h].vip.ip = vip.ip;
        w->cfg[h].vip.ip6 = vip.ip6;
        w->cfg[h].vip.port[0] = WORLD_PORT;
        w->cfg[h].vip.port_cnt = 1;
    }
}

static void start_host(struct world *w, unsigned h)
{
    w->host[h] = capy_stack_init(memory(h, capy_stack_size(&w->cfg[h])), &w->cfg[h], w->now);
    w->up_at[h] = 0;
    if (h != WORLD_CLIENT)
        fuzz_check(capy_stack_listen(w->host[h], WORLD_PORT, 0) == CAPY_OK, "listen");
}

void world_start(struct world *w, void (*turn)(struct world *w, unsigned host))
{
    w->turn = turn;
    for (unsigned h = 0; h < WORLD_HOSTS; h++)
        start_host(w, h);
    world_start_switch(w);
    world_run(w, CAPY_MS(300)); /* learned, and the servers' quiet time is over */
}

void world_reboot_switch(struct world *w)
{
    w->switch_cfg.boot_id++;
    world_start_switch(w);
}

void world_crash(struct world *w, unsigned server, uint64_t down_ns)
{
    w->cfg[server].incarnation++;
    w->up_at[server] = w->now + capy_max64(down_ns, 1);
}

void world_heal(struct world *w)
{
    for (unsigned h = 0; h < WORLD_SERVERS; h++)
        if (w->up_at[h] > 0)
            start_host(w, h);
}

/* ---- frames -------------------------------------------------------------------------------- */

static bool is_heartbeat(const uint8_t *frame, size_t len)
{
    struct capy_packet p;
    return capy_frame_parse(frame, len, &p) == CAPY_DROP_NONE && p.kind == CAPY_PACKET_UDP &&
           p.udp.data_len >= CAPY_MIG_HEADER_LEN &&
           (p.udp.data[1] == CAPY_MIG_HEARTBEAT || p.udp.data[1] == CAPY_MIG_HEARTBEAT_ACK);
}

static void fly(struct world *w, unsigned link, bool to_switch, const uint8_t *data, size_t len)
{
    if (w->sent)
        w->sent(w, link, to_switch, data, len);
    if (w->flying_cnt == WORLD_FLYING_MAX)
        return; /* as on any full link */
    struct world_flying *f = &w->flying[w->flying_cnt++];
    f->at = w->now + DELAY_NS;
    f->until = w->now + LIFE_NS;
    f->order = w->order++;
    f->link = (uint8_t)link;
    f->to_switch = to_switch;
    f->heartbeat = is_heartbeat(data, len);
    f->len = (uint16_t)len;
    memcpy(f->data, data, len);
}

void world_flush(struct world *w, unsigned host)
{
    uint8_t frame[CAPY_FRAME_MAX];
    size_t len;
    while ((len = capy_stack_output(w->host[host], frame, w->now)) > 0)
        fly(w, host, true, frame, len);
}

void world_inject(struct world *w, unsigned link, uint8_t *frame, size_t len)
{
    static struct capy_switch_out out;
    capy_switch_input(w->plane, (uint16_t)link, frame, len, w->now, &out);
    for (unsigned i = 0; i < out.cnt; i++) {
        bool flood = out.frame[i].port == CAPY_PORT_FLOOD;
        for (unsigned h = 0; h < WORLD_HOSTS; h++)
            if (flood ? h != link : h == out.frame[i].port)
                fly(w, h, false, out.frame[i].data, out.frame[i].len);
    }
}

static void after(struct world *w, unsigned h)
{
    if (w->turn)
        w->turn(w, h);
    world_flush(w, h);
}

static void deliver(struct world *w, unsigned i)
{
    static struct world_flying f;
    f = w->flying[i];
    w->flying[i] = w->flying[--w->flying_cnt];
    if (f.to_switch) {
        world_inject(w, f.link, f.data, f.len);
        return;
    }
    if (w->up_at[f.link] > 0)
        return;
    capy_stack_input(w->host[f.link], f.data, f.len, w->now);
    after(w, f.link);
}

void world_lose(struct world *w, unsigned which)
{
    if (w->flying_cnt == 0 || w->flying[which % w->flying_cnt].heartbeat)
        return;
    w->flying[which % w->flying_cnt] = w->flying[w->flying_cnt - 1];
    w->flying_cnt--;
}

void world_repeat(struct world *w, unsigned which)
{
    if (w->flying_cnt == 0 || w->flying_cnt == WORLD_FLYING_MAX)
        return;
    w->flying[w->flying_cnt] = w->flying[which % w->flying_cnt];
    w->flying[w->flying_cnt++].order = w->order++;
}

void world_delay(struct world *w, unsigned which, uint64_t by_ns)
{
    if (w->flying_cnt == 0)
        return;
    struct world_flying *f = &w->flying[which % w->flying_cnt];
    f->at = capy_min64(f->at + by_ns, f->until);
}

/* ---- time ---------------------------------------------------------------------------------- */

static unsigned next_frame(const struct world *w)
{
    unsigned best = 0;
    for (unsigned i = 1; i < w->flying_cnt; i++) {
        const struct world_flying *f = &w->flying[i], *g = &w->flying[best];
        if (f->at < g->at || (f->at == g->at && f->order < g->order))
            best = i;
    }
    return best;
}

static uint64_t host_next_at(const struct world *w, unsigned h)
{
    return w->up_at[h] > 0 ? w->up_at[h] : capy_stack_next_at(w->host[h]);
}

static void host_turn(struct world *w, unsigned h)
{
    if (w->up_at[h] > 0)
        start_host(w, h);
    else
        capy_stack_expire(w->host[h], w->now);
    after(w, h);
}

bool world_step(struct world *w, uint64_t until)
{
    unsigned frame = next_frame(w), host = WORLD_HOSTS;
    uint64_t at = w->flying_cnt > 0 ? w->flying[frame].at : CAPY_NEVER;
    bool is_frame = at <= w->switch_next_at;
    at = capy_min64(at, w->switch_next_at);
    for (unsigned h = 0; h < WORLD_HOSTS; h++)
        if (host_next_at(w, h) < at) {
            at = host_next_at(w, h);
            host = h;
        }
    if (at > until)
        return false;
    w->now = capy_max64(w->now, at);
    if (host < WORLD_HOSTS) {
        host_turn(w, host);
    } else if (is_frame) {
        deliver(w, frame);
    } else {
        w->switch_next_at = capy_max64(capy_switch_expire(w->plane, w->now), w->now + 1);
    }
    return true;
}

void world_run(struct world *w, uint64_t for_ns)
{
    uint64_t until = w->now + for_ns;
    while (world_step(w, until))
        ;
    w->now = until;
}

void world_age_entries(struct world *w)
{
    w->now += w->switch_cfg.age_ns;
    for (unsigned i = 0; i < 64; i++) /* sweeps */
        w->now = capy_max64(capy_switch_expire(w->plane, w->now), w->now + 1);
}
