/* Named states of a connection, each brought about by a script and checked to
 * be what its name says. Header only; for one test program. */
#ifndef TESTS_UNIT_TCP_STATES_H
#define TESTS_UNIT_TCP_STATES_H

#include "states_sending.h"

#include "tcp/path.h"

/* ---- full queues, and what lies beyond holes ---- */

static void full_queues(struct end *e)
{
    start(e, FULL);
    put(e, 40000);
    drain(e);
    for (uint32_t i = 0; i < 20; i++)
        in(e, data_in(1 + i * 500, 500, 1));
}

/* The SYN-ACK was lost and no round trip is known yet. */
static void after_a_lost_syn(struct end *e)
{
    end_init(e, 256);
    const struct capy_tcp_segment syn = {.seq = {PEER_ISS},
                                         .window = 60000,
                                         .flags = S,
                                         .opts = CAPY_TCP_OPT_MSS | CAPY_TCP_OPT_SACK_OK |
                                                 CAPY_TCP_OPT_WSCALE,
                                         .wscale = 3,
                                         .mss = MSS};
    capy_tcp_open_passive(&e->tcb, &e->env, &syn, (struct capy_seq){OUR_ISS}, 0);
    drain(e);
    pass(e, CAPY_SEC(2));
    drain(e);
    in(e, (struct in){.flags = A, .seq = 1, .ack = 1, .win = 60000});
    put(e, 3000);
    drain(e);
}

static bool began_slowly(const struct end *e)
{
    return e->tcb.syn_again && e->tcb.snd.wscale == 3 && e->tcb.rtt.srtt_ns == 0;
}

static bool are_full(const struct end *e)
{
    return capy_tcp_unacked(&e->tcb) == 40000 && capy_tcp_readable(&e->tcb) == 10000 &&
           e->tcb.snd.nxt < e->tcb.snd.end;
}

static void holes(struct end *e)
{
    start(e, FULL);
    for (uint32_t i = 0; i < 3; i++)
        in(e, data_in(501 + i * 1000, 500, 1));
}

static bool has_holes(const struct end *e)
{
    return marks(e)->ooo.cnt == 3 && e->tcb.ack_now && e->tcb.rcv.ooo == 1500;
}

static void fin_beyond_a_hole(struct end *e)
{
    start(e, FULL);
    in(e, (struct in){.flags = A | F, .seq = 501, .ack = 1, .win = 60000, .len = 500});
}

static bool has_fin_beyond(const struct end *e)
{
    return e->tcb.rcv.fin_seen && e->tcb.rcv.ooo == 500 && e->tcb.state == CAPY_TCP_ESTABLISHED;
}

static void duplicate_to_report(struct end *e)
{
    start(e, FULL);
    in(e, data_in(1, 500, 1));
    drain(e);
    in(e, data_in(1, 500, 1));
}

static bool has_duplicate(const struct end *e)
{
    return marks(e)->dup.right != 0;
}

/* ---- windows ---- */

static void their_window_closed(struct end *e)
{
    start(e, FULL);
    put(e, 5000);
    out(e, A, 1, 1, MSS - 12);
    in(e, (struct in){.flags = A, .seq = 1, .ack = MSS - 11, .win = 0});
    for (uint32_t i = 0; i < 2; i++) {
        pass(e, CAPY_SEC(100));
        drain(e);
    }
}

static bool persists(const struct end *e)
{
    return e->tcb.timer == CAPY_TCP_TIMER_PERSIST && e->tcb.backoff == 2 && e->tcb.snd.wnd == 0;
}

static void silly_window(struct end *e)
{
    start(e, FULL);
    put(e, 5000);
    drain(e);
    in(e, (struct in){.flags = A, .seq = 1, .ack = 5001, .win = 300});
    put(e, 900);
}

static bool overrides(const struct end *e)
{
    return e->tcb.timer == CAPY_TCP_TIMER_PERSIST && e->tcb.snd.wnd > 0;
}

static void our_window_closed(struct end *e)
{
    start(e, FULL);
    set(e, CAPY_OPTION_RECEIVE_BUFFER, 4000);
    uint32_t seq = 1;
    while (capy_tcp_rcv_edge(&e->tcb) > e->tcb.rcv.nxt) {
        uint32_t room = (uint32_t)(capy_tcp_rcv_edge(&e->tcb) - e->tcb.rcv.nxt);
        in(e, data_in(seq, capy_min32(room, MSS), 1));
        seq += capy_min32(room, MSS);
        drain(e);
    }
    pass(e, CAPY_MS(50)); /* the last one's ACK was delayed */
    drain(e);
}

static bool offers_nothing(const struct end *e)
{
    return e->last.window == 0 && capy_tcp_rcv_edge(&e->tcb) == e->tcb.rcv.nxt;
}

static void growing_window(struct end *e)
{
    end_init(e, 256);
    e->cfg.rcv_buf_start = 16u << 10;
    establish(e, FULL, 60000);
    for (uint32_t i = 0; i < 6; i++)
        in(e, data_in(1 + i * 900, 900, 1));
    end_consume(e, 5000);
    pass(e, CAPY_MS(20));
    in(e, data_in(5401, 900, 1));
    end_consume(e, 1000); /* a round has begun behind what was read */
}

static bool grows(const struct end *e)
{
    return e->tcb.rcv.buf_kib != 0;
}

static void delayed_ack(struct end *e)
{
    start(e, FULL);
    in(e, data_in(1, 100, 1));
    pass(e, CAPY_MS(13));
}

static bool delays_ack(const struct end *e)
{
    return e->tcb.delack_at > e->env.now && e->tcb.delack_at != CAPY_NEVER && !e->tcb.ack_now;
}

/* ---- closing ---- */

static void close_ours(struct end *e)
{
    start(e, FULL);
    put(e, 3000);
    end_shutdown(e);
    drain(e);
}

static bool is_fin_wait_1(const struct end *e)
{
    return e->tcb.state == CAPY_TCP_FIN_WAIT_1;
}

static void fin_wait_2(struct end *e)
{
    close_ours(e);
    in(e, ack_of(3002));
}

static bool is_fin_wait_2(const struct end *e)
{
    return e->tcb.state == CAPY_TCP_FIN_WAIT_2;
}

static void fin_wait_2_alone(struct end *e)
{
    fin_wait_2(e);
    capy_tcp_close(&e->tcb, &e->env);
}

static bool is_alone(const struct end *e)
{
    return e->tcb.timer == CAPY_TCP_TIMER_FIN_WAIT_2;
}

static void their_fin(struct end *e, uint32_t seq, uint32_t ack)
{
    in(e, (struct in){.flags = A | F, .seq = seq, .ack = ack, .win = 60000});
}

static void close_wait(struct end *e)
{
    start(e, FULL);
    put(e, 20000);
    drain(e);
    in(e, data_in(1, 700, 1));
    their_fin(e, 701, 1);
}

static bool is_close_wait(const struct end *e)
{
    return e->tcb.state == CAPY_TCP_CLOSE_WAIT && capy_tcp_readable(&e->tcb) == 700;
}

static void closing(struct end *e)
{
    close_ours(e);
    their_fin(e, 1, 2001);
}

static bool is_closing(const struct end *e)
{
    return e->tcb.state == CAPY_TCP_CLOSING;
}

static void last_ack(struct end *e)
{
    start(e, FULL);
    put(e, 2500);
    their_fin(e, 1, 1);
    end_shutdown(e);
    drain(e);
}

static bool is_last_ack(const struct end *e)
{
    return e->tcb.state == CAPY_TCP_LAST_ACK;
}

static void time_wait(struct end *e)
{
    fin_wait_2(e);
    their_fin(e, 1, 3002);
    pass(e, CAPY_SEC(1));
}

static bool is_time_wait(const struct end *e)
{
    return e->tcb.state == CAPY_TCP_TIME_WAIT && e->tcb.timer == CAPY_TCP_TIMER_END;
}

static void reset_owed(struct end *e)
{
    start(e, FULL);
    put(e, 100);
    capy_tcp_close(&e->tcb, &e->env);
    drain(e);
    in(e, data_in(1, 10, 1));
}

static bool owes_reset(const struct end *e)
{
    return e->tcb.probe == CAPY_TCP_PROBE_RESET;
}

/* ---- patience and the path ---- */

static void keepalive(struct end *e)
{
    start(e, FULL);
    set(e, CAPY_OPTION_KEEP_IDLE_NS, CAPY_SEC(10));
    set(e, CAPY_OPTION_KEEP_INTERVAL_NS, CAPY_SEC(3));
    set(e, CAPY_OPTION_KEEPALIVE, 1);
    pass(e, CAPY_SEC(10));
    drain(e);
    pass(e, CAPY_SEC(1));
}

static bool asks(const struct end *e)
{
    return e->tcb.timer == CAPY_TCP_TIMER_KEEPALIVE && e->tcb.keep_sent == 1;
}

static void user_timeout(struct end *e)
{
    start(e, FULL);
    set(e, CAPY_OPTION_USER_TIMEOUT_NS, CAPY_SEC(5));
    put(e, 1000);
    drain(e);
    pass(e, CAPY_MS(100));
}

static bool is_impatient(const struct end *e)
{
    return e->tcb.give_up_at - e->env.now < CAPY_SEC(5);
}

/* Every setting another one than by default. */
static void corked(struct end *e)
{
    start(e, FULL);
    set(e, CAPY_OPTION_CORK, 1);
    set(e, CAPY_OPTION_NAGLE, 1);
    set(e, CAPY_OPTION_CONGESTION, CAPY_TCP_NEWRENO);
    set(e, CAPY_OPTION_SEND_BUFFER, 30000);
    set(e, CAPY_OPTION_KEEP_COUNT, 5);
    set(e, CAPY_OPTION_DELAYED_ACK_NS, CAPY_MS(11));
    put(e, 300);
    quiet(e);
}

static void more_to_come(struct end *e)
{
    start(e, WITH_SACK);
    const uint8_t bytes[300] = {0};
    assert_int_equal(capy_tcp_write_more(&e->tcb, &e->env, bytes, sizeof bytes), sizeof bytes);
    quiet(e);
}

static bool expects_more(const struct end *e)
{
    return e->tcb.more && e->tcb.snd.nxt < e->tcb.snd.end;
}

static bool is_corked(const struct end *e)
{
    return e->tcb.tune.cork && e->tcb.snd.nxt < e->tcb.snd.end;
}

static void challenged(struct end *e)
{
    start(e, FULL);
    in(e, (struct in){.flags = A | S, .seq = 500, .ack = 1, .win = 60000});
    out(e, A, 1, 1, 0);
    pass(e, CAPY_MS(100));
}

static bool has_challenged(const struct end *e)
{
    return e->count.challenge_acks == 1;
}

static void icmp(struct end *e, enum capy_icmp_advice advice, uint32_t mss)
{
    const struct capy_icmp_error err = {.advice = advice,
                                        .seq = {OUR_ISS + (uint32_t)e->tcb.snd.una}};
    (void)capy_tcp_icmp(&e->tcb, &e->env, &err, mss, NULL);
}

static void shrunk(struct end *e)
{
    start(e, FULL);
    put(e, 6000);
    drain(e);
    icmp(e, CAPY_ICMP_TOO_BIG, 600);
    assert_true(next_segment(e));
    icmp(e, CAPY_ICMP_SOFT, 0);
}

static bool is_shrunk(const struct end *e)
{
    return e->tcb.shrunk && e->tcb.unreachable && e->tcb.snd.mss == 588 &&
           e->tcb.phase == CAPY_TCP_LOSS;
}

/* A size that the path is suspected to drop: every other state of the search is
 * behind it. */
static void probing_the_path(struct end *e)
{
    end_init(e, 256);
    e->cfg.suspect_timeouts = 2;
    establish(e, FULL, 60000);
    put(e, 6000);
    drain(e);
    for (uint32_t i = 0; i < 5 && !e->tcb.shrunk; i++) {
        pass(e, CAPY_SEC(100));
        drain(e);
    }
    in(e, ack_of(6001));
    pass(e, CAPY_SEC(61));
    put(e, 3000);
    drain(e); /* the whole size is tried again */
}

static bool probes_the_path(const struct end *e)
{
    return e->tcb.tries == 1 && e->count.path_suspected > 0;
}

static const struct state {
    const char *name;
    void (*bring)(struct end *e);
    bool (*is)(const struct end *e);
} states[] = {
    {"ESTABLISHED, full queues", full_queues, are_full},
    {"ESTABLISHED behind a lost SYN-ACK", after_a_lost_syn, began_slowly},
    {"data out of order", holes, has_holes},
    {"a FIN beyond a hole", fin_beyond_a_hole, has_fin_beyond},
    {"a duplicate to report", duplicate_to_report, has_duplicate},
    {"SACK scoreboard, RACK waits for reordering", scoreboard, waits_for_reordering},
    {"in recovery, proportional reduction, undo open", recovery, is_in_recovery},
    {"in recovery without SACK", recovery_without_sack, is_newreno},
    {"tail loss probe pending", tail_probe_waits, waits_to_probe},
    {"tail loss probe sent", tail_probe_sent, has_probed},
    {"retransmission timer backed off", backed_off, has_backed_off},
    {"F-RTO", frto, is_frto},
    {"undo still possible after recovery", undo_late, may_be_undone},
    {"one of two retransmissions reported needless", half_told, is_half_told},
    {"reordering window widened by DSACK", widened, has_widened},
    {"a round trip being timed", timed, is_timed},
    {"zero window of the peer, persist backed off", their_window_closed, persists},
    {"a window too small to use", silly_window, overrides},
    {"zero window of ours", our_window_closed, offers_nothing},
    {"receive window growing", growing_window, grows},
    {"delayed ACK pending", delayed_ack, delays_ack},
    {"FIN_WAIT_1", close_ours, is_fin_wait_1},
    {"FIN_WAIT_2", fin_wait_2, is_fin_wait_2},
    {"FIN_WAIT_2, application gone", fin_wait_2_alone, is_alone},
    {"CLOSE_WAIT, full queues", close_wait, is_close_wait},
    {"CLOSING", closing, is_closing},
    {"LAST_ACK", last_ack, is_last_ack},
    {"TIME_WAIT", time_wait, is_time_wait},
    {"RST owed", reset_owed, owes_reset},
    {"keep-alive, one probe unanswered", keepalive, asks},
    {"user timeout running", user_timeout, is_impatient},
    {"corked bytes", corked, is_corked},
    {"more to come, as the application said", more_to_come, expects_more},
    {"challenge ACKs limited", challenged, has_challenged},
    {"segments made smaller by a router's word", shrunk, is_shrunk},
    {"path MTU probe", probing_the_path, probes_the_path},
    {"HyStart++, conservative slow start", hystart_css, is_css},
    {"HyStart++, a conservative round is over", hystart_css_round, is_css_round},
    {"CUBIC on its curve", cubic_curve, is_on_its_curve},
    {"CUBIC, the window not in use", cubic_paused, is_paused},
    {"DCTCP in the middle of a window", dctcp_window, is_mid_window},
    {"DCTCP, part of a window marked", dctcp_marked, has_marks_in_window},
    {"DCTCP, a change of marks to tell", dctcp_echo, echoes_a_change},
    {"CWR and ECE owed", ecn_both_ways, owes_cwr_and_ece},
    {"paced, a quantum waits", paced, is_paced_out},
};

#endif
