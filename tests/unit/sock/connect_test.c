/* Connections that servers open: outcomes, refusals, and moving them; and addresses as text. */
#include "rig.h"
#include "sock/host.h"
#include <string.h>

enum { FAR_PORT = 7 };

static struct rig rig;

static int open_rig(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    assert_int_equal(capy_stack_listen(rig.client, FAR_PORT, 0), CAPY_OK);
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static struct capy_address to_v4(uint32_t v4, uint16_t port)
{
    struct capy_address to = {.port = port};
    struct capy_ip ip = capy_ip_from_v4(v4);
    memcpy(to.ip, ip.b, sizeof to.ip);
    return to;
}

static struct capy_address to_ip(struct capy_ip ip, uint16_t port)
{
    struct capy_address to = {.port = port};
    memcpy(to.ip, ip.b, sizeof to.ip);
    return to;
}

static struct capy_address far_end(uint16_t port)
{
    return to_ip(rig_client_ip(), port);
}

/* The one connection of the client. */
static capy_handle far_conn(void)
{
    struct capy_stack_conn_info info;
    uint32_t cursor = 0;
    assert_true(capy_stack_next_conn(rig.client, &cursor, &info));
    return info.conn;
}

/* Server 0 opens a connection to the client; its queue, and the client's end. */
static int open_one(capy_handle *far)
{
    struct capy_address to = far_end(FAR_PORT);
    int qd = capy_connect(rig.os[0], &to);
    assert_true(qd >= 0);
    struct capy_done done = rig_expect(&rig, 0, CAPY_OP_CONNECT);
    assert_int_equal(done.qd, qd);
    assert_int_equal(done.status, CAPY_OK);
    rig_turns(&rig, 10);
    *far = far_conn();
    return qd;
}

static void exchange(unsigned server, int qd, capy_handle far)
{
    assert_int_equal(capy_push(rig.os[server], qd, "question", 8), 8);
    rig_client_expect(&rig, far, "question");
    rig_client_send(&rig, far, "answer");
    rig_read(&rig, server, qd, "answer");
}

static void a_connection_is_opened_and_used(void **state)
{
    (void)state;
    capy_handle far;
    struct capy_address to = far_end(FAR_PORT);
    int qd = capy_connect(rig.os[0], &to);
    assert_int_equal(capy_set_user(rig.os[0], qd, 42), CAPY_OK);
    assert_int_equal(rig_expect(&rig, 0, CAPY_OP_CONNECT).user, 42);
    rig_turns(&rig, 10);
    far = far_conn();
    exchange(0, qd, far);
    exchange(0, qd, far);
    assert_int_equal(capy_close(rig.os[0], qd), CAPY_OK);
    assert_int_equal(capy_push(rig.os[0], qd, "x", 1), CAPY_E_BADQD);
}

static void its_traffic_is_told(void **state)
{
    (void)state;
    struct capy_traffic t;
    capy_handle far;
    int qd = open_one(&far);
    assert_int_equal(capy_traffic(rig.os[0], qd, &t), CAPY_OK);
    assert_int_equal(t.bytes_in + t.bytes_out + t.retransmissions, 0);
    exchange(0, qd, far);
    rig_turns(&rig, 10);
    assert_int_equal(capy_traffic(rig.os[0], qd, &t), CAPY_OK);
    assert_int_equal(t.bytes_in, strlen("answer"));
    assert_int_equal(t.bytes_out, strlen("question"));
    assert_int_equal(t.retransmissions, 0);
    struct capy_ip own = rig_server_ip(0);
    assert_memory_equal(t.own.ip, own.b, sizeof own.b);
    struct capy_stack_conn_info seen;
    assert_int_equal(capy_stack_conn_info(rig.client, far, &seen), CAPY_OK);
    assert_int_equal(t.own.port, seen.key.client_port); /* as its peer sees it */
    assert_int_equal(capy_close(rig.os[0], qd), CAPY_OK);
    assert_int_equal(capy_traffic(rig.os[0], qd, &t), CAPY_E_BADQD);
}

/* RFC 9293 §3.10.7.3: a RST in answer to our SYN. */
static void nobody_listening_is_a_refusal(void **state)
{
    (void)state;
    struct capy_address to = far_end(FAR_PORT + 1);
    int qd = capy_connect(rig.os[0], &to);
    struct capy_done done = rig_expect(&rig, 0, CAPY_OP_CONNECT);
    assert_int_equal(done.qd, qd);
    assert_int_equal(done.status, CAPY_E_REFUSED);
    assert_int_equal(capy_close(rig.os[0], qd), CAPY_E_BADQD);
}

static void nobody_answering_is_a_timeout(void **state)
{
    (void)state;
    struct capy_ip nobody = rig_client_ip(); /* on the link, and not there */
    nobody.b[15]++;
    struct capy_address to = to_ip(nobody, FAR_PORT);
    int qd = capy_connect(rig.os[0], &to);
    for (unsigned i = 0; i < 20 && rig.done_cnt[0] == 0; i++) {
        rig.now += CAPY_SEC(1);
        rig_turn(&rig);
    }
    struct capy_done done = rig_expect(&rig, 0, CAPY_OP_CONNECT);
    assert_int_equal(done.qd, qd);
    assert_int_equal(done.status, CAPY_E_TIMEOUT);
}

/* A turn in which server 0 may take one completion. */
static struct capy_done take_one(void)
{
    for (unsigned i = 0; i < 100; i++) {
        rig.done_cnt[0] = RIG_DONE_MAX - 1;
        rig_turn(&rig);
        if (rig.done_cnt[0] == RIG_DONE_MAX)
            break;
    }
    assert_int_equal(rig.done_cnt[0], RIG_DONE_MAX);
    rig.done_cnt[0] = 0;
    return rig.done[0][RIG_DONE_MAX - 1];
}

/* The third of three that opened is not taken yet when the peer resets them all. */
static void a_reset_before_it_was_taken_is_told_by_its_connect(void **state)
{
    (void)state;
    struct capy_address to = far_end(FAR_PORT);
    struct capy_stack_conn_info info;
    uint32_t cursor = 0;
    for (unsigned i = 0; i < 3; i++)
        assert_true(capy_connect(rig.os[0], &to) >= 0);
    int first = take_one().qd, second = take_one().qd;
    while (capy_stack_next_conn(rig.client, &cursor, &info))
        assert_int_equal(capy_stack_abort(rig.client, info.conn, rig.now), CAPY_OK);
    for (unsigned i = 0; i < 3; i++) {
        struct capy_done done = take_one();
        bool was_taken = done.qd == first || done.qd == second;
        assert_int_equal(done.op, was_taken ? CAPY_OP_CLOSED : CAPY_OP_CONNECT);
        assert_int_equal(done.status, CAPY_E_RESET);
    }
    assert_int_equal(rig.os[0]->live_cnt, 0);
}

/* RFC 9293 MUST-46: an address that cannot be a host's is an error of OPEN. */
static void impossible_addresses_are_refused(void **state)
{
    (void)state;
    const struct capy_address wrong[] = {
        far_end(0),
        to_ip(rig_server_ip(0), FAR_PORT), /* its own */
        to_v4(0, FAR_PORT),
        to_v4(0xffffffff, FAR_PORT),
        to_v4(0xe0000001, FAR_PORT),
        to_v4(0x7f000001, FAR_PORT),
        {{0xff, 2, [15] = 1}, FAR_PORT},
        {{[15] = 1}, FAR_PORT},
    };
    struct capy_address other_version = to_v4(0x0a630064, FAR_PORT);
    if (rig_kind == RIG_IPV6_ONLY)
        assert_int_equal(capy_connect(rig.os[0], &other_version), CAPY_E_INVAL);
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(capy_connect(rig.os[0], &wrong[i]), CAPY_E_INVAL);
    assert_int_equal(rig.os[0]->live_cnt, 0);
}

static void a_full_table_is_told(void **state)
{
    (void)state;
    struct capy_address to = far_end(FAR_PORT);
    int qd = 0;
    for (unsigned i = 0; i <= rig.rack.conn_max && qd >= 0; i++)
        qd = capy_connect(rig.os[0], &to);
    assert_int_equal(qd, CAPY_E_NOMEM);
}

static void nothing_is_done_with_it_before_it_is_open(void **state)
{
    (void)state;
    char byte = 0;
    struct capy_address to = far_end(FAR_PORT);
    int qd = capy_connect(rig.os[0], &to);
    assert_int_equal(capy_push(rig.os[0], qd, "x", 1), CAPY_E_STATE);
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_E_STATE);
    assert_int_equal(capy_peek(rig.os[0], qd, 0, &byte, 1), CAPY_E_STATE);
    assert_int_equal(capy_consume(rig.os[0], qd, 0), CAPY_E_STATE);
    assert_true(capy_arrivals(rig.os[0]) >= 0);
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_E_STATE);
    assert_int_equal(rig.os[0]->load.in_hand, 0);
    assert_int_equal(capy_close(rig.os[0], qd), CAPY_OK);
    rig_expect_none(&rig, 0);
    assert_int_equal(rig.os[0]->live_cnt, 0);
}

/* ---- moving ---- */

/* The queue under which it arrives at a server. */
static int arrive(unsigned server, int arrivals)
{
    struct capy_done done = rig_expect(&rig, server, CAPY_OP_ACCEPT);
    assert_int_equal(done.qd, arrivals);
    assert_true(done.migrated);
    assert_int_equal(capy_accept(rig.os[server], arrivals), CAPY_OK);
    return done.accepted;
}

static void move(unsigned from, int qd, const char *to)
{
    assert_int_equal(capy_pop(rig.os[from], qd, 0), CAPY_OK);
    assert_int_equal(capy_migrate(rig.os[from], qd, to), CAPY_OK);
    assert_int_equal(rig_expect(&rig, from, CAPY_OP_MIGRATED_OUT).qd, qd);
}

static void an_opened_connection_moves_and_returns(void **state)
{
    (void)state;
    int arrivals[RIG_SERVERS];
    capy_handle far;
    for (unsigned i = 0; i < RIG_SERVERS; i++) {
        arrivals[i] = capy_arrivals(rig.os[i]);
        assert_int_equal(capy_accept(rig.os[i], arrivals[i]), CAPY_OK);
    }
    assert_int_equal(capy_arrivals(rig.os[0]), CAPY_E_INUSE);
    int qd = open_one(&far);
    exchange(0, qd, far);
    for (unsigned round = 0; round < 3; round++) {
        move(0, qd, "s2");
        qd = arrive(1, arrivals[1]);
        exchange(1, qd, far);
        move(1, qd, "s1");
        qd = arrive(0, arrivals[0]);
        exchange(0, qd, far);
    }
    assert_int_equal(rig.client_events & CAPY_EV_ANY_DEAD, 0);
    assert_int_equal(capy_close(rig.os[0], qd), CAPY_OK);
}

/* All of one remote address and port: only their own ports tell them apart, also at the switch. */
static void connections_to_one_peer_all_move(void **state)
{
    (void)state;
    enum { CNT = 20 };
    int qd[CNT], arrivals[RIG_SERVERS];
    struct capy_address to = far_end(FAR_PORT);
    for (unsigned i = 0; i < RIG_SERVERS; i++)
        arrivals[i] = capy_arrivals(rig.os[i]);
    for (unsigned i = 0; i < CNT; i++) {
        qd[i] = capy_connect(rig.os[0], &to);
        assert_int_equal(rig_expect(&rig, 0, CAPY_OP_CONNECT).qd, qd[i]);
        assert_int_equal(capy_accept(rig.os[1], arrivals[1]), CAPY_OK);
    }
    for (unsigned i = 0; i < CNT; i++) {
        move(0, qd[i], "s2");
        assert_true(rig_expect(&rig, 1, CAPY_OP_ACCEPT).migrated);
    }
    assert_int_equal(rig.client_events & CAPY_EV_ANY_DEAD, 0);
}

static void without_arrivals_it_stays(void **state)
{
    (void)state;
    capy_handle far;
    int qd = open_one(&far);
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_E_STATE);
    int arrivals = capy_arrivals(rig.os[0]); /* here, but not where it would go */
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_OK);
    rig_expect_none(&rig, 0);
    assert_int_equal(capy_stack_counters(rig.os[0]->stack)->kept_by_reason[CAPY_REASON_NO_SERVICE],
                     1);
    assert_int_equal(capy_close(rig.os[0], arrivals), CAPY_OK);
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_E_STATE);
    rig_client_send(&rig, far, "still here");
    assert_int_equal(rig_expect(&rig, 0, CAPY_OP_POP).avail, 10);
}

/* What is asked before it moves gets the state along, also when it was opened here. */
static void an_opened_connection_asks_when_told_to(void **state)
{
    (void)state;
    capy_handle far;
    char state_back[8];
    assert_true(capy_arrivals(rig.os[0]) >= 0);
    int arrivals = capy_arrivals(rig.os[1]);
    assert_int_equal(capy_accept(rig.os[1], arrivals), CAPY_OK);
    int qd = open_one(&far);
    assert_int_equal(capy_ask_before_migration(rig.os[0], qd), CAPY_OK);
    assert_int_equal(capy_migrate(rig.os[0], qd, NULL), CAPY_OK);
    rig_expect(&rig, 0, CAPY_OP_MIGRATE);
    assert_int_equal(capy_release(rig.os[0], qd, "state", 5), CAPY_OK);
    rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
    qd = arrive(1, arrivals);
    assert_int_equal(capy_migrated_state(rig.os[1], qd, state_back, sizeof state_back), 5);
    assert_memory_equal(state_back, "state", 5);
}

/* The name of a flow that went away is not given to another one. */
static void a_port_whose_connection_moved_is_in_use(void **state)
{
    (void)state;
    capy_handle far, other;
    struct capy_stack_conn_info info;
    struct capy_ip ip = rig_client_ip();
    assert_true(capy_arrivals(rig.os[0]) >= 0);
    int arrivals = capy_arrivals(rig.os[1]);
    assert_int_equal(capy_accept(rig.os[1], arrivals), CAPY_OK);
    int qd = open_one(&far);
    assert_int_equal(capy_stack_conn_info(rig.client, far, &info), CAPY_OK);
    uint16_t port = info.key.client_port;
    move(0, qd, "s2");
    assert_int_equal(capy_host_connect(rig.os[0], &ip, FAR_PORT, port, 0, &other, rig.now),
                     CAPY_E_INUSE);
    qd = arrive(1, arrivals);
    assert_int_equal(capy_abort(rig.os[1], qd), CAPY_OK);
    rig_turns(&rig, 100000); /* 500 ms: FLOW_CLOSED has been said, and passed on */
    assert_int_equal(capy_host_connect(rig.os[0], &ip, FAR_PORT, port, 0, &other, rig.now),
                     CAPY_OK);
}

/* ---- addresses ---- */

static void addresses_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint8_t last;
        uint16_t port;
    } good[] = {{"10.99.0.11:80", 11, 80}, {"10.99.0.12", 12, 8080}, {"[fd00::b]:443", 11, 443},
                {"fd00::c", 12, 8080},     {"[fd00::d]", 13, 8080},  {"10.0.0.1:65535", 1, 65535}};
    static const char *const bad[] = {"",
                                      "10.99.0.11:",
                                      "10.99.0.11:65536",
                                      "s1:80",
                                      "10.99.0:80",
                                      "[fd00::b:80",
                                      "[fd00::b]80",
                                      ":80",
                                      "fd00::b]",
                                      "10.0.0.1:80 ",
                                      "10.0.0.1:-1",
                                      "11111111111111111111111111111111111111111111111111:1"};
    struct capy_address a;
    for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(capy_address_parse(good[i].text, 8080, &a), CAPY_OK);
        assert_int_equal(a.ip[15], good[i].last);
        assert_int_equal(a.port, good[i].port);
    }
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(capy_address_parse(bad[i], 8080, &a), CAPY_E_FORMAT);
}

int main(void)
{
#define IN_RIG(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)
    const struct CMUnitTest tests[] = {
        IN_RIG(a_connection_is_opened_and_used),
        IN_RIG(its_traffic_is_told),
        IN_RIG(nobody_listening_is_a_refusal),
        IN_RIG(nobody_answering_is_a_timeout),
        IN_RIG(a_reset_before_it_was_taken_is_told_by_its_connect),
        IN_RIG(impossible_addresses_are_refused),
        IN_RIG(a_full_table_is_told),
        IN_RIG(nothing_is_done_with_it_before_it_is_open),
        IN_RIG(an_opened_connection_moves_and_returns),
        IN_RIG(connections_to_one_peer_all_move),
        IN_RIG(without_arrivals_it_stays),
        IN_RIG(an_opened_connection_asks_when_told_to),
        IN_RIG(a_port_whose_connection_moved_is_in_use),
        cmocka_unit_test(addresses_are_read),
    };
    int failed = cmocka_run_group_tests_name("IPv4", tests, NULL, NULL);
    rig_kind = RIG_BESIDE;
    failed += cmocka_run_group_tests_name("IPv6 beside IPv4", tests, NULL, NULL);
    rig_kind = RIG_IPV6_ONLY;
    return failed + cmocka_run_group_tests_name("IPv6 alone", tests, NULL, NULL);
}
