/* One stream of random frames into both planes (switch/core in user space, switch/xdp by BPF_PROG_TEST_RUN):
 * after each the frames that come out, the directory, the server table and the stations are equal, and at
 * the end every counter. The frames are TCPMig between the servers that mostly makes sense, the segments of
 * the flows it is about, questions for addresses, errors, and all of these with bytes changed. The seed is the
 * argument; a difference names it and the frame.
 *
 * Likewise the short way of a frame (switch/core/quick.h) and the long one, both in user space. */
#include "planes.h"

#include "switch/core/one.h"

#include "switch/core/quick.h"
#include "wire/arp.h"

#define FRAMES 12000u
#define CLIENTS 2u
#define FLOW_PORTS 3u
#define VIP 150u

static struct capy_switch_cfg cfg;
static struct capy_switch *user; /* takes the long way */
static struct capy_switch *quick;
static struct capy_xdp *xdp;
static struct capy_prng prng;
static uint64_t now = CAPY_SEC(5), seed = 1;
static uint8_t last[CAPY_FRAME_MAX];
static size_t last_len;

static uint32_t below(uint32_t bound)
{
    return (uint32_t)capy_prng_below(&prng, bound);
}

static struct capy_flow_key flow(void)
{
    bool v4 = below(3) != 0;
    const uint16_t client = below(30) ? (uint16_t)(100 + below(CLIENTS)) : VIP; /* nobody is that */
    return (struct capy_flow_key){planes_ip(client, v4),
                                  planes_ip(below(6) ? (uint16_t)below(SERVERS) : VIP, v4),
                                  (uint16_t)(5000 + below(FLOW_PORTS)), 80};
}

/* A random entry of the directory; false: there is none. */
static bool some_entry(struct capy_switch_entry_info *out)
{
    uint32_t cursor = 0, skip = below(capy_switch_entry_cnt(user) + 1u);
    while (capy_switch_next_entry(user, &cursor, out))
        if (skip-- == 0)
            return true;
    return false;
}

static size_t make_message(uint8_t *frame)
{
    struct capy_switch_entry_info e;
    bool known = below(8) != 0 && some_entry(&e);
    uint16_t sender = (uint16_t)below(SERVERS), other = (uint16_t)below(SERVERS);
    struct capy_mig_msg m = {
        .type = (uint8_t)(1 + below(CAPY_MIG_TYPE_END)),
        .origin = sender,
        .target = below(4) ? other : CAPY_SERVER_ANY,
        .epoch = known ? e.epoch + below(4) - 1u : below(3),
        .mig_id = below(3),
        .target_port = (uint16_t)(below(3) ? MIG_PORT + below(4) : 80),
        .key = known ? e.key : flow(),
        .reason = (uint8_t)below(CAPY_REASON_CNT),
    };
    if (m.type == CAPY_MIG_PREPARE_MIG_ACK || m.type == CAPY_MIG_CONN_STATE_ACK ||
        m.type == CAPY_MIG_NACK) {
        m.target = sender;
        m.origin = below(5) ? other : CAPY_SERVER_ANY;
    }
    if (m.type == CAPY_MIG_NACK && known && below(3) == 0) { /* what flow is this? */
        m.epoch = 0;
        m.key.home = planes_ip(sender, capy_ip_is_v4(&e.key.home));
        m.key.home_port = e.owner_port;
    }
    m.length = (uint16_t)(m.type == CAPY_MIG_CONN_STATE ? below(CAPY_MIG_PAYLOAD_MAX) : below(20));
    m.total = m.length + (below(3) ? 0 : 64);
    return planes_message(frame, &cfg, sender, &m);
}

static size_t make_heartbeat(uint8_t *frame)
{
    const struct capy_mig_heartbeat beat = {
        .load = below(100),
        .free_cnt = below(10),
        .draining = below(10) == 0,
        .conn_cnt = below(30),
        .incarnation = below(40) ? 7 : below(1000),
    };
    return planes_heartbeat(frame, &cfg, (uint16_t)below(SERVERS), &beat);
}

/* A segment of an entry's flow, or of a new one, from either side. */
static size_t make_segment(uint8_t *frame)
{
    static const uint8_t flags[] = {CAPY_TCP_ACK, CAPY_TCP_SYN, CAPY_TCP_ACK | CAPY_TCP_FIN,
                                    CAPY_TCP_RST};
    struct capy_switch_entry_info e;
    bool known = below(6) != 0 && some_entry(&e);
    const struct capy_flow_key key = known ? e.key : flow();
    bool v4 = capy_ip_is_v4(&key.client), from_client = below(2);
    uint16_t server = known && e.owner < SERVERS && below(4) ? e.owner : (uint16_t)below(SERVERS);
    const struct capy_frame_to to = {
        .dst_mac = planes_mac(from_client ? server : 100),
        .src_mac = planes_mac((uint16_t)(from_client ? 100 + below(CLIENTS) : server)),
        .src = from_client ? key.client : planes_ip(server, v4),
        .dst = from_client ? key.home : key.client,
        .src_port = from_client         ? key.client_port
                    : known && below(4) ? e.owner_port
                                        : key.home_port,
        .dst_port = from_client ? key.home_port : key.client_port,
    };
    const struct capy_tcp_segment segment = {.flags = flags[below(8) ? 0 : below(4)],
                                             .data = last,
                                             .data_len = below(3) ? below(900) : 0};
    return capy_frame_build_tcp(frame, &to, &segment);
}

/* UDP: some other protocol's, or TCPMig's to or from whom it should not be. */
static size_t make_datagram(uint8_t *frame)
{
    const uint16_t ends[] = {0, 1, 100, 101, 200}, ports[] = {53, 10002};
    uint16_t from = ends[below(5)], at = ends[below(5)];
    const struct capy_frame_to to = {.dst_mac = planes_mac(at),
                                     .src_mac = planes_mac(from),
                                     .src = planes_ip(from, true),
                                     .dst = planes_ip(below(4) ? at : ends[below(5)], true),
                                     .src_port = 1053,
                                     .dst_port = ports[below(2)]};
    return capy_frame_build_udp(frame, &to, below(40));
}

static size_t make_question(uint8_t *frame)
{
    uint16_t asked = (uint16_t)(below(3) ? below(SERVERS) : 200);
    const struct capy_mac mac = planes_mac((uint16_t)(100 + below(CLIENTS)));
    const struct capy_mac all = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    const struct capy_arp arp = {.op = (uint16_t)(1 + below(2)),
                                 .sender_mac = mac,
                                 .sender_ip = planes_ip(100, true),
                                 .target_ip = planes_ip(asked, true)};
    return capy_arp_build(frame, &all, &arp);
}

/* The frame before, with some of its bytes changed, or shorter. */
static size_t make_damaged(uint8_t *frame)
{
    size_t len = last_len;
    memcpy(frame, last, len);
    for (uint32_t i = below(4); i > 0 && len > 0; i--)
        frame[below((uint32_t)len)] = (uint8_t)below(256);
    if (below(3) == 0)
        len = 14 + below((uint32_t)len - 13u);
    return len;
}

static size_t make_frame(uint8_t *frame)
{
    uint32_t kind = below(20);
    if (kind < 8)
        return make_message(frame);
    if (kind < 10)
        return make_heartbeat(frame);
    if (kind < 16)
        return make_segment(frame);
    if (kind == 16)
        return make_datagram(frame);
    return kind < 18 || last_len < 14 ? make_question(frame) : make_damaged(frame);
}

static void equal_out(uint32_t i, const char *other, const struct capy_switch_out *a,
                      const struct capy_switch_out *b)
{
    bool same = a->cnt == b->cnt;
    for (unsigned k = 0; same && k < a->cnt; k++)
        same = a->frame[k].port == b->frame[k].port && a->frame[k].len == b->frame[k].len &&
               memcmp(a->frame[k].data, b->frame[k].data, a->frame[k].len) == 0;
    if (!same)
        fail_msg("seed %llu, frame %u: %u frames came out of user space, %u of %s",
                 (unsigned long long)seed, i, a->cnt, b->cnt, other);
}

static void equal_memory(uint32_t i, const struct capy_switch *k)
{
    for (uint32_t e = 0; e < cfg.levels * cfg.slots; e++) {
        const struct capy_entry *a = &user->dir.entries[e], *b = &k->dir.entries[e];
        if (!capy_flow_key_eq(&a->key, &b->key) || a->epoch != b->epoch || a->mig_id != b->mig_id ||
            a->touched_at != b->touched_at || a->closing_at != b->closing_at ||
            a->pending_at != b->pending_at || memcmp(&a->owner, &b->owner, sizeof a->owner) != 0 ||
            memcmp(&a->previous, &b->previous, sizeof a->previous) != 0 || a->phase != b->phase ||
            a->flags != b->flags || a->home != b->home || user->dir.tags[e] != k->dir.tags[e])
            fail_msg("seed %llu, frame %u: slot %u differs", (unsigned long long)seed, i, e);
    }
    for (uint16_t s = 0; s < SERVERS; s++) {
        const struct capy_server *a = &user->live->server[s], *b = &k->live->server[s];
        if (a->heard_at != b->heard_at || a->load != b->load || a->free_cnt != b->free_cnt ||
            a->conn_cnt != b->conn_cnt || a->gen != b->gen || a->draining != b->draining)
            fail_msg("seed %llu, frame %u: server %u differs", (unsigned long long)seed, i, s);
    }
    assert_int_equal(user->live->last_chosen, k->live->last_chosen);
    assert_memory_equal(user->l2.stations, k->l2.stations,
                        CAPY_L2_SETS * CAPY_L2_WAYS * sizeof *k->l2.stations);
}

static void equal_counters(const char *other, const struct capy_switch *k)
{
    uint64_t a = 0, b = 0;
    const char *name;
    for (unsigned i = 0; (name = capy_switch_counter(user, i, &a)) != NULL; i++) {
        capy_switch_counter(k, i, &b);
        if (a != b)
            fail_msg("seed %llu: %s is %llu in user space, %llu in %s", (unsigned long long)seed,
                     name, (unsigned long long)a, (unsigned long long)b, other);
    }
    assert_int_equal(capy_switch_entry_cnt(user), capy_switch_entry_cnt(k));
}

/* A frame, and the port that it comes from. */
static size_t make(uint8_t *a, uint16_t *ingress)
{
    size_t len = make_frame(a);
    memcpy(last, a, len);
    last_len = len;
    uint16_t port = (uint16_t)below(PORTS);
    for (uint16_t s = 0; s < SERVERS && below(12) != 0; s++) /* mostly where it belongs */
        if (memcmp(a + 6, cfg.server[s].mac.b, 6) == 0)
            port = s;
    *ingress = port;
    return len;
}

static void begin(void)
{
    planes_cfg(&cfg, 4); /* so small that it is often full */
    cfg.learn_ns = CAPY_MS(1);
    cfg.linger_ns = CAPY_MS(100);
    cfg.vip.ip = planes_ip(VIP, true);
    cfg.vip.ip6 = planes_ip(VIP, false);
    cfg.vip.port_cnt = 1;
    cfg.vip.port[0] = 80;
    user = capy_switch_init(calloc(1, capy_switch_size(&cfg)), &cfg, now);
    user->long_way = true;
    capy_prng_seed(&prng, seed);
}

static void expire_all(struct capy_switch *sw)
{
    for (int k = 0; k < 65; k++)
        capy_switch_expire(sw, now);
}

static void pass_time(void)
{
    now += below(50) ? CAPY_US(below(2000)) : CAPY_MS(below(400));
}

static uint64_t count_of(const struct capy_switch *sw, enum capy_switch_counter c)
{
    return sw->count[c];
}

/* As capy_switch_input; false: it took the long way. */
static bool input_quick(uint16_t port, uint8_t *frame, size_t len, struct capy_switch_out *out)
{
    struct capy_job j = {
        .sw = quick, .now = now, .port = port, .frame = frame, .end = frame + len, .out = out};
    out->cnt = 0;
    if (capy_quick_input(&j))
        return true;
    assert_int_equal(out->cnt, 0);
    quick->long_way = true;
    capy_switch_input(quick, port, frame, len, now, out);
    return false;
}

static void the_short_way_leads_where_the_long_one_does(void **state)
{
    static const enum capy_switch_counter counter[] = {
        CAPY_COUNT_forwarded, CAPY_COUNT_rewritten_to_owner, CAPY_COUNT_rewritten_from_owner};
    static uint8_t a[2 * CAPY_FRAME_MAX], b[2 * CAPY_FRAME_MAX];
    static struct capy_switch_out out_a, out_b;
    uint32_t taken[3] = {0};
    (void)state;
    begin();
    quick = capy_switch_init(calloc(1, capy_switch_size(&cfg)), &cfg, now);
    for (uint32_t i = 0; i < 4 * FRAMES; i++) {
        uint16_t port;
        size_t len = make(a, &port);
        memcpy(b, a, len);
        capy_switch_input(user, port, a, len, now, &out_a);
        uint64_t was[3];
        for (int k = 0; k < 3; k++)
            was[k] = count_of(quick, counter[k]);
        bool short_way = input_quick(port, b, len, &out_b);
        for (int k = 0; k < 3 && short_way; k++)
            taken[k] += count_of(quick, counter[k]) != was[k];
        equal_out(i, "the short way", &out_a, &out_b);
        if (below(200) == 0) {
            expire_all(user);
            expire_all(quick);
        }
        equal_memory(i, quick);
        pass_time();
    }
    equal_counters("the short way", quick);
    printf("the short way: %u forwarded, %u to owners, %u from owners\n", taken[0], taken[1],
           taken[2]);
    assert_true(taken[0] > 1000 && taken[1] > 50 && taken[2] > 50);
    free(user);
    free(quick);
}

static void planes_are_twins(void **state)
{
    static uint8_t a[2 * CAPY_FRAME_MAX], b[2 * CAPY_FRAME_MAX];
    static struct capy_switch_out out_a, out_b;
    (void)state;
    begin();
    xdp = planes_open_xdp(&cfg, now);
    capy_xdp_reset(xdp, now);
    for (uint32_t i = 0; i < FRAMES; i++) {
        uint16_t port;
        size_t len = make(a, &port);
        memcpy(b, a, len);
        capy_switch_input(user, port, a, len, now, &out_a);
        capy_xdp_input(xdp, port, b, len, now, &out_b);
        equal_out(i, "BPF", &out_a, &out_b);
        if (below(200) == 0) {
            expire_all(user);
            capy_xdp_expire_all(xdp, now);
        }
        equal_memory(i, capy_xdp_plane(xdp));
        pass_time();
    }
    capy_xdp_count(xdp);
    equal_counters("BPF", capy_xdp_plane(xdp));
    printf("%u entries at the end\n", capy_switch_entry_cnt(user));
    capy_xdp_close(xdp);
    free(user);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_short_way_leads_where_the_long_one_does),
        cmocka_unit_test(planes_are_twins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
