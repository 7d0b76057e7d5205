/* Named states of a sender: in and after loss, and in congestion control
 * (states.h). */
#ifndef TESTS_UNIT_TCP_STATES_SENDING_H
#define TESTS_UNIT_TCP_STATES_SENDING_H

#include "flight.h"

#include "tcp/position.h"
#include "tcp/tuning.h"

#undef AT
#define AT(i) (1 + len_(e) + (i)*len_(e)) /* where segment i of fly begins */

#define FULL (WITH_SACK | WITH_TS | WITH_WSCALE)

static void set(struct end *e, enum capy_option option, uint64_t value)
{
    assert_int_equal(capy_tcp_set(&e->tcb, &e->env, option, value), CAPY_OK);
}

static void start(struct end *e, uint32_t with)
{
    end_init(e, 256);
    establish(e, with, 60000);
}

static void drain(struct end *e)
{
    while (next_segment(e))
        ;
    if (e->tcb.ts_ok)
        e->in_ecr = e->last.ts_val;
}

static const struct capy_tcp_marks *marks(const struct end *e)
{
    return capy_tcp_marks(&e->tcb, &e->env);
}

static struct in data_in(uint32_t seq, uint32_t len, uint32_t ack)
{
    return (struct in){.flags = A, .seq = seq, .ack = ack, .win = 60000, .len = len};
}

/* ---- loss ---- */

static void scoreboard(struct end *e)
{
    fly(e, FULL, 10, 3);
    e->tcb.reordering = true; /* three SACKs prove nothing yet */
    in(e, (struct in){
              .flags = A,
              .seq = 1,
              .ack = AT(0),
              .win = 60000,
              .sack = {{1 + len_(e) * 2, 1 + len_(e) * 3}, {1 + len_(e) * 5, 1 + len_(e) * 7}}});
}

static bool waits_for_reordering(const struct end *e)
{
    return marks(e)->sacked.cnt == 2 && e->tcb.timer == CAPY_TCP_TIMER_REORDER &&
           e->tcb.phase == CAPY_TCP_OPEN;
}

static void recovery(struct end *e)
{
    fly(e, FULL, 10, 5);
    lose_first(e);
}

static bool is_in_recovery(const struct end *e)
{
    return e->tcb.phase == CAPY_TCP_RECOVERY && marks(e)->sacked.cnt > 0 &&
           marks(e)->episode.prr.flight > 0 && marks(e)->episode.doubt == CAPY_TCP_DOUBT_ACK;
}

static void recovery_without_sack(struct end *e)
{
    fly(e, 0, 10, 5);
    pass(e, RTT);
    for (uint32_t i = 0; i < 4; i++)
        in(e, ack_of(AT(0)));
}

static bool is_newreno(const struct end *e)
{
    return e->tcb.phase == CAPY_TCP_RECOVERY && e->tcb.snd.dup_acks >= 3 && e->tcb.snd.sacked > 0 &&
           e->tcb.probe == CAPY_TCP_PROBE_RETRANS;
}

static void tail_probe_waits(struct end *e)
{
    fly(e, FULL, 4, 0);
}

static bool waits_to_probe(const struct end *e)
{
    return e->tcb.timer == CAPY_TCP_TIMER_TLP;
}

static void tail_probe_sent(struct end *e)
{
    fly(e, FULL, 4, 0);
    pass(e, CAPY_SEC(10));
    assert_true(next_segment(e));
}

static bool has_probed(const struct end *e)
{
    return e->tcb.snd.tlp_end != 0 && e->tcb.tlp_again && e->tcb.timer == CAPY_TCP_TIMER_RTO;
}

static void backed_off(struct end *e)
{
    fly(e, FULL, 6, 2);
    timeout(e);
    pass(e, CAPY_SEC(10));
    drain(e);
}

static bool has_backed_off(const struct end *e)
{
    return e->tcb.backoff == 2 && e->tcb.phase == CAPY_TCP_LOSS &&
           e->tcb.timer == CAPY_TCP_TIMER_RTO;
}

static void frto(struct end *e)
{
    fly(e, WITH_SACK, 6, 6);
    e->tcb.snd.wnd = 6 * len_(e); /* a tail probe would be new data */
    timeout(e);
    in(e, ack_of(AT(1)));
}

static bool is_frto(const struct end *e)
{
    return e->tcb.phase == CAPY_TCP_FRTO;
}

static void undo_late(struct end *e)
{
    fly(e, WITH_SACK, 8, 4);
    lose_first(e);
    pass(e, RTT);
    in(e, ack_of(AT(8)));
}

static bool may_be_undone(const struct end *e)
{
    return e->tcb.phase == CAPY_TCP_OPEN && marks(e)->episode.doubt == CAPY_TCP_DOUBT_LATE;
}

static void widened(struct end *e)
{
    fly(e, WITH_SACK, 8, 8);
    lose_first(e);
    pass(e, RTT);
    in(e, sack_of(AT(5), AT(0), AT(1)));
    drain(e);
}

static bool has_widened(const struct end *e)
{
    return e->tcb.reo_mult > 0 && e->tcb.reo_persist > 0;
}

/* Two went again; one of them came twice. */
static void half_told(struct end *e)
{
    fly(e, WITH_SACK, 8, 0);
    pass(e, RTT);
    struct in s = sack_of(AT(0), AT(1), AT(2));
    s.sack[1].left = AT(3);
    s.sack[1].right = AT(6);
    in(e, s);
    segment(e, 0);
    e->tcb.cc.cwnd = 20 * len_(e);
    segment(e, 2);
    pass(e, RTT / 2);
    s = sack_of(AT(2), AT(0), AT(1));
    s.sack[1].left = AT(3);
    s.sack[1].right = AT(6);
    in(e, s);
}

static bool is_half_told(const struct end *e)
{
    return marks(e)->episode.told_left != 0 && marks(e)->episode.doubt == CAPY_TCP_DOUBT_DSACK;
}

static void timed(struct end *e)
{
    start(e, FULL);
    put(e, 3000);
    drain(e);
    pass(e, CAPY_US(700));
}

static bool is_timed(const struct end *e)
{
    return e->tcb.rtt.timed_pos != 0 && e->tcb.rtt.timed_at != e->env.now;
}

/* ---- congestion control ---- */

static void hystart_css(struct end *e)
{
    start(e, FULL);
    put(e, 60000);
    uint32_t una = 1;
    for (uint32_t round = 0; round < 2; round++) {
        uint32_t cnt = 0;
        while (next_segment(e))
            cnt++;
        e->in_ecr = e->last.ts_val;
        end_set_now(e, e->env.now + CAPY_MS(round == 0 ? 20 : 40));
        for (uint32_t i = 0; i < cnt && i < 10; i++)
            in(e, ack_of(una += len_(e)));
    }
}

static bool is_css(const struct end *e)
{
    return e->tcb.cc.ssthresh == CAPY_TCP_CWND_MAX && e->tcb.cc.hystart.base_ns != UINT32_MAX;
}

static void hystart_css_round(struct end *e)
{
    hystart_css(e);
    drain(e);
    in(e, ack_of((uint32_t)e->tcb.snd.nxt)); /* all of it: a round is over */
}

static bool is_css_round(const struct end *e)
{
    return is_css(e) && e->tcb.cc.hystart.css_rounds > 0;
}

static void cubic_curve(struct end *e)
{
    recovery(e);
    pass(e, RTT);
    in(e, ack_of(AT(10)));
    drain(e);
    for (uint32_t i = 11; i < 14; i++) {
        pass(e, RTT);
        in(e, ack_of(AT(i)));
        drain(e);
    }
}

static bool is_on_its_curve(const struct end *e)
{
    return e->tcb.phase == CAPY_TCP_OPEN && e->tcb.cc.cwnd >= e->tcb.cc.ssthresh &&
           e->tcb.cc.cubic.epoch_at != CAPY_NEVER && e->tcb.cc.cubic.w_max > 0;
}

/* The application has little to send for a while. */
static void cubic_paused(struct end *e)
{
    cubic_curve(e);
    while (e->tcb.snd.una < e->tcb.snd.end) {
        pass(e, RTT);
        in(e, ack_of((uint32_t)e->tcb.snd.nxt));
        drain(e);
    }
    for (uint32_t i = 0; i < 4 && !e->tcb.cc.cubic.paused; i++) {
        put(e, 100);
        drain(e);
        pass(e, RTT);
        in(e, ack_of((uint32_t)e->tcb.snd.nxt));
    }
    pass(e, RTT);
}

static bool is_paused(const struct end *e)
{
    return e->tcb.cc.cubic.paused && e->tcb.cc.cubic.epoch_at > 0;
}

static void establish_with(struct end *e, enum capy_tcp_congestion algorithm)
{
    end_init(e, 256);
    e->cfg.congestion = (uint8_t)algorithm;
    establish(e, FULL | WITH_ECN, 60000);
}

static void dctcp_window(struct end *e)
{
    establish_with(e, CAPY_TCP_DCTCP);
    put(e, 20000);
    drain(e);
    pass(e, CAPY_MS(1));
    struct in mark = ack_of(1 + len_(e));
    mark.flags |= E;
    in(e, mark);
    in(e, ack_of(1 + 2 * len_(e)));
    drain(e);
    in(e, ack_of(1 + 3 * len_(e)));
}

static bool is_mid_window(const struct end *e)
{
    const struct capy_tcp_dctcp *d = &e->tcb.cc.dctcp;
    return e->tcb.congestion == CAPY_TCP_DCTCP && d->bytes_acked > 0 && d->alpha > 0 &&
           d->window_end > e->tcb.snd.una;
}

static void dctcp_marked(struct end *e)
{
    dctcp_window(e);
    struct in mark = ack_of(1 + 4 * len_(e));
    mark.flags |= E;
    in(e, mark);
}

static bool has_marks_in_window(const struct end *e)
{
    return is_mid_window(e) && e->tcb.cc.dctcp.bytes_marked > 0;
}

static void dctcp_echo(struct end *e)
{
    establish_with(e, CAPY_TCP_DCTCP);
    in(e, data_in(1, 100, 1));
    struct in ce = data_in(101, 100, 1);
    ce.ecn = CE;
    in(e, ce);
}

static bool echoes_a_change(const struct end *e)
{
    return e->tcb.ce && e->tcb.ce_changed;
}

static void ecn_both_ways(struct end *e)
{
    establish_with(e, CAPY_TCP_CUBIC);
    put(e, 20000);
    drain(e);
    pass(e, CAPY_MS(5));
    struct in both = data_in(1, 100, 1 + len_(e));
    both.flags |= E;
    both.ecn = CE;
    in(e, both);
}

static bool owes_cwr_and_ece(const struct end *e)
{
    return e->tcb.cwr && e->tcb.ce && e->tcb.snd.recover > e->tcb.snd.una;
}

static void paced(struct end *e)
{
    start(e, FULL);
    set(e, CAPY_OPTION_MAX_PACING_RATE, 1000000);
    put(e, 10000);
    drain(e);
    end_set_now(e, e->env.now + CAPY_US(300));
}

static bool is_paced_out(const struct end *e)
{
    return e->tcb.paced_out && capy_tcp_next_at(&e->tcb) < e->env.now + CAPY_MS(3);
}

#endif
