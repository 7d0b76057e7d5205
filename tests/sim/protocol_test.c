/* TCPMig as a whole on virtual time: real origin and target machines (src/mig) on three hosts, the
 * real switch (switch/core) between them, and channels that lose, repeat, delay and so reorder
 * every frame. Connections are stubs: a counter that only the running owner may raise, and a
 * patterned encoding of one to six fragments. Hosts may crash and the switch may reboot.
 *
 * Checked at every instant: at most one host runs a connection, and its counter is the newest. At
 * the end, after the faults stopped: every slot is free, every block is back, exactly one host runs
 * each connection that no crash could have killed, and the directory agrees who it is. */
#include "protocol_host.h"

static void client_turn(void)
{
    struct capy_mac client = mac_of(200);
    for (unsigned f = 0; f < FLOWS; f++) {
        struct capy_flow_key key = key_of(f);
        struct capy_mac home = mac_of(1u + f % HOSTS);
        send_tcp(CLIENT_PORT, &client, &home, key.client, key.client_port, key.home, key.home_port);
    }
    w.client_at = w.now + capy_prng_below(&w.prng, w.calm ? CAPY_MS(40) : CAPY_MS(4));
}

static void client_input(const uint8_t *frame, size_t len)
{
    struct capy_packet p;
    assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
    struct capy_ip client = ip_of(200);
    if (p.kind != CAPY_PACKET_TCP || !capy_ip_eq(&p.dst, &client))
        return;
    struct capy_flow_key key = key_of((unsigned)p.dst_port - 5000u);
    if (!capy_ip_eq(&p.src, &key.home) || p.src_port != key.home_port)
        fail_msg("seed %llu: the client saw another server", (unsigned long long)w.seed);
    w.client_got++;
}

/* Frames from the switch that the faults leave alone: see transmit and host_tcp. */
static bool is_spared(const uint8_t *frame, size_t len)
{
    struct capy_packet p;
    assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
    if (p.kind == CAPY_PACKET_UDP)
        return !w.lossy_beats && p.udp.data[1] == CAPY_MIG_HEARTBEAT_ACK;
    return p.ttl != 64;
}

static void deliver(struct packet *p)
{
    if (!p->to_switch) {
        if (p->port == CLIENT_PORT)
            client_input(p->data, p->len);
        else
            host_input(&w.host[p->port], p->data, p->len);
        return;
    }
    capy_switch_input(w.sw, p->port, p->data, p->len, w.now, &w.out);
    for (unsigned i = 0; i < w.out.cnt; i++)
        for (uint16_t port = 0; port <= CLIENT_PORT; port++)
            if (w.out.frame[i].port == port ||
                (w.out.frame[i].port == CAPY_PORT_FLOOD && port != p->port))
                transmit(port, false, w.out.frame[i].data, w.out.frame[i].len,
                         is_spared(w.out.frame[i].data, w.out.frame[i].len));
}

static void crash_something(bool switch_too)
{
    uint64_t which = capy_prng_below(&w.prng, HOSTS + (switch_too ? 1u : 0u));
    if (which == HOSTS) {
        w.sw_cfg.boot_id = capy_prng_next(&w.prng) | 1u;
        w.sw = capy_switch_init(w.sw_mem, &w.sw_cfg, w.now);
        return;
    }
    for (unsigned f = 0; f < FLOWS; f++)
        if (w.host[which].copy[f].state != COPY_NONE || w.host[which].target_on[f])
            w.hurt[f] = true;
    host_boot(&w.host[which]);
}

static void world_init(uint64_t seed)
{
    void *sw_mem = w.sw_mem;
    struct host saved[HOSTS];
    memcpy(saved, w.host, sizeof saved);
    memset(&w, 0, offsetof(struct world, out));
    w.sw_mem = sw_mem;
    memset(w.hurt, 0, sizeof w.hurt);
    memset(w.newest, 0, sizeof w.newest);
    w.packet_cnt = 0;
    w.moved = w.resumed = w.client_got = 0;
    w.client_at = w.sweep_at = 0;
    w.seed = seed;
    w.ipv6 = seed % 2;
    w.now = CAPY_SEC(1);
    capy_prng_seed(&w.prng, seed);
    w.seal = capy_prng_chance(&w.prng, 250000);
    w.loss_ppm = (uint32_t)capy_prng_below(&w.prng, 300000);
    w.dup_ppm = (uint32_t)capy_prng_below(&w.prng, 200000);
    w.delay_max_ns = (uint32_t)CAPY_US(1 + capy_prng_below(&w.prng, 20000));
    capy_mig_cfg_default(&w.mig);
    capy_switch_cfg_default(&w.sw_cfg);
    w.sw_cfg.mac = mac_of(100);
    w.sw_cfg.ip = ip_of(100);
    w.sw_cfg.key = RACK_KEY;
    w.sw_cfg.slots = 4;
    w.sw_cfg.hash_key = (struct capy_key){1, 3}; /* there is always room for all three flows */
    w.sw_cfg.lease_ns = LEASE_NS;
    w.sw_cfg.learn_ns = LEARN_NS;
    w.sw_cfg.port_cnt = CLIENT_PORT + 1;
    w.sw_cfg.server_cnt = HOSTS;
    for (uint16_t i = 0; i < HOSTS; i++) {
        w.sw_cfg.role[i] = CAPY_PORT_SERVER;
        w.sw_cfg.server[i].ip = ip_of(i + 1u);
        w.sw_cfg.server[i].mac = mac_of(i + 1u);
        w.sw_cfg.server[i].port = i;
    }
    if (!w.sw_mem)
        w.sw_mem = aligned_alloc(64, (capy_switch_size(&w.sw_cfg) + 63u) & ~(size_t)63u);
    w.sw = capy_switch_init(w.sw_mem, &w.sw_cfg, w.now);
    for (uint16_t i = 0; i < HOSTS; i++) {
        struct host *h = &w.host[i];
        *h = (struct host){
            .id = i, .memory_mem = saved[i].memory_mem, .blocks_mem = saved[i].blocks_mem};
        if (!h->memory_mem) {
            struct capy_arena a = {NULL, 0}, b = {NULL, 0};
            capy_mig_memory_init(&h->memory, &a, 64, RACK_KEY);
            capy_blocks_init(&h->blocks, &b, BLOCKS);
            h->memory_mem = aligned_alloc(64, (a.used + 63u) & ~(size_t)63u);
            h->blocks_mem = aligned_alloc(64, (b.used + 63u) & ~(size_t)63u);
        }
        host_boot(h);
    }
    for (unsigned f = 0; f < FLOWS; f++)
        w.host[f % HOSTS].copy[f] =
            (struct copy){.state = COPY_RUNNING, .port = 80, .announced = true};
}

/* Directory, hosts and pools after everything came to rest. */
static void check_rest(void)
{
    for (unsigned i = 0; i < HOSTS; i++) {
        for (unsigned f = 0; f < FLOWS; f++)
            if (w.host[i].origin_on[f] || w.host[i].target_on[f])
                fail_msg("seed %llu: host %u flow %u: %s slot never ended (phase %u)",
                         (unsigned long long)w.seed, i, f,
                         w.host[i].origin_on[f] ? "origin" : "target",
                         w.host[i].origin_on[f] ? (unsigned)w.host[i].origin[f].phase
                                                : (unsigned)w.host[i].target[f].phase);
        assert_int_equal(w.host[i].blocks.pool.free_cnt, BLOCKS);
    }
    struct capy_switch_entry_info e;
    uint16_t owner[FLOWS];
    for (unsigned f = 0; f < FLOWS; f++)
        owner[f] = (uint16_t)(f % HOSTS);
    for (uint32_t cursor = 0; capy_switch_next_entry(w.sw, &cursor, &e);) {
        owner[flow_of(&e.key)] = e.owner;
        if (!e.owner_dead && e.phase != CAPY_PHASE_SETTLED)
            fail_msg("seed %llu: entry still pending", (unsigned long long)w.seed);
    }
    for (unsigned f = 0; f < FLOWS; f++) {
        unsigned running = 0;
        for (uint16_t i = 0; i < HOSTS; i++) {
            if (w.host[i].copy[f].state == COPY_NONE)
                continue;
            running++;
            if (w.host[i].copy[f].state != COPY_RUNNING || i != owner[f])
                fail_msg("seed %llu: host %u has flow %u (state %u), the directory says %u",
                         (unsigned long long)w.seed, i, f, w.host[i].copy[f].state, owner[f]);
        }
        if (running == 0 && !w.hurt[f])
            fail_msg("seed %llu: flow %u is lost", (unsigned long long)w.seed, f);
    }
}

static void run_seed(uint64_t seed, unsigned crashes, bool switch_too, bool lossy_beats)
{
    world_init(seed);
    w.lossy_beats = lossy_beats;
    uint64_t start = w.now, crash_at = CAPY_NEVER;
    if (crashes)
        crash_at = start + LEARN_NS + capy_prng_below(&w.prng, FAULTS_UNTIL);
    while (w.now < start + RUN_UNTIL) {
        uint64_t at = capy_min64(capy_min64(w.client_at, w.sweep_at), crash_at);
        if (w.packet_cnt)
            at = capy_min64(at, w.packet[0]->at);
        for (unsigned i = 0; i < HOSTS; i++)
            at = capy_min64(at, host_next_at(&w.host[i]));
        w.now = capy_max64(w.now, at);
        w.calm = w.now >= start + FAULTS_UNTIL;
        while (w.packet_cnt && w.packet[0]->at <= w.now) {
            struct packet *p = take_packet();
            deliver(p);
            free(p);
            check_owners();
        }
        if (w.now >= w.client_at)
            client_turn();
        if (w.now >= w.sweep_at)
            w.sweep_at = capy_switch_expire(w.sw, w.now);
        if (w.now >= crash_at) {
            crash_something(switch_too);
            crash_at =
                --crashes && !w.calm ? w.now + capy_prng_below(&w.prng, CAPY_MS(400)) : CAPY_NEVER;
        }
        for (unsigned i = 0; i < HOSTS; i++)
            host_expire(&w.host[i]);
        check_owners();
    }
    check_rest();
    while (w.packet_cnt)
        free(take_packet());
}

static unsigned long seeds(void)
{
    const char *s = getenv("CAPY_SEEDS");
    return s ? strtoul(s, NULL, 10) : 400;
}

static void run_seeds(uint64_t base, unsigned crashes, bool switch_too, bool lossy_beats)
{
    uint64_t moved = 0, resumed = 0, got = 0;
    for (unsigned long i = 0; i < seeds(); i++) {
        run_seed(base + i, crashes, switch_too, lossy_beats);
        moved += w.moved;
        resumed += w.resumed;
        got += w.client_got;
    }
    print_message("%lu seeds: %llu moved, %llu resumed, %llu answers\n", seeds(),
                  (unsigned long long)moved, (unsigned long long)resumed, (unsigned long long)got);
    assert_true(moved > 0 && resumed > 0 && got > 0);
}

static void lossy_network_keeps_one_owner(void **state)
{
    (void)state;
    run_seeds(1, 0, false, false);
}

static void host_crashes_keep_one_owner(void **state)
{
    (void)state;
    run_seeds(100000, 3, false, false);
}

static void switch_reboots_keep_one_owner(void **state)
{
    (void)state;
    run_seeds(200000, 3, true, false);
}

static void false_deaths_keep_one_owner(void **state)
{
    (void)state;
    run_seeds(300000, 2, true, true);
}

static void one_seed(void **state)
{
    (void)state;
    const char *s = getenv("CAPY_SEED");
    if (!s)
        skip();
    uint64_t seed = strtoull(s, NULL, 10);
    run_seed(seed, seed < 100000 ? 0 : seed < 300000 ? 3 : 2, seed >= 200000, seed >= 300000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_seed),
        cmocka_unit_test(lossy_network_keeps_one_owner),
        cmocka_unit_test(host_crashes_keep_one_owner),
        cmocka_unit_test(switch_reboots_keep_one_owner),
        cmocka_unit_test(false_deaths_keep_one_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
