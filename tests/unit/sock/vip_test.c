/* The service address, from a client's connect to a connection that moved: the client knows one address,
 * the switch gives its connections to the servers, and the servers run them like arrivals. */
#include "rig.h"
#include "sock/host.h"
#include "switch/core/state.h"
#include <string.h>

#define HOST_VIP 50u

static struct rig rig;

static void serve_together(struct capy_rack *rack)
{
    memcpy(rack->vip, rack->switch_ip, 16);
    rack->vip[15] = HOST_VIP;
    memcpy(rack->vip6, rack->switch_ip6, 16);
    rack->vip6[15] = memcmp(rack->vip6, (uint8_t[16]){0}, 16) ? HOST_VIP : 0;
    rack->service_cnt = 1;
    rack->service[0].port = RIG_PORT;
}

static int open_rig(void **state)
{
    (void)state;
    rig_open(&rig, serve_together);
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static struct capy_ip vip(void)
{
    struct capy_ip ip = rig_server_ip(0);
    ip.b[15] = HOST_VIP;
    return ip;
}

/* A new connection to the service address; which server has it, and its queue there. */
static capy_handle connect_vip(unsigned *server, int *qd)
{
    capy_handle conn;
    struct capy_ip ip = vip();
    assert_int_equal(capy_stack_connect(rig.client, &ip, RIG_PORT, 0, 0, &conn, rig.now), CAPY_OK);
    for (unsigned i = 0; i < 2000 && rig.done_cnt[0] + rig.done_cnt[1] == 0; i++)
        rig_turn(&rig);
    *server = rig.done_cnt[0] > 0 ? 0 : 1;
    struct capy_done done = rig_expect(&rig, *server, CAPY_OP_ACCEPT);
    assert_false(done.migrated);
    assert_int_equal(capy_accept(rig.os[*server], rig.lqd[*server]), CAPY_OK);
    *qd = done.accepted;
    return conn;
}

static void speak(capy_handle c, unsigned server, int qd, const char *ask, const char *answer)
{
    rig_client_send(&rig, c, ask);
    rig_read(&rig, server, qd, ask);
    assert_int_equal(capy_push(rig.os[server], qd, answer, (uint32_t)strlen(answer)),
                     strlen(answer));
    rig_client_expect(&rig, c, answer);
}

static int move(unsigned from, int qd)
{
    unsigned to = 1 - from;
    assert_int_equal(capy_migrate(rig.os[from], qd, to == 0 ? "s1" : "s2"), CAPY_OK);
    assert_int_equal(capy_pop(rig.os[from], qd, 0), CAPY_OK);
    assert_int_equal(rig_expect(&rig, from, CAPY_OP_MIGRATED_OUT).qd, qd);
    struct capy_done done = rig_expect(&rig, to, CAPY_OP_ACCEPT);
    assert_true(done.migrated);
    assert_int_equal(capy_accept(rig.os[to], rig.lqd[to]), CAPY_OK);
    return done.accepted;
}

static void connections_spread_and_move(void **state)
{
    (void)state;
    unsigned at[4], cnt[RIG_SERVERS] = {0};
    capy_handle c[4];
    int qd[4];
    for (unsigned i = 0; i < 4; i++) {
        c[i] = connect_vip(&at[i], &qd[i]);
        cnt[at[i]]++;
    }
    assert_int_equal(cnt[0], 2);
    assert_int_equal(cnt[1], 2);
    assert_int_equal(capy_switch_entry_cnt(rig.tor), 4);
    for (unsigned i = 0; i < 4; i++)
        speak(c[i], at[i], qd[i], "where", "HERE");
    for (unsigned round = 0; round < 3; round++) /* there, back, and there again */
        for (unsigned i = 0; i < 4; i++) {
            qd[i] = move(at[i], qd[i]);
            at[i] = 1 - at[i];
            speak(c[i], at[i], qd[i], "and now", "HERE NOW");
        }
    assert_false(rig.client_events & (CAPY_EV_RESET | CAPY_EV_TIMED_OUT));
}

/* The end of a connection is the end of its entry, at the switch and at the servers. */
static void a_close_leaves_nothing(void **state)
{
    (void)state;
    unsigned at;
    int qd;
    capy_handle c = connect_vip(&at, &qd);
    speak(c, at, qd, "hello", "HELLO");
    assert_int_equal(capy_stack_close(rig.client, c, rig.now), CAPY_OK);
    assert_int_equal(capy_pop(rig.os[at], qd, 0), CAPY_OK);
    assert_int_equal(rig_expect(&rig, at, CAPY_OP_POP).len, 0);
    assert_int_equal(capy_close(rig.os[at], qd), CAPY_OK);
    rig_turns(&rig, 2000);
    assert_int_equal(capy_switch_entry_cnt(rig.tor), 0);
}

static uint64_t counter(const char *name)
{
    uint64_t value;
    const char *n;
    for (unsigned i = 0; (n = capy_switch_counter(rig.tor, i, &value)) != NULL; i++)
        if (strcmp(n, name) == 0)
            return value;
    fail_msg("no counter %s", name);
    return 0;
}

/* A drain moves what is there, and no new connection comes. */
static void a_draining_server_gets_nothing_new(void **state)
{
    (void)state;
    unsigned at, other;
    int qd, qd2;
    capy_handle c = connect_vip(&at, &qd);
    speak(c, at, qd, "hello", "HELLO");
    capy_host_set_draining(rig.os[at], true);
    rig_turns(&rig, 500);
    for (unsigned i = 0; i < 3; i++) {
        capy_handle d = connect_vip(&other, &qd2);
        assert_int_equal(other, 1 - at);
        speak(d, other, qd2, "hello", "HELLO");
    }
    speak(c, at, qd, "still there?", "YES");
    qd = move(at, qd);
    speak(c, 1 - at, qd, "moved?", "YES");
}

/* What a client still sends on a connection that its server forgot is reset in the VIP's name. */
static void what_nobody_runs_is_reset(void **state)
{
    (void)state;
    unsigned at;
    int qd;
    capy_handle c = connect_vip(&at, &qd);
    speak(c, at, qd, "hello", "HELLO");
    rig_turns(&rig, 20000); /* the client has nothing more to say */
    rig.tor_silent = true;  /* the reset is lost */
    assert_int_equal(capy_abort(rig.os[at], qd), CAPY_OK);
    rig_turns(&rig, 100);
    rig.tor_silent = false;
    rig_turns(&rig, 30000); /* FLOW_CLOSED is repeated, and ends the entry */
    assert_int_equal(capy_switch_entry_cnt(rig.tor), 0);
    rig_client_send(&rig, c, "anybody?");
    rig_turns(&rig, 2000);
    assert_true(counter("vip_to_reset") > 0);
    assert_true(rig.client_events & CAPY_EV_RESET);
}

/* Entries that gave way, or that a switch forgot: connections run, and it knows nothing of them. */
static void lose_entries(void)
{
    struct capy_directory *dir = &rig.tor->dir;
    for (uint32_t i = 0; i < dir->levels * dir->slots; i++)
        if (dir->entries[i].phase != CAPY_PHASE_NONE)
            capy_directory_remove(dir, &dir->entries[i]);
}

static void a_connection_that_the_switch_does_not_know_says_so(void **state)
{
    (void)state;
    unsigned at;
    int qd;
    capy_handle c = connect_vip(&at, &qd);
    speak(c, at, qd, "hello", "HELLO");
    rig_turns(&rig, 20000); /* the client has nothing more to say */
    lose_entries();
    assert_int_equal(capy_push(rig.os[at], qd, "MORE", 4), 4);
    for (unsigned i = 0; i < 600 && capy_switch_entry_cnt(rig.tor) == 0; i++)
        rig_turns(&rig, 1000); /* three timeouts; some seconds, not the minute of ANNOUNCE's turn */
    assert_int_equal(capy_switch_entry_cnt(rig.tor), 1);
    rig_turns(&rig, 400000); /* until the next timeout */
    rig_client_expect(&rig, c, "MORE");
    assert_false(rig.client_events & (CAPY_EV_RESET | CAPY_EV_TIMED_OUT));
}

/* An entry that gave way while the handshake's last segment was under way to the same server. */
static void a_new_connection_says_that_it_is_there(void **state)
{
    (void)state;
    unsigned at;
    int qd;
    capy_handle c = connect_vip(&at, &qd);
    lose_entries();
    rig_turns(&rig, 100); /* nobody has said a byte */
    assert_int_equal(capy_switch_entry_cnt(rig.tor), 1);
    speak(c, at, qd, "hello", "HELLO");
}

int main(void)
{
#define IN_RIG(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)
    const struct CMUnitTest tests[] = {
        IN_RIG(connections_spread_and_move),
        IN_RIG(a_close_leaves_nothing),
        IN_RIG(a_draining_server_gets_nothing_new),
        IN_RIG(what_nobody_runs_is_reset),
        IN_RIG(a_new_connection_says_that_it_is_there),
        IN_RIG(a_connection_that_the_switch_does_not_know_says_so),
    };
    int failed = 0;
    for (rig_kind = RIG_IPV4; rig_kind < RIG_KIND_CNT; rig_kind++)
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    return failed;
}
