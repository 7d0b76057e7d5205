/* The rules between the fields of a snapshot's head: a sound one passes, and one field changed
 * against each rule makes it refused. */
#include "harness.h"

#include "tcp/congestion.h"
#include "tcp/position.h"
#include "tcp/snapshot_head.h"
#include "tcp/tuning.h"

/* A connection with data in flight, a hole at the receiver and one at the sender. */
struct sound {
    struct end e;
    struct capy_tcp tcb;
    struct capy_tcp_marks marks;
    struct capy_snap_meta meta;
};

static void make_sound(struct sound *s)
{
    end_init(&s->e, 64);
    establish(&s->e, WITH_SACK | WITH_TS, 60000);
    put(&s->e, 5000);
    while (next_segment(&s->e))
        ;
    in(&s->e, (struct in){.flags = A, .seq = 1, .ack = 1, .win = 60000, .sack = {{1001, 2001}}});
    in(&s->e, (struct in){.flags = A, .seq = 1, .ack = 1, .win = 60000, .len = 50});
    in(&s->e, (struct in){.flags = A, .seq = 101, .ack = 1, .win = 60000, .len = 50});
    s->tcb = s->e.tcb;
    s->marks = *capy_tcp_marks(&s->e.tcb, &s->e.env);
    s->meta = (struct capy_snap_meta){0};
    s->tcb.challenge_ms = (uint32_t)(s->e.env.now / CAPY_MS(1));
    assert_true(capy_snap_head_ok(&s->tcb, &s->e.env, &s->marks, &s->meta));
}

#define REFUSED(change)                                                                            \
    do {                                                                                           \
        struct sound was = s;                                                                      \
        change;                                                                                    \
        if (capy_snap_head_ok(&s.tcb, &s.e.env, &s.marks, &s.meta))                                \
            fail_msg("accepted: %s", #change);                                                     \
        s = was;                                                                                   \
    } while (0)

static void fin_at(struct capy_tcp *tcb, uint64_t pos)
{
    tcb->rcv.fin_seen = true;
    tcb->rcv.fin = capy_tcp_near(pos);
}

static void test_states_and_enumerations(void **state)
{
    (void)state;
    static struct sound s;
    make_sound(&s);
    for (uint32_t i = 0; i < 256; i++)
        if (i != CAPY_TCP_ESTABLISHED)
            REFUSED(s.tcb.state = (uint8_t)i);
    REFUSED(s.tcb.fin_queued = true);
    REFUSED(fin_at(&s.tcb, s.tcb.rcv.nxt - 1));
    REFUSED(s.tcb.phase = CAPY_TCP_LOSS + 1);
    REFUSED(s.tcb.probe = CAPY_TCP_PROBE_RESET + 1);
    REFUSED(s.tcb.probe = CAPY_TCP_PROBE_RESET); /* an application still lives */
    REFUSED(s.tcb.congestion = CAPY_TCP_CONGESTION_CNT);
    REFUSED(s.meta.app_len = CAPY_APP_STATE_MAX + 1);
    end_done(&s.e);
}

static void test_another_version(void **state)
{
    (void)state;
    static struct sound s;
    static struct capy_tcp_marks marks;
    uint8_t bytes[CAPY_SNAP_HEAD_MAX];
    make_sound(&s);
    for (uint32_t version = 0; version < 256; version++) {
        struct capy_codec c = {.p = bytes, .max = sizeof bytes, .now = s.e.env.now};
        (void)capy_snap_head_walk(&c, &s.tcb, &s.e.env, &s.marks, &s.meta);
        assert_false(c.bad);
        bytes[0] = (uint8_t)version;
        c = (struct capy_codec){
            .p = bytes, .max = sizeof bytes, .decoding = true, .now = s.e.env.now};
        struct capy_tcp tcb = {0};
        (void)capy_snap_head_walk(&c, &tcb, &s.e.env, &marks, &s.meta);
        assert_int_equal(c.bad, version != CAPY_SNAP_VERSION);
    }
    end_done(&s.e);
}

static uint32_t encode(const struct capy_tcp *tcb, const struct sound *s,
                       const struct capy_snap_meta *meta, uint8_t bytes[CAPY_SNAP_HEAD_MAX])
{
    struct capy_codec c = {.p = bytes, .max = CAPY_SNAP_HEAD_MAX, .now = s->e.env.now};
    struct capy_tcp copy = *tcb;
    struct capy_snap_meta m = *meta;
    (void)capy_snap_head_walk(&c, &copy, &s->e.env, NULL, &m);
    return c.at;
}

static bool decodes(const struct sound *s, uint8_t *bytes, uint32_t len)
{
    static struct capy_tcp_marks marks;
    struct capy_codec c = {.p = bytes, .max = len, .decoding = true, .now = s->e.env.now};
    struct capy_tcp tcb = {0};
    struct capy_snap_meta meta;
    (void)capy_snap_head_walk(&c, &tcb, &s->e.env, &marks, &meta);
    return !c.bad && c.at == len;
}

/* What is usual is left out. Two values that are not differ in one byte; with the usual one there, one
 * connection would have two encodings. */
#define USUAL_IS_LEFT_OUT(field, usual, one, other, is)                                            \
    do {                                                                                           \
        struct capy_tcp tcb = rests;                                                               \
        struct capy_snap_meta meta = {0};                                                          \
        uint8_t a[CAPY_SNAP_HEAD_MAX], b[CAPY_SNAP_HEAD_MAX];                                      \
        uint32_t len, at = 0;                                                                      \
        (field) = (one);                                                                           \
        len = encode(&tcb, &s, &meta, a);                                                          \
        assert_true(len > short_len);                                                              \
        (field) = (other);                                                                         \
        assert_int_equal(encode(&tcb, &s, &meta, b), len);                                         \
        while (at < len && a[at] == b[at])                                                         \
            at++;                                                                                  \
        assert_true(at < len && decodes(&s, a, len) && decodes(&s, b, len));                       \
        a[at] = (is);                                                                              \
        assert_false(decodes(&s, a, len));                                                         \
        (field) = (usual);                                                                         \
        assert_int_equal(encode(&tcb, &s, &meta, a), short_len);                                   \
        assert_true(decodes(&s, a, short_len));                                                    \
    } while (0)

static void test_what_is_usual_is_left_out(void **state)
{
    (void)state;
    static struct sound s;
    uint8_t bytes[CAPY_SNAP_HEAD_MAX];
    const struct capy_snap_meta none = {0};
    end_init(&s.e, 64);
    establish(&s.e, WITH_SACK | WITH_TS, 60000);
    struct capy_tcp rests = s.e.tcb;
    struct capy_tcp_cfg cfg;
    uint16_t mss = rests.tune.mss_max;
    uint32_t now_ms = (uint32_t)(s.e.env.now / CAPY_MS(1));
    capy_tcp_cfg_default(&cfg);
    capy_tcp_tuning_default(&rests.tune, &cfg); /* what is usual is what nobody configured */
    rests.tune.mss_max = mss;
    uint32_t short_len = encode(&rests, &s, &none, bytes);
    assert_true(short_len <= 144 && decodes(&s, bytes, short_len));
    USUAL_IS_LEFT_OUT(tcb.snd.dup_acks, 0, 1, 2, 0);
    USUAL_IS_LEFT_OUT(tcb.challenge_ms, now_ms, now_ms + 1, now_ms + 2, 0);
    USUAL_IS_LEFT_OUT(tcb.tune.keep_cnt, 9, 1, 2, 9);
    USUAL_IS_LEFT_OUT(meta.user_flags, 0, 1, 2, 0);
    bytes[3] |= 16; /* means nothing */
    assert_false(decodes(&s, bytes, short_len));
    end_done(&s.e);
}

static void test_sending_half(void **state)
{
    (void)state;
    static struct sound s;
    make_sound(&s);
    REFUSED(s.tcb.snd.una = CAPY_TCP_POS_SYN);
    REFUSED(s.tcb.snd.nxt = s.tcb.snd.end + 1);
    REFUSED(s.tcb.snd.end = s.tcb.snd.nxt - 1);
    REFUSED(s.tcb.snd.rtx_nxt = s.tcb.snd.nxt + 1);
    REFUSED(s.tcb.snd.lost_end = s.tcb.snd.nxt + 1);
    REFUSED(s.tcb.snd.recover = s.tcb.snd.nxt + 1);
    REFUSED(s.tcb.snd.tlp_end = s.tcb.snd.nxt + 1);
    REFUSED((s.tcb.phase = CAPY_TCP_RECOVERY, s.tcb.snd.recover = s.tcb.snd.una)); /* of what? */
    REFUSED(s.tcb.snd.sacked = capy_tcp_flight(&s.tcb) + 1);
    REFUSED(s.tcb.snd.wnd = 65536); /* cannot be said without scaling */
    REFUSED(s.tcb.snd.wnd_max = s.tcb.snd.wnd - 1);
    REFUSED(s.tcb.snd.wscale = 1); /* was not negotiated */
    REFUSED((s.tcb.wscale_ok = true, s.tcb.snd.wscale = 15));
    REFUSED(s.tcb.snd.mss = 0);
    REFUSED(s.tcb.snd.mss = MSS); /* leaves no room for timestamps */
    end_done(&s.e);
}

static void test_receiving_half(void **state)
{
    (void)state;
    static struct sound s;
    make_sound(&s);
    REFUSED(s.tcb.rcv.nxt = CAPY_TCP_POS_SYN);
    REFUSED(s.tcb.rcv.queue.start = CAPY_TCP_POS_SYN);
    REFUSED(s.tcb.rcv.queue.start = s.tcb.rcv.nxt + 1);
    REFUSED(s.tcb.rcv.acked = capy_tcp_near(s.tcb.rcv.nxt + 1));
    REFUSED(s.tcb.rcv.adv = capy_tcp_near(s.tcb.rcv.nxt - 1));
    REFUSED(s.tcb.rcv.adv = capy_tcp_near(s.tcb.rcv.nxt + (1u << 30) + 1));
    REFUSED(fin_at(&s.tcb, s.tcb.rcv.nxt));     /* would have been taken */
    REFUSED(fin_at(&s.tcb, s.tcb.rcv.nxt + 1)); /* below what was received */
    REFUSED(s.tcb.rcv.wscale = 1);
    REFUSED(s.tcb.rcv.mss = UINT16_MAX);
    end_done(&s.e);
}

static void test_ranges(void **state)
{
    (void)state;
    static struct sound s;
    make_sound(&s);
    struct capy_tcp_range *ooo = s.marks.ooo.r, *sacked = s.marks.sacked.r;
    REFUSED(ooo[0].left = s.tcb.rcv.nxt);                  /* would have been taken */
    REFUSED(ooo[0].right = ooo[0].left);                   /* empty */
    REFUSED(ooo[0].right = capy_tcp_rcv_edge(&s.tcb) + 1); /* beyond the window */
    REFUSED((s.marks.ooo.cnt = 2, ooo[1] = ooo[0]));
    REFUSED((s.marks.ooo.cnt = 2, ooo[1].left = ooo[0].right, ooo[1].right = ooo[0].right + 1));
    REFUSED(sacked[0].left = s.tcb.snd.una - 1);
    REFUSED(sacked[0].right = s.tcb.snd.nxt + 1);
    REFUSED((s.marks.sacked.cnt = 2, sacked[1] = sacked[0]));
    REFUSED((s.marks.sacked.cnt = 2, sacked[1].left = s.tcb.snd.una + 1,
             sacked[1].right = s.tcb.snd.una + 2)); /* not ascending */
    REFUSED(s.tcb.sack_ok = false);
    end_done(&s.e);
}

static void test_duplicate_to_be_told(void **state)
{
    (void)state;
    static struct sound s;
    make_sound(&s);
    s.marks.dup = (struct capy_tcp_range){s.tcb.rcv.nxt - 5, s.tcb.rcv.nxt};
    assert_true(capy_snap_head_ok(&s.tcb, &s.e.env, &s.marks, &s.meta));
    REFUSED(s.marks.dup.right = s.marks.dup.left);
    REFUSED(s.marks.dup.right = capy_tcp_rcv_edge(&s.tcb) + 1);
    REFUSED(s.marks.dup.left = CAPY_TCP_POS_SYN);
    REFUSED(s.marks.dup.left = 0);
    end_done(&s.e);
}

static void test_send_records(void **state)
{
    (void)state;
    static struct sound s;
    make_sound(&s);
    struct capy_tcp_sent *l = &s.marks.sent;
    assert_true(l->cnt > 0);
    REFUSED(l->cnt = 0);                               /* but there are SACKed ranges */
    REFUSED(l->r[0].end = s.tcb.snd.una);              /* empty */
    REFUSED(l->r[l->cnt - 1].end = s.tcb.snd.nxt - 1); /* not all of the flight */
    REFUSED(l->r[l->cnt - 1].end = s.tcb.snd.nxt + 1);
    REFUSED(l->rack_end = s.tcb.snd.nxt + 1);
    REFUSED(l->rack_rtt = UINT64_MAX);
    REFUSED(l->dsack_round = s.tcb.snd.nxt + 1);
    REFUSED(s.tcb.snd.lost_end = s.tcb.snd.una + 1); /* told twice */
    REFUSED(s.tcb.snd.rtx_nxt = s.tcb.snd.una + 1);
    end_done(&s.e);
}

static void test_episode(void **state)
{
    (void)state;
    static struct sound s;
    make_sound(&s);
    struct capy_tcp_episode *ep = &s.marks.episode;
    REFUSED((s.tcb.phase = CAPY_TCP_FRTO, s.tcb.snd.recover = s.tcb.snd.nxt)); /* without one */
    *ep = (struct capy_tcp_episode){
        .doubt = CAPY_TCP_DOUBT_ACK,
        .turn = s.tcb.snd.una + 1,
        .start = s.tcb.snd.una,
        .end = s.tcb.snd.nxt,
        .before = s.tcb.cc,
        .prr = {.flight = 1000},
    };
    REFUSED(s.tcb.phase = CAPY_TCP_OPEN); /* it would be late */
    s.tcb.phase = CAPY_TCP_RECOVERY;
    s.tcb.snd.recover = s.tcb.snd.nxt;
    assert_true(capy_snap_head_ok(&s.tcb, &s.e.env, &s.marks, &s.meta));
    REFUSED(ep->doubt = CAPY_TCP_DOUBT_LATE + 1);
    REFUSED(ep->doubt = CAPY_TCP_DOUBT_LATE); /* while it lasts */
    REFUSED(ep->turn = s.tcb.snd.nxt + 1);
    REFUSED(ep->end = s.tcb.snd.nxt + 1);
    REFUSED(ep->told_right = ep->end + 1);
    REFUSED(ep->prr.flight = UINT32_MAX);
    REFUSED(ep->before.cwnd = 0);
    REFUSED(ep->before.ssthresh = UINT32_MAX);
    REFUSED(s.tcb.phase = CAPY_TCP_LOSS); /* where PRR has no say */
    ep->prr.flight = 0;
    s.tcb.phase = CAPY_TCP_FRTO;
    assert_true(capy_snap_head_ok(&s.tcb, &s.e.env, &s.marks, &s.meta));
    REFUSED(ep->doubt = CAPY_TCP_DOUBT_DSACK); /* F-RTO awaits an ACK */
    s.tcb.phase = CAPY_TCP_OPEN;
    ep->doubt = CAPY_TCP_DOUBT_LATE;
    assert_true(capy_snap_head_ok(&s.tcb, &s.e.env, &s.marks, &s.meta));
    REFUSED(ep->turn = s.tcb.snd.una); /* would be over */
    REFUSED(ep->turn = s.tcb.snd.nxt + 1);
    end_done(&s.e);
}

static void test_timers_and_path(void **state)
{
    (void)state;
    static struct sound s;
    make_sound(&s);
    REFUSED((s.tcb.timer = CAPY_TCP_TIMER_NONE, s.tcb.timer_at = CAPY_NEVER)); /* in flight */
    REFUSED(s.tcb.timer_at = CAPY_NEVER);
    REFUSED(s.tcb.timer = CAPY_TCP_TIMER_END);
    REFUSED(s.tcb.timer = CAPY_TCP_TIMER_FIN_WAIT_2);
    REFUSED(s.tcb.timer = CAPY_TCP_TIMER_CNT);
    REFUSED(s.tcb.give_up_at = CAPY_NEVER);
    REFUSED(s.tcb.give_up_at = s.e.env.now + CAPY_SEC(1000000));
    REFUSED(s.tcb.challenge_ms += 501);
    REFUSED(s.tcb.rtt.srtt_ns = CAPY_SEC(3601));
    REFUSED(s.tcb.rtt.rttvar_ns = CAPY_SEC(3601));
    REFUSED((s.tcb.rtt.srtt_ns = 0, s.tcb.rtt.rttvar_ns = 1));
    REFUSED(s.tcb.rtt.timed_pos = s.tcb.snd.nxt + 1);
    end_done(&s.e);
}

/* Whoever owns the private state. */
static void test_congestion_control(void **state)
{
    (void)state;
    static struct sound s;
    make_sound(&s);
    struct capy_tcp_cc *cc = &s.tcb.cc;
    REFUSED(cc->cwnd = 0);
    REFUSED(cc->cwnd = UINT32_MAX);
    REFUSED(cc->ssthresh = CAPY_TCP_CWND_MAX + 1);
    REFUSED(cc->hystart.round_end = (uint32_t)s.tcb.snd.una - 1); /* behind what is acknowledged */
    capy_tcp_cc_timed_out(&s.tcb, false);
    assert_true(capy_snap_head_ok(&s.tcb, &s.e.env, &s.marks, &s.meta));
    REFUSED(cc->cubic.w_max = UINT32_MAX);
    REFUSED(cc->cubic.w_est = UINT32_MAX);
    REFUSED(cc->cubic.acked = UINT32_MAX);
    REFUSED(cc->cubic.paused = 1); /* for ever */
    capy_tcp_set_congestion(&s.tcb, &s.e.env, CAPY_TCP_NEWRENO);
    assert_true(capy_snap_head_ok(&s.tcb, &s.e.env, &s.marks, &s.meta));
    REFUSED(cc->reno.acked = UINT32_MAX);
    capy_tcp_set_congestion(&s.tcb, &s.e.env, CAPY_TCP_DCTCP);
    assert_true(capy_snap_head_ok(&s.tcb, &s.e.env, &s.marks, &s.meta));
    REFUSED(cc->dctcp.acked = UINT32_MAX);
    REFUSED(cc->dctcp.alpha = (1u << 20) + 1);
    REFUSED(cc->dctcp.bytes_marked = cc->dctcp.bytes_acked + 1);
    REFUSED(cc->dctcp.bytes_acked = UINT32_MAX);
    REFUSED(cc->dctcp.window_end = s.tcb.snd.nxt + 1);
    end_done(&s.e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_another_version),
        cmocka_unit_test(test_what_is_usual_is_left_out),
        cmocka_unit_test(test_states_and_enumerations),
        cmocka_unit_test(test_sending_half),
        cmocka_unit_test(test_receiving_half),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_duplicate_to_be_told),
        cmocka_unit_test(test_send_records),
        cmocka_unit_test(test_episode),
        cmocka_unit_test(test_timers_and_path),
        cmocka_unit_test(test_congestion_control),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
