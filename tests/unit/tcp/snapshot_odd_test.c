/* Moments at which connections could not move: each was found by tests/fuzz/twins_test.c, where what
 * one host encodes another decodes. */
#include "flight.h"

/* It is decoded, and behaves alike from then on. */
static void moves(struct end *e)
{
    struct end twin;
    struct capy_prng prng;
    capy_prng_seed(&prng, 1);
    end_twin(e, &twin, 1, &prng);
    pass(e, RTT);
    while (next_segment(e))
        ;
    end_untwin(e);
}

/* The hole's retransmission is lost, too: the timeout is part of the episode, but ends recovery, and
 * proportional rate reduction with it. */
static void test_a_timeout_amid_recovery(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_SACK, 8, 0);
    lose_first(&e);
    assert_true(capy_tcp_marks(&e.tcb, &e.env)->episode.prr.flight > 0);
    while (next_segment(&e))
        ;
    while (e.tcb.phase == CAPY_TCP_RECOVERY)
        pass(&e, CAPY_SEC(1));
    assert_int_equal(e.tcb.phase, CAPY_TCP_LOSS);
    assert_int_equal(capy_tcp_marks(&e.tcb, &e.env)->episode.doubt, CAPY_TCP_DOUBT_ACK);
    moves(&e);
    end_done(&e);
}

/* A peer may acknowledge half of what it reported before, and not mean it (RFC 2018 §8). */
static void test_an_acknowledgment_within_a_sacked_range(void **state)
{
    (void)state;
    struct end e;
    fly(&e, WITH_SACK, 8, 0);
    lose_first(&e);
    in(&e, ack_of(1 + 3 * len_(&e)));
    const struct capy_tcp_ranges *sacked = &capy_tcp_marks(&e.tcb, &e.env)->sacked;
    assert_int_equal(sacked->cnt, 1);
    assert_true(sacked->r[0].left == e.tcb.snd.una);
    moves(&e);
    end_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_timeout_amid_recovery),
        cmocka_unit_test(test_an_acknowledgment_within_a_sacked_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
