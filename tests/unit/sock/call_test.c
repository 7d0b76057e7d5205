/* The application's calls without any migration: accept, pop, push, close, and their edges. */
#include "rig.h"
#include <string.h>

static struct rig rig;

static int open_rig(void **state)
{
    (void)state;
    rig_open(&rig, NULL);
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static void a_request_is_answered(void **state)
{
    (void)state;
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_set_user(rig.os[0], qd, 42), CAPY_OK);
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    rig_client_send(&rig, c, "hello");
    struct capy_done done = rig_expect(&rig, 0, CAPY_OP_POP);
    assert_int_equal(done.user, 42);
    assert_int_equal(done.len, 5);
    assert_memory_equal(done.data, "hello", 5);
    assert_false(done.fin);
    assert_int_equal(capy_push(rig.os[0], qd, "world!", 6), 6);
    assert_int_equal(capy_consume(rig.os[0], qd, 5), CAPY_OK);
    rig_client_expect(&rig, c, "world!");
}

/* The other end as the client sees itself, here and after a move. */
static void the_peer_is_known_wherever_it_is_served(void **state)
{
    (void)state;
    struct capy_address peer;
    struct capy_stack_conn_info info;
    struct capy_ip ip = rig_client_ip();
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_stack_conn_info(rig.client, c, &info), CAPY_OK);
    for (unsigned server = 0; server < 2; server++) {
        memset(&peer, 0, sizeof peer);
        assert_int_equal(capy_peer(rig.os[server], qd, &peer), CAPY_OK);
        assert_memory_equal(peer.ip, ip.b, sizeof peer.ip);
        assert_int_equal(peer.port, info.local_port);
        if (server == 0) {
            assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
            assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_OK);
            rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
            assert_int_equal(capy_peer(rig.os[0], qd, &peer), CAPY_E_BADQD);
            qd = rig_expect(&rig, 1, CAPY_OP_ACCEPT).accepted;
        }
    }
    assert_int_equal(capy_peer(rig.os[1], rig.lqd[1], &peer), CAPY_E_BADQD);
}

/* Of a listening queue for its connections; they keep it when they move (capy/option.h). */
static void settings_are_inherited_and_move_along(void **state)
{
    (void)state;
    uint64_t value;
    int qd;
    struct capy *os = rig.os[0];
    assert_int_equal(capy_set_option(os, rig.lqd[0], CAPY_OPTION_KEEPALIVE, 1), CAPY_OK);
    assert_int_equal(capy_get_option(os, rig.lqd[0], CAPY_OPTION_KEEPALIVE, &value), CAPY_OK);
    assert_int_equal(value, 1);
    rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_set_option(os, qd, CAPY_OPTION_USER_TIMEOUT_NS, CAPY_SEC(9)), CAPY_OK);
    assert_int_equal(capy_set_option(os, qd, CAPY_OPTION_NAGLE, 7), CAPY_E_INVAL);
    assert_int_equal(capy_set_option(os, qd, CAPY_OPTION_TIMESTAMPS, 0), CAPY_E_STATE);
    assert_int_equal(capy_set_option(os, 12345, CAPY_OPTION_NAGLE, 1), CAPY_E_BADQD);
    assert_int_equal(capy_get_option(os, 12345, CAPY_OPTION_NAGLE, &value), CAPY_E_BADQD);
    assert_int_equal(capy_pop(os, qd, 0), CAPY_OK);
    assert_int_equal(capy_migrate(os, qd, "s2"), CAPY_OK);
    rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
    qd = rig_expect(&rig, 1, CAPY_OP_ACCEPT).accepted;
    assert_int_equal(capy_get_option(rig.os[1], qd, CAPY_OPTION_KEEPALIVE, &value), CAPY_OK);
    assert_int_equal(value, 1);
    assert_int_equal(capy_get_option(rig.os[1], qd, CAPY_OPTION_USER_TIMEOUT_NS, &value), CAPY_OK);
    assert_int_equal(value, CAPY_SEC(9));
}

/* What does not fill a segment waits for the rest. */
static void a_push_of_more_waits_for_it(void **state)
{
    (void)state;
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_push_more(rig.os[0], qd, "wor", 3), 3);
    rig_turns(&rig, 5);
    bool fin;
    assert_int_equal(capy_stack_readable(rig.client, c, &fin), 0);
    assert_int_equal(capy_push(rig.os[0], qd, "ld!", 3), 3);
    rig_client_expect(&rig, c, "world!");
}

static void a_pop_waits_for_more_than_it_was_shown(void **state)
{
    (void)state;
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    rig_client_send(&rig, c, "ab");
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    assert_int_equal(rig_expect(&rig, 0, CAPY_OP_POP).avail, 2);
    assert_int_equal(capy_pop(rig.os[0], qd, 2), CAPY_OK);
    rig_expect_none(&rig, 0);
    rig_client_send(&rig, c, "c");
    assert_int_equal(rig_expect(&rig, 0, CAPY_OP_POP).avail, 3);
}

static void the_end_of_the_stream_completes_a_pop(void **state)
{
    (void)state;
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    rig_client_send(&rig, c, "last");
    assert_int_equal(capy_stack_shutdown(rig.client, c, rig.now), CAPY_OK);
    assert_int_equal(capy_pop(rig.os[0], qd, 100), CAPY_OK);
    struct capy_done done = rig_expect(&rig, 0, CAPY_OP_POP);
    assert_int_equal(done.avail, 4);
    assert_true(done.fin);
    assert_int_equal(capy_consume(rig.os[0], qd, 4), CAPY_OK);
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    done = rig_expect(&rig, 0, CAPY_OP_POP);
    assert_int_equal(done.len, 0);
    assert_int_equal(capy_close(rig.os[0], qd), CAPY_OK);
    rig_expect_none(&rig, 0);
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_E_BADQD);
}

static void a_short_push_completes_when_there_is_room(void **state)
{
    (void)state;
    static const uint8_t much[2 * 1024 * 1024];
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    int64_t n = capy_push(rig.os[0], qd, much, sizeof much);
    assert_true(n > 0 && n < (int64_t)sizeof much);
    rig_turns(&rig, 100);
    uint32_t got;
    while (capy_stack_read_span(rig.client, c, 0, &got)) {
        assert_int_equal(capy_stack_consume(rig.client, c, got, rig.now), CAPY_OK);
        rig_turn(&rig);
    }
    struct capy_done done = rig_expect(&rig, 0, CAPY_OP_PUSH);
    assert_int_equal(done.qd, qd);
    assert_true(capy_push(rig.os[0], qd, much, 1) == 1);
}

static void a_reset_closes_the_queue_once_it_was_told(void **state)
{
    (void)state;
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    assert_int_equal(capy_stack_abort(rig.client, c, rig.now), CAPY_OK);
    struct capy_done done = rig_expect(&rig, 0, CAPY_OP_CLOSED);
    assert_int_equal(done.qd, qd);
    assert_int_equal(done.status, CAPY_E_RESET);
    assert_int_equal(capy_push(rig.os[0], qd, "x", 1), CAPY_E_BADQD);
    assert_int_equal(capy_close(rig.os[0], qd), CAPY_E_BADQD);
    rig_expect_none(&rig, 0);
}

static void an_abort_resets_the_peer(void **state)
{
    (void)state;
    int qd;
    (void)rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_abort(rig.os[0], qd), CAPY_OK);
    rig_turns(&rig, 20);
    assert_true(rig.client_events & CAPY_EV_RESET);
}

static void connections_wait_for_an_accept(void **state)
{
    (void)state;
    int first, second;
    capy_handle c;
    (void)rig_connect(&rig, 0, &first);
    (void)rig_connect(&rig, 0, &second); /* one accept is outstanding again */
    struct capy_ip ip;
    memcpy(ip.b, rig.rack.server[0].ip, sizeof ip.b);
    for (int i = 0; i < 3; i++)
        assert_int_equal(capy_stack_connect(rig.client, &ip, RIG_PORT, 0, 0, &c, rig.now), CAPY_OK);
    (void)rig_expect(&rig, 0, CAPY_OP_ACCEPT);
    rig_expect_none(&rig, 0);
    assert_int_equal(capy_accept(rig.os[0], rig.lqd[0]), CAPY_OK);
    assert_int_equal(capy_accept(rig.os[0], rig.lqd[0]), CAPY_OK);
    (void)rig_expect(&rig, 0, CAPY_OP_ACCEPT);
    (void)rig_expect(&rig, 0, CAPY_OP_ACCEPT);
}

/* An application that does not accept: an eighth of the table waits for it and no more; who comes
 * later gets in when it goes on. */
static void a_backlog_that_nobody_accepts_is_bounded(void **state)
{
    (void)state;
    int qd;
    capy_handle c;
    struct capy_ip ip;
    unsigned most = rig.rack.conn_max / CAPY_ACCEPT_SHARE, more = 4;
    (void)rig_connect(&rig, 0, &qd); /* takes the outstanding accept, and makes another */
    memcpy(ip.b, rig.rack.server[0].ip, sizeof ip.b);
    assert_int_equal(capy_stack_connect(rig.client, &ip, RIG_PORT, 0, 0, &c, rig.now), CAPY_OK);
    (void)rig_expect(&rig, 0, CAPY_OP_ACCEPT);
    for (unsigned i = 0; i < most + more; i++) {
        assert_int_equal(capy_stack_connect(rig.client, &ip, RIG_PORT, 0, 0, &c, rig.now), CAPY_OK);
        rig_turns(&rig, 5);
    }
    const struct capy_stack_counters *n = capy_stack_counters(rig.os[0]->stack);
    assert_int_equal(rig.os[0]->live_cnt, 2 + most);
    assert_int_equal(n->accept_full, more);
    assert_int_equal(n->syn_cookies_sent + n->no_slot, 0);
    for (unsigned i = 0; i < most + more; i++)
        assert_int_equal(capy_accept(rig.os[0], rig.lqd[0]), CAPY_OK);
    for (unsigned i = 0; i < most; i++)
        (void)rig_expect(&rig, 0, CAPY_OP_ACCEPT);
    rig.now += CAPY_SEC(1); /* the rest repeat their SYNs */
    for (unsigned i = 0; i < more; i++)
        (void)rig_expect(&rig, 0, CAPY_OP_ACCEPT);
    assert_int_equal(n->accept_full, more);
}

static void a_closed_listener_resets_whom_nobody_accepted(void **state)
{
    (void)state;
    int qd;
    (void)rig_connect(&rig, 0, &qd);
    struct capy_ip ip;
    memcpy(ip.b, rig.rack.server[0].ip, sizeof ip.b);
    capy_handle c;
    assert_int_equal(capy_stack_connect(rig.client, &ip, RIG_PORT, 0, 0, &c, rig.now), CAPY_OK);
    (void)rig_expect(&rig, 0, CAPY_OP_ACCEPT); /* takes the outstanding accept */
    assert_int_equal(capy_stack_connect(rig.client, &ip, RIG_PORT, 0, 0, &c, rig.now), CAPY_OK);
    rig_turns(&rig, 20);
    assert_int_equal(rig.os[0]->live_cnt, 3);
    assert_int_equal(capy_close(rig.os[0], rig.lqd[0]), CAPY_OK);
    assert_int_equal(rig.os[0]->live_cnt, 2);
    rig_turns(&rig, 20);
    assert_true(rig.client_events & CAPY_EV_RESET);
    assert_int_equal(capy_accept(rig.os[0], rig.lqd[0]), CAPY_E_BADQD);
}

static void numbers_of_ended_queues_name_nothing(void **state)
{
    (void)state;
    int old, young;
    (void)rig_connect(&rig, 0, &old);
    assert_int_equal(capy_abort(rig.os[0], old), CAPY_OK);
    (void)rig_connect(&rig, 0, &young);
    assert_int_not_equal(old, young);
    assert_int_equal(capy_push(rig.os[0], old, "x", 1), CAPY_E_BADQD);
    assert_int_equal(capy_pop(rig.os[0], -1, 0), CAPY_E_BADQD);
    assert_int_equal(capy_pop(rig.os[0], INT32_MAX, 0), CAPY_E_BADQD);
    assert_int_equal(capy_pop(rig.os[0], rig.lqd[0], 0), CAPY_E_BADQD);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    struct capy_done done;
    int qd;
    (void)rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_wait(rig.os[0], &done, 0, 0), CAPY_E_INVAL);
    assert_int_equal(capy_consume(rig.os[0], qd, 1), CAPY_E_INVAL);
    assert_int_equal(capy_listen(rig.os[0], RIG_PORT), CAPY_E_INUSE);
    assert_int_equal(capy_listen(rig.os[0], 0), CAPY_E_INVAL);
    assert_int_equal(capy_listen(rig.os[0], rig.rack.mig_port_first), CAPY_E_INVAL);
    assert_int_equal(capy_migrate(rig.os[0], qd, "nobody"), CAPY_E_INVAL);
    assert_int_equal(capy_release(rig.os[0], qd, NULL, 0), CAPY_E_STATE);
    assert_int_equal(capy_veto(rig.os[0], qd), CAPY_E_STATE);
}

static void listeners_run_out_by_name(void **state)
{
    (void)state;
    uint16_t port = 1000;
    for (unsigned i = 1; i < CAPY_LISTENER_MAX; i++)
        assert_true(capy_listen(rig.os[0], port++) >= 0);
    assert_int_equal(capy_listen(rig.os[0], port), CAPY_E_NOMEM);
}

static void a_full_table_refuses_and_recovers(void **state)
{
    (void)state;
    int qd[64];
    for (unsigned i = 0; i < rig.rack.conn_max; i++)
        (void)rig_connect(&rig, 0, &qd[i]);
    assert_int_equal(rig.os[0]->live_cnt, rig.rack.conn_max);
    for (unsigned i = 0; i < rig.rack.conn_max; i++)
        assert_int_equal(capy_abort(rig.os[0], qd[i]), CAPY_OK);
    assert_int_equal(rig.os[0]->live_cnt, 0);
    assert_int_equal(rig.os[0]->load.in_hand, 0);
    (void)rig_connect(&rig, 0, &qd[0]);
}

static void an_unknown_server_is_told_with_the_known(void **state)
{
    (void)state;
    struct capy_drv *a, *b;
    char err[256];
    assert_int_equal(capy_drv_link_pair(16, &a, &b), CAPY_OK);
    assert_null(capy_open_with(a, &rig.rack, "s9", NULL, NULL, err, sizeof err));
    assert_string_equal(err, "no server \"s9\" in the rack; known are s1, s2");
    b->ops->close(b);
}

/* A server that stood still: its timer is due, and the ACK it waits for lies behind a burst. */
static void frames_that_wait_are_heard_before_timers(void **state)
{
    (void)state;
    int qd;
    struct capy_frame junk;
    struct capy_drv *wire = rig.wire[0];
    capy_handle c = rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_push(rig.os[0], qd, "hello", 5), 5);
    rig_turn(&rig);
    for (unsigned i = 0; i < CAPY_DRV_BURST + 6u; i++) {
        assert_int_equal(wire->ops->reserve(wire, &junk, 1), 1);
        junk.len = 60;
        memset(junk.data, 0xff, junk.len);
        wire->ops->submit(wire, &junk, 1);
    }
    wire->ops->flush(wire);
    rig.now += CAPY_SEC(2);
    rig_turns(&rig, 10);
    assert_int_equal(capy_stack_counters(rig.os[0]->stack)->tcp.retrans_segs, 0);
    rig_client_expect(&rig, c, "hello");
}

int main(void)
{
#define IN_RIG(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)
    const struct CMUnitTest tests[] = {
        IN_RIG(a_request_is_answered),
        IN_RIG(the_peer_is_known_wherever_it_is_served),
        IN_RIG(settings_are_inherited_and_move_along),
        IN_RIG(a_push_of_more_waits_for_it),
        IN_RIG(a_pop_waits_for_more_than_it_was_shown),
        IN_RIG(the_end_of_the_stream_completes_a_pop),
        IN_RIG(a_short_push_completes_when_there_is_room),
        IN_RIG(a_reset_closes_the_queue_once_it_was_told),
        IN_RIG(an_abort_resets_the_peer),
        IN_RIG(connections_wait_for_an_accept),
        IN_RIG(a_backlog_that_nobody_accepts_is_bounded),
        IN_RIG(a_closed_listener_resets_whom_nobody_accepted),
        IN_RIG(numbers_of_ended_queues_name_nothing),
        IN_RIG(wrong_arguments_are_refused),
        IN_RIG(frames_that_wait_are_heard_before_timers),
        IN_RIG(listeners_run_out_by_name),
        IN_RIG(a_full_table_refuses_and_recovers),
        IN_RIG(an_unknown_server_is_told_with_the_known),
    };
    int failed = cmocka_run_group_tests_name("IPv4", tests, NULL, NULL);
    rig_kind = RIG_BESIDE;
    failed += cmocka_run_group_tests_name("IPv6 beside IPv4", tests, NULL, NULL);
    rig_kind = RIG_IPV6_ONLY;
    return failed + cmocka_run_group_tests_name("IPv6 alone", tests, NULL, NULL);
}
