/* A connection between our TCP and another one (tcp/foreign.h): what is told of it, what is taken, and that
 * in between the block has nothing to say. */
#include "harness.h"

#include "tcp/foreign.h"
#include "tcp/position.h"

#include <string.h>

enum { SENT = 3000, QUEUED = 2000, UNSENT = 1000, UNREAD = 500, WINDOW = 60000 };

/* The bytes that the script's peer expects from position `at` on. */
static const uint8_t *sent_bytes(uint32_t at, uint32_t len)
{
    static uint8_t bytes[QUEUED];
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = pattern(2, at + i);
    return bytes;
}

static struct capy_tcp_foreign told(void)
{
    return (struct capy_tcp_foreign){
        .snd_end = {OUR_ISS + 1u + SENT},
        .snd_queued = QUEUED,
        .snd_unsent = UNSENT,
        .rcv_nxt = {PEER_ISS + 1u + UNREAD},
        .rcv_wup = {PEER_ISS + 1u + UNREAD - 100u},
        .snd_wl1 = {PEER_ISS + 1u},
        .rcv_wnd = WINDOW,
        .snd_wnd = WINDOW,
        .snd_wnd_max = WINDOW,
        .ts_now = 77777,
        .mss = MSS,
        .sack = true,
        .cwnd = 20000,
        .srtt_ns = CAPY_US(300),
        .rttvar_ns = CAPY_US(50),
    };
}

/* A block that another TCP has used for a while. */
static void use(struct end *e)
{
    uint8_t bytes[UNREAD];
    for (uint32_t i = 0; i < UNREAD; i++)
        bytes[i] = pattern(1, 1 + i);
    end_init(e, 64);
    capy_tcp_foreign_open(&e->tcb, &e->env);
    capy_tcp_foreign_sent(&e->tcb, SENT - 1);
    capy_tcp_foreign_sent(&e->tcb, 1);
    assert_int_equal(capy_tcp_foreign_received(&e->tcb, &e->env, bytes, UNREAD), CAPY_OK);
}

static void nothing_to_say(struct end *e)
{
    assert_int_equal(capy_tcp_flight(&e->tcb), 0);
    assert_int_equal(capy_tcp_next_at(&e->tcb), CAPY_NEVER);
    assert_int_equal(capy_tcp_unacked(&e->tcb), 0);
}

static void in_between_it_is_quiet(void **state)
{
    (void)state;
    struct end e;
    use(&e);
    nothing_to_say(&e);
    assert_int_equal(capy_tcp_readable(&e.tcb), UNREAD);
    end_consume(&e, UNREAD);
    nothing_to_say(&e);
    end_done(&e);
}

static void what_was_told_goes_on_as_ours(void **state)
{
    (void)state;
    struct end e, twin;
    struct capy_prng prng;
    struct capy_tcp_foreign f = told();
    capy_prng_seed(&prng, 1);
    use(&e);
    assert_int_equal(
        capy_tcp_foreign_take(&e.tcb, &e.env, &f, sent_bytes(1 + SENT - QUEUED, QUEUED)), CAPY_OK);
    assert_int_equal(e.tcb.rtt.srtt_ns, CAPY_US(300));
    assert_int_equal(e.tcb.cc.cwnd, 20000);
    end_twin(&e, &twin, 5, &prng);                     /* it encodes, and its copy behaves alike */
    out(&e, A, 1 + SENT - UNSENT, 1 + UNREAD, UNSENT); /* what never left; the ACK owed with it */
    quiet(&e);
    in(&e, (struct in){.flags = A, .seq = 1 + UNREAD, .ack = 1 + SENT, .win = WINDOW});
    quiet(&e);
    assert_int_equal(capy_tcp_unacked(&e.tcb), 0);
    in(&e, (struct in){.flags = A, .seq = 1 + UNREAD, .ack = 1 + SENT, .len = 10, .win = WINDOW});
    assert_int_equal(capy_tcp_readable(&e.tcb), UNREAD + 10);
    end_untwin(&e);
    end_done(&e);
}

/* What is in flight and got lost goes again by our timer. */
static void what_was_in_flight_is_timed(void **state)
{
    (void)state;
    struct end e;
    struct capy_tcp_foreign f = told();
    f.snd_unsent = 0;
    use(&e);
    assert_int_equal(
        capy_tcp_foreign_take(&e.tcb, &e.env, &f, sent_bytes(1 + SENT - QUEUED, QUEUED)), CAPY_OK);
    assert_true(capy_tcp_next_at(&e.tcb) < CAPY_NEVER);
    out(&e, A, 1 + SENT, 1 + UNREAD, 0);
    pass(&e, CAPY_SEC(1));
    assert_true(next_segment(&e));
    assert_true(e.last.data_len > 0);
    end_done(&e);
}

static void what_is_given_is_what_was_told(void **state)
{
    (void)state;
    struct end e;
    struct capy_tcp_foreign f = told(), back;
    memset(&back, 0, sizeof back);
    f.wscale = f.timestamps = true;
    f.snd_wscale = 7;
    f.rcv_wscale = 4;
    use(&e);
    assert_int_equal(
        capy_tcp_foreign_take(&e.tcb, &e.env, &f, sent_bytes(1 + SENT - QUEUED, QUEUED)), CAPY_OK);
    assert_true(capy_tcp_foreign_give(&e.tcb, &e.env, &back));
    assert_int_equal(back.snd_end.v, f.snd_end.v);
    assert_int_equal(back.snd_queued, f.snd_queued);
    assert_int_equal(back.snd_unsent, f.snd_unsent);
    assert_int_equal(back.rcv_nxt.v, f.rcv_nxt.v);
    assert_int_equal(back.rcv_wup.v, f.rcv_wup.v);
    assert_int_equal(back.snd_wl1.v, f.snd_wl1.v);
    assert_int_equal(back.rcv_wnd, f.rcv_wnd);
    assert_int_equal(back.snd_wnd, f.snd_wnd);
    assert_int_equal(back.snd_wnd_max, f.snd_wnd_max);
    assert_int_equal(back.ts_now, f.ts_now);
    assert_int_equal(back.mss, f.mss);
    assert_int_equal(back.snd_wscale, 7);
    assert_int_equal(back.rcv_wscale, 4);
    assert_true(back.wscale && back.sack && back.timestamps);
    capy_tcp_foreign_quiet(&e.tcb, &e.env); /* and it may stay, and be asked again */
    f.ts_now += 1000;
    assert_int_equal(
        capy_tcp_foreign_take(&e.tcb, &e.env, &f, sent_bytes(1 + SENT - QUEUED, QUEUED)), CAPY_OK);
    assert_true(capy_tcp_foreign_give(&e.tcb, &e.env, &back));
    assert_int_equal(back.ts_now, f.ts_now);
    capy_tcp_foreign_quiet(&e.tcb, &e.env);
    nothing_to_say(&e);
    assert_int_equal(capy_tcp_readable(&e.tcb), UNREAD);
    end_done(&e);
}

/* Of ours: bytes beyond a hole do not go along, and the block is quiet without them. */
static void what_is_ours_is_given(void **state)
{
    (void)state;
    struct end e;
    struct capy_tcp_foreign f;
    end_init(&e, 64);
    establish(&e, WITH_SACK, WINDOW);
    put(&e, 500);
    out(&e, A, 1, 1, 500);
    in(&e, (struct in){.flags = A, .seq = 1, .ack = 1, .len = 200, .win = WINDOW});
    in(&e, (struct in){.flags = A, .seq = 401, .ack = 1, .len = 100, .win = WINDOW});
    assert_true(capy_tcp_foreign_give(&e.tcb, &e.env, &f));
    assert_int_equal(f.snd_end.v, OUR_ISS + 501u);
    assert_int_equal(f.snd_queued, 500);
    assert_int_equal(f.snd_unsent, 0);
    assert_int_equal(f.rcv_nxt.v, PEER_ISS + 201u);
    assert_int_equal(f.mss, MSS);
    assert_true(f.sack && !f.timestamps && !f.wscale);
    capy_tcp_foreign_quiet(&e.tcb, &e.env);
    nothing_to_say(&e);
    assert_int_equal(capy_tcp_readable(&e.tcb), 200);
    assert_int_equal(e.tcb.rcv.ooo, 0);
    end_consume(&e, 200);
    assert_int_equal(e.blocks.pool.free_cnt, e.blocks.pool.cnt);
    end_done(&e);
}

/* The peer's timestamp is not among what TCP_REPAIR tells: any that comes is newer. */
static void an_unknown_timestamp_drops_nothing(void **state)
{
    (void)state;
    struct end e;
    struct capy_tcp_foreign f = told();
    f.timestamps = true;
    f.snd_queued = f.snd_unsent = 0;
    use(&e);
    assert_int_equal(capy_tcp_foreign_take(&e.tcb, &e.env, &f, NULL), CAPY_OK);
    e.in_opts = CAPY_TCP_OPT_TS;
    e.in_ts = 0x90000000u; /* below 0, as such things are compared */
    in(&e, (struct in){.flags = A, .seq = 1 + UNREAD, .ack = 1 + SENT, .len = 10, .win = WINDOW});
    assert_int_equal(capy_tcp_readable(&e.tcb), UNREAD + 10);
    assert_int_equal(e.count.paws_drops, 0);
    end_done(&e);
}

static void half_closed_ones_are_not_given(void **state)
{
    (void)state;
    struct end e;
    struct capy_tcp_foreign f;
    use(&e);
    capy_tcp_foreign_fin(&e.tcb);
    capy_tcp_foreign_fin(&e.tcb); /* said twice */
    assert_true(capy_tcp_at_fin(&e.tcb));
    assert_int_equal(capy_tcp_readable(&e.tcb), UNREAD);
    assert_false(capy_tcp_foreign_give(&e.tcb, &e.env, &f));
    end_consume(&e, UNREAD);
    nothing_to_say(&e);
    end_done(&e);
    end_init(&e, 64);
    establish(&e, WITH_SACK, WINDOW);
    end_shutdown(&e);
    assert_false(capy_tcp_foreign_give(&e.tcb, &e.env, &f));
    end_done(&e);
}

static void without_blocks_it_stays(void **state)
{
    (void)state;
    struct end e;
    struct capy_tcp_foreign f = told();
    uint32_t spare[64], cnt = 0;
    use(&e);
    while (e.blocks.pool.free_cnt > 0)
        spare[cnt++] = capy_pool_take(&e.blocks.pool);
    assert_int_equal(
        capy_tcp_foreign_take(&e.tcb, &e.env, &f, sent_bytes(1 + SENT - QUEUED, QUEUED)),
        CAPY_E_NOMEM);
    nothing_to_say(&e);
    f.snd_queued = SENT + 1; /* more than was ever given to it */
    assert_int_equal(capy_tcp_foreign_take(&e.tcb, &e.env, &f, NULL), CAPY_E_NOMEM);
    nothing_to_say(&e);
    while (cnt > 0)
        capy_pool_give(&e.blocks.pool, spare[--cnt]);
    end_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_between_it_is_quiet),
        cmocka_unit_test(what_was_told_goes_on_as_ours),
        cmocka_unit_test(what_was_in_flight_is_timed),
        cmocka_unit_test(what_is_given_is_what_was_told),
        cmocka_unit_test(what_is_ours_is_given),
        cmocka_unit_test(an_unknown_timestamp_drops_nothing),
        cmocka_unit_test(half_closed_ones_are_not_given),
        cmocka_unit_test(without_blocks_it_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
