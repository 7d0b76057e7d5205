/* ECN (RFC 3168 §6.1): both roles of the handshake, the receiver's echo, the sender's answer; and
 * the receiver's half of DCTCP (RFC 8257 §3.2). */
#include "harness.h"

#include "tcp/congestion.h"
#include "tcp/position.h"
#include "tcp/tuning.h"

#define WIN 60000

/* ---- the handshake (§6.1.1) ---- */

static void open_active(struct end *e, uint8_t ecn)
{
    end_init(e, 64);
    e->cfg.ecn = ecn;
    capy_tcp_open_active(&e->tcb, &e->env, (struct capy_seq){OUR_ISS}, 0);
}

/* The peer's SYN-ACK, or SYN. */
static uint32_t answer(struct end *e, uint8_t flags)
{
    struct capy_tcp_segment seg = {.seq = {PEER_ISS},
                                   .ack = {flags & A ? OUR_ISS + 1 : 0},
                                   .window = WIN,
                                   .flags = flags,
                                   .opts = CAPY_TCP_OPT_MSS,
                                   .mss = MSS};
    return end_input(e, &seg);
}

static void assert_data_marked(struct end *e, bool ect)
{
    put(e, 10);
    out(e, A, 1, 1, 10);
    assert_int_equal(e->last.ecn, ect ? ECT_0 : 0);
}

/* An ECN-setup SYN is one with both flags; its answer carries ECE alone. Only then is ECT set, and
 * "MUST NOT set ECT on SYN or SYN-ACK packets". */
static void test_a_listener_accepts(void **state)
{
    (void)state;
    static const struct {
        uint8_t cfg, syn;
        bool on;
    } cases[] = {
        {CAPY_TCP_ECN_ACCEPT, S | E | C, true}, {CAPY_TCP_ECN_OFFER, S | E | C, true},
        {CAPY_TCP_ECN_OFF, S | E | C, false},   {CAPY_TCP_ECN_ACCEPT, S, false},
        {CAPY_TCP_ECN_ACCEPT, S | E, false},    {CAPY_TCP_ECN_ACCEPT, S | C, false},
        {CAPY_TCP_ECN_OFFER, S, false},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct end e;
        end_init(&e, 64);
        e.cfg.ecn = cases[i].cfg;
        struct capy_tcp_segment syn = {.seq = {PEER_ISS},
                                       .window = WIN,
                                       .flags = cases[i].syn,
                                       .opts = CAPY_TCP_OPT_MSS,
                                       .mss = MSS};
        capy_tcp_open_passive(&e.tcb, &e.env, &syn, (struct capy_seq){OUR_ISS}, 0);
        out(&e, cases[i].on ? S | A | E : S | A, 0, 1, 0);
        assert_int_equal(e.last.ecn, 0);
        in(&e, ack_of(1));
        quiet(&e);
        assert_int_equal(e.count.ecn_opened, cases[i].on);
        assert_int_equal(capy_tcp_get(&e.tcb, CAPY_OPTION_ECN), cases[i].on);
        assert_data_marked(&e, cases[i].on);
        end_done(&e);
    }
}

/* An active open offers when told to. "Receivers MUST correctly handle all forms of the non-ECN-setup
 * SYN-ACK packets": an echo of both flags among them, which broken hosts send. */
static void test_an_active_open_offers(void **state)
{
    (void)state;
    static const struct {
        uint8_t cfg, syn, syn_ack;
        bool on;
    } cases[] = {
        {CAPY_TCP_ECN_OFFER, S | E | C, S | A | E, true},
        {CAPY_TCP_ECN_OFFER, S | E | C, S | A, false},
        {CAPY_TCP_ECN_OFFER, S | E | C, S | A | E | C, false},
        {CAPY_TCP_ECN_OFFER, S | E | C, S | A | C, false},
        {CAPY_TCP_ECN_ACCEPT, S, S | A | E, false}, /* a yes to what nobody asked */
        {CAPY_TCP_ECN_OFF, S, S | A | E, false},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct end e;
        open_active(&e, cases[i].cfg);
        out(&e, cases[i].syn, 0, 0, 0);
        assert_int_equal(e.last.ecn, 0);
        assert_int_equal(answer(&e, cases[i].syn_ack), CAPY_TCP_ESTABLISHED_EV);
        out(&e, A, 1, 1, 0);
        assert_int_equal(e.last.ecn, 0); /* §6.1.4: MUST NOT on pure ACKs */
        assert_data_marked(&e, cases[i].on);
        end_done(&e);
    }
}

/* §6.1.1.1: no answer: the SYN goes again without. A host that sent a plain SYN MUST NOT set ECT,
 * whatever then answers; but what arrives marked it still echoes, because its first SYN said so. */
static void test_a_lost_syn_goes_again_without(void **state)
{
    (void)state;
    struct end e;
    open_active(&e, CAPY_TCP_ECN_OFFER);
    out(&e, S | E | C, 0, 0, 0);
    pass(&e, CAPY_SEC(1));
    out(&e, S, 0, 0, 0);
    assert_int_equal(e.count.ecn_fallbacks, 1);
    pass(&e, CAPY_SEC(2));
    out(&e, S, 0, 0, 0);
    assert_int_equal(e.count.ecn_fallbacks, 1);
    answer(&e, S | A | E); /* to the first, late */
    out(&e, A, 1, 1, 0);
    assert_data_marked(&e, false);
    in(&e, (struct in){.flags = A, .seq = 1, .ack = 11, .win = WIN, .len = 10, .ecn = CE});
    out(&e, A | E, 11, 11, 0);
    end_done(&e);
}

/* §6.1.1.1: a RST for an ECN-setup SYN may be a firewall's opinion of ECN; a RST for the plain one
 * means what it says. */
static void test_a_refused_syn_goes_again_without(void **state)
{
    (void)state;
    struct end e;
    open_active(&e, CAPY_TCP_ECN_OFFER);
    out(&e, S | E | C, 0, 0, 0);
    assert_int_equal(answer(&e, R | A), 0);
    out(&e, S, 0, 0, 0);
    quiet(&e);
    assert_int_equal(answer(&e, R | A), CAPY_TCP_WAS_RESET);
    end_done(&e);
    open_active(&e, CAPY_TCP_ECN_ACCEPT);
    out(&e, S, 0, 0, 0);
    assert_int_equal(answer(&e, R | A), CAPY_TCP_WAS_RESET);
    end_done(&e);
}

/* The client gave up on ECN: its plain SYN is answered plainly, and we SHOULD NOT set ECT. */
static void test_a_plain_syn_after_an_ecn_setup_syn(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    struct capy_tcp_segment syn = {
        .seq = {PEER_ISS}, .window = WIN, .flags = S | E | C, .opts = CAPY_TCP_OPT_MSS, .mss = MSS};
    capy_tcp_open_passive(&e.tcb, &e.env, &syn, (struct capy_seq){OUR_ISS}, 0);
    out(&e, S | A | E, 0, 1, 0);
    answer(&e, S | E | C);
    out(&e, S | A | E, 0, 1, 0);
    answer(&e, S);
    out(&e, S | A, 0, 1, 0);
    in(&e, ack_of(1));
    assert_data_marked(&e, false);
    end_done(&e);
}

/* Both open at once: with ECN when both SYNs said so. */
static void test_both_open_at_once(void **state)
{
    (void)state;
    for (int yes = 0; yes < 2; yes++) {
        struct end e;
        open_active(&e, CAPY_TCP_ECN_OFFER);
        out(&e, S | E | C, 0, 0, 0);
        answer(&e, yes ? S | E | C : S);
        out(&e, yes ? S | A | E : S | A, 0, 1, 0);
        in(&e, ack_of(1));
        assert_data_marked(&e, yes);
        end_done(&e);
    }
}

/* ---- the receiver (§6.1.3) ---- */

static struct in data_of(uint32_t seq, uint8_t flags, uint8_t ecn)
{
    return (struct in){
        .flags = A | flags, .seq = seq, .ack = 1, .win = WIN, .len = 100, .ecn = ecn};
}

/* ECE on every ACK from a mark on until CWR comes, the lost and the delayed among them. */
static void test_ece_until_cwr(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, WITH_ECN, WIN);
    in(&e, data_of(1, 0, ECT_0));
    pass(&e, CAPY_MS(40));
    out(&e, A, 1, 101, 0);
    in(&e, data_of(101, 0, CE));
    out(&e, A | E, 1, 201, 0); /* at once: the news should not wait */
    in(&e, data_of(201, 0, ECT_0));
    quiet(&e);
    pass(&e, CAPY_MS(40));
    out(&e, A | E, 1, 301, 0);
    put(&e, 10);
    out(&e, A | E, 1, 301, 10); /* data carries it as well */
    in(&e, data_of(301, C, ECT_0));
    out(&e, A, 11, 401, 0);
    in(&e, data_of(401, C, CE)); /* a mark on what says CWR begins anew */
    out(&e, A | E, 11, 501, 0);
    assert_int_equal(e.count.ce_segs_in, 2);
    end_done(&e);
}

/* Bits that mean nothing: a mark on a pure ACK, on what lies outside the window (§6.1.5), CWR and
 * marks on a connection without ECN. */
static void test_mangled_bits_on_the_way_in(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, WITH_ECN, WIN);
    struct in ack = ack_of(1);
    ack.ecn = CE;
    in(&e, ack);
    in(&e, data_of(1, 0, 0));
    in(&e, data_of(1000001, 0, CE));
    out(&e, A, 1, 101, 0);
    in(&e, data_of(1, 0, CE)); /* old */
    out(&e, A, 1, 101, 0);
    assert_int_equal(e.count.ce_segs_in, 0);
    end_done(&e);

    end_init(&e, 64);
    establish(&e, 0, WIN);
    in(&e, data_of(1, C | E, CE));
    in(&e, data_of(101, 0, CE));
    pass(&e, CAPY_MS(40));
    out(&e, A, 1, 201, 0);
    put(&e, 1000);
    out(&e, A, 1, 201, 1000);
    assert_int_equal(e.last.ecn, 0);
    in(&e, (struct in){.flags = A | E, .seq = 201, .ack = 1001, .win = WIN});
    assert_int_equal(e.tcb.cc.cwnd, 10 * MSS);
    assert_int_equal(e.count.ecn_cuts, 0);
    end_done(&e);
}

/* A hole does not hide a mark behind it. */
static void test_marks_count_out_of_order(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, WITH_ECN | WITH_SACK, WIN);
    in(&e, data_of(101, 0, CE));
    out(&e, A | E, 1, 1, 0);
    end_done(&e);
}

/* ---- the sender (§6.1.2) ---- */

static void send_all(struct end *e)
{
    while (next_segment(e))
        assert_int_equal(e->last.ecn, ECT_0);
}

static struct in echo_of(uint32_t n)
{
    struct in s = ack_of(n);
    s.flags |= E;
    return s;
}

/* One reduction per window of data, however many echoes; CWR on the first new data after it, once;
 * no growth for an ACK with an echo. */
static void test_one_reduction_per_round_trip(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 128);
    establish(&e, WITH_ECN | WITH_SACK, WIN);
    put(&e, 60000);
    send_all(&e); /* 10 segments, to 10001 */
    pass(&e, CAPY_MS(10));
    in(&e, echo_of(1001));
    assert_int_equal(e.tcb.cc.ssthresh, 7 * MSS); /* RFC 9438 §4.6: CUBIC's beta */
    assert_int_equal(e.tcb.cc.cwnd, 7 * MSS);
    assert_int_equal(e.tcb.phase, CAPY_TCP_OPEN); /* nothing was lost */
    quiet(&e);
    for (uint32_t n = 2001; n <= 3001; n += MSS) {
        in(&e, echo_of(n));
        quiet(&e);
    }
    in(&e, echo_of(4001));
    out(&e, A | C, 10001, 1, 1000);
    assert_int_equal(e.last.ecn, ECT_0);
    for (uint32_t n = 5001; n <= 10001; n += MSS) {
        in(&e, echo_of(n));
        out(&e, A, n + 6000, 1, 1000); /* CWR no more */
    }
    assert_int_equal(e.tcb.cc.cwnd, 7 * MSS);
    assert_int_equal(e.count.ecn_cuts, 1);
    in(&e, ack_of(11001)); /* the receiver has got CWR */
    send_all(&e);
    uint32_t cwnd = e.tcb.cc.cwnd;
    in(&e, echo_of(12001)); /* and met a queue again */
    assert_int_equal(e.count.ecn_cuts, 2);
    assert_true(e.tcb.cc.cwnd < cwnd);
    end_done(&e);
}

/* A mark and a loss in one window of data are one sign of congestion; what goes again is not
 * markable (§6.1.5: MUST NOT). */
static void test_a_loss_after_a_mark_cuts_no_further(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 128);
    establish(&e, WITH_ECN | WITH_SACK, WIN);
    put(&e, 60000);
    send_all(&e);
    pass(&e, CAPY_MS(10));
    in(&e, echo_of(1001));
    assert_int_equal(e.tcb.cc.cwnd, 7 * MSS);
    struct in sack = echo_of(1001);
    for (uint32_t right = 3001; right <= 6001; right += MSS) {
        sack.sack[0].left = 2001;
        sack.sack[0].right = right;
        in(&e, sack);
    }
    assert_int_equal(e.tcb.phase, CAPY_TCP_RECOVERY);
    assert_int_equal(e.tcb.cc.ssthresh, 7 * MSS);
    assert_true(next_segment(&e));
    assert_int_equal(e.last.seq.v - OUR_ISS, 1001);
    assert_int_equal(e.last.ecn, 0);
    end_done(&e);
}

/* A loss sets CWR as well (§6.1.2): on the first new data, not on what goes again. */
static void test_cwr_after_a_timeout(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 128);
    establish(&e, WITH_ECN, WIN);
    put(&e, 2000);
    out(&e, A, 1, 1, 1000);
    out(&e, A, 1001, 1, 1000);
    put(&e, 3000);
    out(&e, A, 2001, 1, 1000);
    out(&e, A, 3001, 1, 1000);
    out(&e, A, 4001, 1, 1000);
    pass(&e, CAPY_SEC(2));
    out(&e, A, 1, 1, 1000);
    assert_int_equal(e.last.ecn, 0);
    in(&e, ack_of(5001));
    put(&e, 1000);
    out(&e, A | C, 5001, 1, 1000);
    assert_int_equal(e.last.ecn, ECT_0);
    end_done(&e);
}

/* §6.1.6: MUST NOT on window probes; nor on a tail loss probe that is a retransmission, nor on a
 * lone FIN, which carries no data. */
static void test_what_is_not_markable(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 64);
    establish(&e, WITH_ECN, 0);
    put(&e, 10);
    quiet(&e);
    pass(&e, CAPY_SEC(2));
    out(&e, A, 1, 1, 1);
    assert_int_equal(e.last.ecn, 0);
    end_done(&e);

    end_init(&e, 64);
    establish(&e, WITH_ECN | WITH_SACK, WIN);
    put(&e, 10);
    out(&e, A, 1, 1, 10);
    assert_int_equal(e.last.ecn, ECT_0);
    pass(&e, CAPY_SEC(1));
    out(&e, A, 1, 1, 10);
    assert_int_equal(e.last.ecn, 0);
    in(&e, ack_of(11));
    end_shutdown(&e);
    out(&e, F | A, 11, 1, 0);
    assert_int_equal(e.last.ecn, 0);
    end_done(&e);
}

/* An echo on an old ACK, or on one that acknowledges nothing new, may be anybody's: it waits for one
 * that does. */
static void test_echoes_that_do_not_count(void **state)
{
    (void)state;
    struct end e;
    end_init(&e, 128);
    establish(&e, WITH_ECN | WITH_SACK, WIN);
    put(&e, 20000);
    send_all(&e);
    pass(&e, CAPY_MS(10));
    in(&e, ack_of(3001));
    send_all(&e);
    in(&e, echo_of(2001));
    in(&e, echo_of(3001));
    in(&e, echo_of(90001)); /* beyond what was sent */
    assert_int_equal(e.count.ecn_cuts, 0);
    in(&e, echo_of(4001));
    assert_int_equal(e.count.ecn_cuts, 1);
    end_done(&e);
}

/* ---- DCTCP ---- */

static void establish_dctcp(struct end *e)
{
    end_init(e, 128);
    e->cfg.congestion = CAPY_TCP_DCTCP;
    struct capy_tcp_segment syn = {.seq = {PEER_ISS},
                                   .window = WIN,
                                   .flags = S | E | C,
                                   .opts = CAPY_TCP_OPT_MSS | CAPY_TCP_OPT_SACK_OK,
                                   .mss = MSS};
    capy_tcp_open_passive(&e->tcb, &e->env, &syn, (struct capy_seq){OUR_ISS}, 0);
    out(e, S | A | E, 0, 1, 0);
    assert_int_equal(e->last.ecn, ECT_0); /* RFC 8257 §3.6: SHOULD, beyond RFC 3168 */
    in(e, ack_of(1));
    quiet(e);
}

/* RFC 8257 §3.2: DCTCP.CE follows the marks; a change is told at once, after what came before it;
 * without a change ACKs are delayed as ever, and CWR means nothing. */
static void test_dctcp_echoes_each_change(void **state)
{
    (void)state;
    struct end e;
    establish_dctcp(&e);
    in(&e, data_of(1, 0, ECT_0));
    quiet(&e);
    in(&e, data_of(101, 0, CE));
    out(&e, A, 1, 101, 0);                        /* what came before, unmarked */
    assert_int_equal(100 + e.last.window, 65535); /* the window's edge does not move left */
    out(&e, A | E, 1, 201, 0);
    quiet(&e);
    in(&e, data_of(201, 0, CE));
    quiet(&e);
    in(&e, data_of(301, C, CE));
    quiet(&e);
    in(&e, data_of(401, 0, ECT_0));
    out(&e, A | E, 1, 401, 0);
    out(&e, A, 1, 501, 0);
    in(&e, data_of(501, 0, CE)); /* nothing before it waits: one ACK says it */
    out(&e, A | E, 1, 601, 0);
    quiet(&e);
    end_done(&e);
}

/* Changes that arrive together: what cannot be told exactly is told at least. */
static void test_dctcp_changes_in_one_burst(void **state)
{
    (void)state;
    struct end e;
    establish_dctcp(&e);
    in(&e, data_of(1, 0, ECT_0));
    in(&e, data_of(101, 0, CE));
    in(&e, data_of(201, 0, ECT_0));
    in(&e, data_of(301, 0, CE));
    out(&e, A, 1, 101, 0);
    out(&e, A | E, 1, 401, 0);
    quiet(&e);
    end_done(&e);
}

/* Data that goes out carries the same two acknowledgments. */
static void test_dctcp_echoes_on_data(void **state)
{
    (void)state;
    struct end e;
    establish_dctcp(&e);
    in(&e, data_of(1, 0, ECT_0));
    in(&e, data_of(101, 0, CE));
    put(&e, 10);
    out(&e, A, 1, 101, 10);
    out(&e, A | E, 11, 201, 0);
    end_done(&e);
}

/* Who chooses DCTCP offers ECN by that, unless it is off (RFC 8257 §3: ECN is a MUST). */
static void test_dctcp_offers(void **state)
{
    (void)state;
    for (int off = 0; off < 2; off++) {
        struct end e;
        end_init(&e, 64);
        e.cfg.congestion = CAPY_TCP_DCTCP;
        e.cfg.ecn = off ? CAPY_TCP_ECN_OFF : CAPY_TCP_ECN_ACCEPT;
        capy_tcp_open_active(&e.tcb, &e.env, (struct capy_seq){OUR_ISS}, 0);
        out(&e, off ? S : S | E | C, 0, 0, 0);
        assert_int_equal(e.last.ecn, off ? 0 : ECT_0);
        end_done(&e);
    }
}

/* ---- moving ---- */

/* Each at the moment when it says most: an echo owed, a change half told, a reduction not yet told,
 * and in the middle of the round trip that one reduction serves. */
static void test_it_moves(void **state)
{
    (void)state;
    struct end e, twin;
    struct capy_prng prng;
    capy_prng_seed(&prng, 3);
    for (int dctcp = 0; dctcp < 2; dctcp++) {
        if (dctcp) {
            establish_dctcp(&e);
        } else {
            end_init(&e, 128);
            establish(&e, WITH_ECN | WITH_SACK, WIN);
        }
        put(&e, 20000);
        send_all(&e);
        pass(&e, CAPY_MS(10));
        in(&e, echo_of(1001));
        in(&e, data_of(1, 0, ECT_0));
        in(&e, data_of(101, 0, CE));
        assert_true(e.tcb.cwr && e.tcb.ce && e.tcb.ce_changed == dctcp);
        assert_true(e.tcb.snd.recover > e.tcb.snd.una);
        end_twin(&e, &twin, 5000, &prng);
        for (uint32_t n = 2001; n <= 12001; n += MSS) {
            pass(&e, CAPY_US(10));
            in(&e, echo_of(n));
            while (next_segment(&e))
                ;
        }
        assert_int_equal(twin.tcb.cc.cwnd, e.tcb.cc.cwnd);
        assert_int_equal(twin.count.ecn_cuts, e.count.ecn_cuts - 1);
        end_done(&e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_listener_accepts),
        cmocka_unit_test(test_an_active_open_offers),
        cmocka_unit_test(test_a_lost_syn_goes_again_without),
        cmocka_unit_test(test_a_refused_syn_goes_again_without),
        cmocka_unit_test(test_a_plain_syn_after_an_ecn_setup_syn),
        cmocka_unit_test(test_both_open_at_once),
        cmocka_unit_test(test_ece_until_cwr),
        cmocka_unit_test(test_mangled_bits_on_the_way_in),
        cmocka_unit_test(test_marks_count_out_of_order),
        cmocka_unit_test(test_one_reduction_per_round_trip),
        cmocka_unit_test(test_a_loss_after_a_mark_cuts_no_further),
        cmocka_unit_test(test_cwr_after_a_timeout),
        cmocka_unit_test(test_what_is_not_markable),
        cmocka_unit_test(test_echoes_that_do_not_count),
        cmocka_unit_test(test_dctcp_echoes_each_change),
        cmocka_unit_test(test_dctcp_changes_in_one_burst),
        cmocka_unit_test(test_dctcp_echoes_on_data),
        cmocka_unit_test(test_dctcp_offers),
        cmocka_unit_test(test_it_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
