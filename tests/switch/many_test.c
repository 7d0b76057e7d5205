/* The XDP plane on two CPUs at once (docs/switch.md, "Many CPUs"): two threads feed one program and one
 * directory, each the messages that contradict the other's. Whoever comes first must have won whole. */
#include "planes.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define FLOWS_MAX 32000u
#define NOW CAPY_SEC(10)

static uint32_t flows = 1500; /* more as an argument: races are rare on a busy machine */
static struct capy_switch_cfg cfg;
static struct capy_xdp *xdp;
static atomic_uint arrived; /* at the meeting of both threads, all told */

static struct capy_flow_key flow(uint32_t i)
{
    return (struct capy_flow_key){planes_ip((uint16_t)(100 + i / 1000), true), planes_ip(0, true),
                                  (uint16_t)(1000 + i % 1000), 80};
}

static enum capy_mig_verdict feed(uint16_t sender, const struct capy_mig_msg *msg)
{
    uint8_t frame[CAPY_FRAME_MAX] = {0};
    struct capy_switch_out out;
    struct capy_mig_msg answer;
    size_t len = planes_message(frame, &cfg, sender, msg);
    capy_xdp_input(xdp, sender, frame, len, NOW, &out);
    assert_true(out.cnt > 0);
    unsigned last = out.cnt - 1; /* to the sender, when it goes both ways */
    assert_int_equal(capy_mig_parse(out.frame[last].data + CAPY_UDP_AT,
                                    out.frame[last].len - CAPY_UDP_AT, cfg.key, &answer),
                     CAPY_MIG_GOOD);
    return (enum capy_mig_verdict)answer.verdict;
}

static struct capy_mig_msg message(uint8_t type, uint32_t i, uint16_t origin, uint16_t target)
{
    return (struct capy_mig_msg){.type = type,
                                 .origin = origin,
                                 .target = target,
                                 .epoch = 1,
                                 .mig_id = 100 + target,
                                 .target_port = MIG_PORT,
                                 .key = flow(i)};
}

static int begin(void **state)
{
    (void)state;
    planes_cfg(&cfg, 65536);
    cfg.learn_ns = 0;
    xdp = planes_open_xdp(&cfg, NOW);
    capy_xdp_reset(xdp, NOW);
    for (uint16_t i = 0; i < SERVERS; i++) {
        uint8_t frame[CAPY_FRAME_MAX] = {0};
        struct capy_switch_out out;
        const struct capy_mig_heartbeat beat = {.free_cnt = 1000000, .incarnation = i + 1u};
        size_t len = planes_heartbeat(frame, &cfg, i, &beat);
        capy_xdp_input(xdp, i, frame, len, NOW, &out);
        assert_int_equal(out.cnt, 1);
    }
    arrived = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    capy_xdp_close(xdp);
    return 0;
}

/* One of two threads: what it sends for each flow, and what it heard. */
struct side {
    uint16_t sender;
    struct capy_mig_msg (*message)(uint32_t i, uint16_t sender);
    uint8_t verdict[FLOWS_MAX];
};

/* Waits for the other thread, awake as long as it can be near: what follows shall overlap. */
static void meet(uint32_t round)
{
    atomic_fetch_add(&arrived, 1);
    for (unsigned spins = 0; atomic_load(&arrived) < 2 * (round + 1); spins++)
        if (spins > 500)
            sched_yield();
}

static void *run_side(void *arg)
{
    struct side *s = arg;
    for (uint32_t i = 0; i < flows; i++) {
        const struct capy_mig_msg msg = s->message(i, s->sender);
        meet(i);
        s->verdict[i] = (uint8_t)feed(s->sender, &msg);
    }
    return NULL;
}

static void run_both(struct side *a, struct side *b)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_side, b), 0);
    run_side(a);
    pthread_join(thread, NULL);
}

static bool find(const struct capy_flow_key *key, struct capy_switch_entry_info *out)
{
    uint32_t cursor = 0;
    unsigned cnt = 0;
    struct capy_switch_entry_info e;
    while (capy_switch_next_entry(capy_xdp_plane(xdp), &cursor, &e))
        if (capy_flow_key_eq(&e.key, key)) {
            *out = e;
            cnt++;
        }
    assert_true(cnt <= 1); /* never in two places */
    return cnt == 1;
}

/* Every 37th, for a search reads the whole directory. */
#define SAMPLE 37u

static struct capy_mig_msg grant(uint32_t i, uint16_t sender)
{
    return message(CAPY_MIG_PREPARE_MIG_ACK, i, 0, sender);
}

/* Two targets answer for one flow and epoch: the compare-and-swap lets one in. */
static void one_grant_wins(void **state)
{
    (void)state;
    static struct side a = {.sender = 1, .message = grant}, b = {.sender = 2, .message = grant};
    run_both(&a, &b);
    for (uint32_t i = 0; i < flows; i++) {
        bool first = a.verdict[i] == CAPY_VERDICT_OK, second = b.verdict[i] == CAPY_VERDICT_OK;
        bool full = a.verdict[i] == CAPY_VERDICT_FULL && b.verdict[i] == CAPY_VERDICT_FULL;
        if (first == second && !full)
            fail_msg("flow %u: %s and %s", i, capy_mig_verdict_name(a.verdict[i]),
                     capy_mig_verdict_name(b.verdict[i]));
        struct capy_switch_entry_info e;
        if (!full && i % SAMPLE == 0) {
            const struct capy_flow_key key = flow(i);
            assert_true(find(&key, &e));
            assert_int_equal(e.owner, first ? 1 : 2);
        }
    }
}

static struct capy_mig_msg commit_or_cancel(uint32_t i, uint16_t sender)
{
    struct capy_mig_msg msg = message(CAPY_MIG_CONN_STATE, i, 0, 1);
    (void)sender;
    if (i % 2) /* the same sender: both threads take both parts in turn */
        msg.total = msg.length = 0;
    return msg;
}

static struct capy_mig_msg cancel(uint32_t i, uint16_t sender)
{
    struct capy_mig_msg msg = message(CAPY_MIG_CANCEL, i, 0, 1);
    (void)sender;
    msg.target_port = 80;
    return msg;
}

/* CANCEL and the last CONN_STATE meet: the flow is committed, or it is the origin's again. */
static void commit_or_cancel_wins(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < flows; i++) {
        const struct capy_mig_msg msg = grant(i, 1);
        (void)feed(1, &msg);
    }
    static struct side a = {.sender = 0, .message = commit_or_cancel},
                       b = {.sender = 0, .message = cancel};
    run_both(&a, &b);
    for (uint32_t i = 0; i < flows; i++) {
        const struct capy_flow_key key = flow(i);
        struct capy_switch_entry_info e;
        bool committed = a.verdict[i] == CAPY_VERDICT_OK && b.verdict[i] == CAPY_VERDICT_SETTLED,
             cancelled = a.verdict[i] == CAPY_VERDICT_STALE && b.verdict[i] == CAPY_VERDICT_OK;
        if (i % SAMPLE != 0 || !find(&key, &e))
            continue; /* it found no room */
        if (!committed && !cancelled)
            fail_msg("flow %u: state %s, cancel %s", i, capy_mig_verdict_name(a.verdict[i]),
                     capy_mig_verdict_name(b.verdict[i]));
        assert_int_equal(e.owner, committed ? 1 : 0);
        assert_int_equal(e.epoch, committed ? 1 : 2);
    }
}

static struct capy_mig_msg announce_each(uint32_t i, uint16_t sender)
{
    struct capy_mig_msg msg = message(CAPY_MIG_ANNOUNCE, i / 2, sender, CAPY_SERVER_ANY);
    msg.key.client_port = (uint16_t)(1000 + i);
    return msg;
}

/* Two install many flows, each its own or the same: none is lost, none is there twice. */
static void what_is_installed_is_counted(void **state)
{
    (void)state;
    static struct side a = {.sender = 1, .message = announce_each},
                       b = {.sender = 2, .message = announce_each};
    run_both(&a, &b);
    unsigned installed = 0, there = 0;
    for (uint32_t i = 0; i < flows; i++) {
        bool first = a.verdict[i] == CAPY_VERDICT_OK, second = b.verdict[i] == CAPY_VERDICT_OK;
        assert_false(first && second);
        installed += first || second;
    }
    struct capy_switch_entry_info e;
    for (uint32_t cursor = 0; capy_switch_next_entry(capy_xdp_plane(xdp), &cursor, &e);)
        there++;
    capy_xdp_count(xdp);
    assert_int_equal(there, installed);
    assert_int_equal(capy_switch_entry_cnt(capy_xdp_plane(xdp)), there);
}

/* ---- segments that take no lock ---- */

static atomic_bool over;
static atomic_uint torn, steered;

/* The client's segments of the same flow, over and over: each must go to one of its owners, and there to the
 * port at which that one has it. */
static void *send_segments(void *arg)
{
    const struct capy_flow_key *key = arg;
    const struct capy_tcp_segment seg = {.flags = CAPY_TCP_ACK};
    const struct capy_frame_to to = {.dst_mac = cfg.server[0].mac,
                                     .src_mac = planes_mac(100),
                                     .src = key->client,
                                     .dst = key->home,
                                     .src_port = key->client_port,
                                     .dst_port = key->home_port};
    while (!atomic_load(&over)) {
        uint8_t frame[CAPY_FRAME_MAX] = {0};
        struct capy_switch_out out;
        struct capy_packet p;
        size_t len = capy_frame_build_tcp(frame, &to, &seg);
        capy_xdp_input(xdp, 3, frame, len, NOW, &out);
        if (out.cnt != 1 || capy_frame_parse(out.frame[0].data, out.frame[0].len, &p) != 0)
            continue;
        uint16_t id = out.frame[0].port;
        bool right = id < SERVERS && capy_ip_eq(&p.dst, &cfg.server[id].ip) &&
                     p.dst_port == (id == 0 ? 80 : MIG_PORT + id);
        atomic_fetch_add(right ? &steered : &torn, 1);
    }
    return NULL;
}

static void segments_see_one_owner_whole(void **state)
{
    (void)state;
    pthread_t thread;
    static struct capy_flow_key key;
    key = flow(1);
    over = false;
    torn = steered = 0;
    assert_int_equal(pthread_create(&thread, NULL, send_segments, &key), 0);
    for (uint32_t i = 0; i < 10 * flows; i++) { /* the next server runs it, by its word */
        const uint16_t owner = (uint16_t)(i % SERVERS);
        struct capy_mig_msg msg = message(CAPY_MIG_ANNOUNCE, 1, owner, CAPY_SERVER_ANY);
        msg.epoch = i + 2;
        msg.target_port = (uint16_t)(owner == 0 ? 80 : MIG_PORT + owner);
        assert_int_equal(feed(owner, &msg), CAPY_VERDICT_OK);
    }
    while (atomic_load(&torn) + atomic_load(&steered) == 0)
        sched_yield(); /* on one core the thread may not have begun yet */
    over = true;
    pthread_join(thread, NULL);
    assert_int_equal(torn, 0);
    assert_true(steered > 0);
}

/* As many servers, ports and levels as there can be, and the service address: the verifier takes it. */
static void the_largest_rack_loads(void **state)
{
    (void)state;
    struct capy_switch_cfg large;
    planes_cfg(&large, 65536);
    large.levels = CAPY_DIRECTORY_LEVELS_MAX;
    large.port_cnt = CAPY_SWITCH_PORT_MAX;
    large.server_cnt = CAPY_SWITCH_SERVER_MAX;
    for (uint16_t i = 0; i < CAPY_SWITCH_SERVER_MAX; i++) {
        large.role[i] = CAPY_PORT_SERVER;
        large.server[i].ip = planes_ip(i, true);
        large.server[i].ip6 = planes_ip(i, false);
        large.server[i].mac = planes_mac(i);
        large.server[i].port = i;
    }
    large.vip.ip = planes_ip(150, true);
    large.vip.port_cnt = 1;
    large.vip.port[0] = 80;
    assert_true(capy_switch_size(&large) > 0);
    capy_xdp_close(planes_open_xdp(&large, NOW));
}

int main(int argc, char **argv)
{
    if (argc > 1)
        flows = capy_min32((uint32_t)strtoul(argv[1], NULL, 10), FLOWS_MAX);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_grant_wins, begin, end),
        cmocka_unit_test_setup_teardown(commit_or_cancel_wins, begin, end),
        cmocka_unit_test_setup_teardown(what_is_installed_is_counted, begin, end),
        cmocka_unit_test_setup_teardown(segments_see_one_owner_whole, begin, end),
        cmocka_unit_test(the_largest_rack_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
