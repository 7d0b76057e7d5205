/* Every state migrates. Of each state in the table (states.h) a copy is made by
 * the connection's snapshot, on a host with another clock, and both live on:
 * the same segments, calls and timers reach both, chosen by a seed, to the end.
 * Every segment that leaves, every deadline and every result must be the same.
 */
#include "same_block.h"
#include "states.h"

#include <stdio.h>

#define LIVES 24u /* seeds per state */

/* ---- living on ---- */

static uint32_t rel(uint64_t pos)
{
    return (uint32_t)pos;
}

static uint32_t below(struct capy_prng *prng, uint64_t n)
{
    return n > 0 ? (uint32_t)capy_prng_below(prng, n) : 0;
}

/* What the peer says next of our stream. */
static void peer_acks(struct end *e, struct capy_prng *prng, uint16_t win)
{
    const struct capy_tcp_snd *snd = &e->tcb.snd;
    uint32_t flight = capy_tcp_flight(&e->tcb);
    uint64_t up_to = snd->una + (capy_prng_chance(prng, 400000) ? flight : below(prng, flight + 1));
    struct in s = {.flags = A, .seq = rel(e->tcb.rcv.nxt), .ack = rel(up_to), .win = win};
    if (e->tcb.ecn_snd && capy_prng_chance(prng, 200000))
        s.flags |= E;
    uint64_t left = up_to + 1 + below(prng, 2000), right = left + 1 + below(prng, 3000);
    if (e->tcb.sack_ok && right <= snd->nxt && capy_prng_chance(prng, 500000)) {
        s.sack[0].left = rel(left);
        s.sack[0].right = rel(right);
    } else if (e->tcb.sack_ok && up_to > CAPY_TCP_POS_DATA + 500 &&
               capy_prng_chance(prng, 100000)) {
        s.sack[0].left = rel(up_to - 500); /* it arrived twice */
        s.sack[0].right = rel(up_to - 100);
    }
    in(e, s);
}

/* What it says itself: in order, ahead, again, beyond. */
static void peer_sends(struct end *e, struct capy_prng *prng, uint16_t win)
{
    uint32_t seq = rel(e->tcb.rcv.nxt);
    uint32_t kind = below(prng, 8);
    if (kind == 6)
        seq += 1 + below(prng, 2000);
    else if (kind == 7)
        seq -= capy_min32(seq - 1, 1 + below(prng, 600));
    struct in s = {.flags = A,
                   .ecn = capy_prng_chance(prng, 200000) ? CE : ECT_0,
                   .seq = seq,
                   .ack = rel(e->tcb.snd.una),
                   .win = win,
                   .len = 1 + below(prng, 700)};
    if (e->tcb.rcv.fin_seen) { /* it has said all: no number of its own lies beyond its FIN */
        uint32_t fin = rel(capy_tcp_fin_pos(&e->tcb));
        s.seq = capy_min32(seq, fin + 1);
        s.len = capy_min32(s.len, seq < fin ? fin - seq : 0);
    }
    in(e, s);
}

static void to_the_next_timer(struct end *e)
{
    uint64_t at = capy_tcp_next_at(&e->tcb);
    if (at == CAPY_NEVER)
        return;
    end_set_now(e, capy_max64(e->env.now, at));
    e->events |= end_expire(e);
}

static void one_thing(struct end *e, struct capy_prng *prng, uint16_t *win)
{
    uint8_t bytes[900] = {0};
    switch (below(prng, 12)) {
    case 0:
        to_the_next_timer(e);
        break;
    case 1:
    case 2:
        pass(e, below(prng, CAPY_MS(15)));
        break;
    case 3:
    case 4:
    case 5:
        peer_acks(e, prng, *win);
        break;
    case 6:
    case 7:
        peer_sends(e, prng, *win);
        break;
    case 8:
        end_consume(e, below(prng, capy_tcp_readable(&e->tcb) + 1u));
        break;
    case 9:
        if (!e->tcb.app_gone)
            (void)end_write(e, bytes, 1 + below(prng, sizeof bytes));
        break;
    case 10:
        *win = capy_prng_chance(prng, 300000) ? 0 : (uint16_t)(1000 + below(prng, 59000));
        break;
    case 11: /* somebody guesses */
        in(e, (struct in){.flags = capy_prng_chance(prng, 500000) ? R : S | A,
                          .seq = rel(e->tcb.rcv.nxt) + 1 + below(prng, 3000),
                          .ack = rel(e->tcb.snd.una),
                          .win = *win});
        break;
    }
}

/* Both sides say what is left to say, and close. */
static void to_the_end(struct end *e)
{
    if (e->tcb.state != CAPY_TCP_CLOSED && !e->tcb.fin_queued)
        end_shutdown(e);
    for (uint32_t i = 0; i < 400 && e->tcb.state != CAPY_TCP_CLOSED; i++) {
        drain(e);
        if (e->tcb.state == CAPY_TCP_CLOSED)
            break;
        uint32_t room = (uint32_t)(capy_tcp_rcv_edge(&e->tcb) - e->tcb.rcv.nxt);
        uint64_t fin = capy_tcp_fin_pos(&e->tcb);
        uint32_t len = fin == CAPY_NEVER && e->tcb.rcv.ooo == 0 ? 0 : capy_min32(room, 1000);
        if (fin != CAPY_NEVER)
            len = fin > e->tcb.rcv.nxt ? capy_min32(len, (uint32_t)(fin - e->tcb.rcv.nxt)) : 0;
        bool last = fin == CAPY_NEVER ? e->tcb.rcv.ooo == 0 : e->tcb.rcv.nxt + len == fin;
        in(e, (struct in){.flags = (uint8_t)(last ? A | F : A),
                          .seq = rel(e->tcb.rcv.nxt),
                          .ack = rel(e->tcb.snd.nxt),
                          .win = 60000,
                          .len = len});
        drain(e);
        if (e->tcb.state != CAPY_TCP_CLOSED)
            end_consume(e, capy_tcp_readable(&e->tcb));
        if (i % 2 == 1)
            to_the_next_timer(e);
    }
}

static void live_on(struct end *e, struct capy_prng *prng)
{
    uint16_t win = 60000;
    for (uint32_t i = 0; i < 60 && e->tcb.state != CAPY_TCP_CLOSED; i++) {
        /* What was owed at the move is owed still, whatever comes first. */
        if (i > 0 || capy_prng_chance(prng, 500000))
            drain(e);
        if (e->tcb.state != CAPY_TCP_CLOSED)
            one_thing(e, prng, &win);
    }
    to_the_end(e);
}

static void test_every_state_migrates(void **state)
{
    (void)state;
    struct capy_prng prng;
    uint32_t ended = 0;
    for (uint32_t i = 0; i < sizeof states / sizeof *states; i++) {
        for (uint64_t seed = 1; seed <= LIVES; seed++) {
            struct end e, twin;
            capy_prng_seed(&prng, seed * 1000 + i);
            states[i].bring(&e);
            if (!states[i].is(&e))
                fail_msg("%s: not brought about", states[i].name);
            static const uint64_t ahead_ms[] = {1, 1000000, UINT64_C(1) << 33, 17};
            end_twin(&e, &twin, ahead_ms[seed % 4], &prng);
            assert_true(states[i].is(&twin) || e.count.challenge_acks > 0 ||
                        e.count.path_suspected > 0); /* these counted before the move */
            same_block(&e, &twin);
            live_on(&e, &prng);
            same_block(&e, &twin);
            assert_int_equal(e.tcb.state, twin.tcb.state);
            ended += e.tcb.state == CAPY_TCP_CLOSED;
            end_done(&e);
        }
    }
    uint32_t cases = LIVES * sizeof states / sizeof *states;
    printf("%zu states, %u lives each; %u of %u lived to their end\n",
           sizeof states / sizeof *states, LIVES, ended, cases);
    assert_int_equal(ended, cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_state_migrates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
