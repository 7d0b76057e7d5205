/* Duplicates reported by SACK (RFC 2883 §4). */
#include "harness.h"

static void data(struct end *e, uint32_t seq, uint32_t len)
{
    in(e, (struct in){.flags = A, .seq = seq, .ack = 1, .win = 60000, .len = len});
}

struct block {
    uint32_t left, right; /* from the peer's ISN */
};

/* Asserts the ACK that goes out now, with its SACK blocks. */
static void out_blocks(struct end *e, uint32_t ack, uint32_t cnt, const struct block *block)
{
    out(e, A, 1, ack, 0);
    assert_int_equal(e->last.sack_cnt, cnt);
    for (uint32_t i = 0; i < cnt; i++) {
        assert_int_equal(e->last.sack[i].left.v - PEER_ISS, block[i].left);
        assert_int_equal(e->last.sack[i].right.v - PEER_ISS, block[i].right);
    }
}

static void start(struct end *e, uint32_t with)
{
    end_init(e, 64);
    establish(e, with, 60000);
}

static void test_a_segment_that_came_twice_is_told_once(void **state)
{
    (void)state;
    struct end e;
    start(&e, WITH_SACK);
    data(&e, 1, 100);
    data(&e, 1, 100);
    out_blocks(&e, 101, 1, &(struct block){1, 101});
    assert_int_equal(e.tcb.marks, CAPY_NONE);
    data(&e, 201, 100);
    out_blocks(&e, 101, 1, &(struct block){201, 301});
    end_done(&e);
}

static void test_just_the_repeated_part_is_told(void **state)
{
    (void)state;
    struct end e;
    start(&e, WITH_SACK);
    data(&e, 1, 100);
    data(&e, 51, 100);
    out_blocks(&e, 151, 1, &(struct block){51, 101});
    end_done(&e);
}

/* §4.2: within what is held out of order, the block around it follows. */
static void test_a_repeat_beyond_a_hole_is_followed_by_its_block(void **state)
{
    (void)state;
    struct end e;
    start(&e, WITH_SACK);
    data(&e, 501, 100);
    data(&e, 201, 100);
    data(&e, 301, 100);
    out_blocks(&e, 1, 2, (struct block[]){{201, 401}, {501, 601}});
    data(&e, 301, 100);
    out_blocks(&e, 1, 3, (struct block[]){{301, 401}, {201, 401}, {501, 601}});
    end_done(&e);
}

/* What closes a hole may repeat what lay behind it. */
static void test_the_repeated_part_behind_a_hole_is_told(void **state)
{
    (void)state;
    struct end e;
    start(&e, WITH_SACK);
    data(&e, 201, 100);
    data(&e, 401, 100);
    out_blocks(&e, 1, 2, (struct block[]){{401, 501}, {201, 301}});
    data(&e, 1, 250);
    out_blocks(&e, 301, 2, (struct block[]){{201, 251}, {401, 501}});
    data(&e, 301, 300); /* to the last byte, and more */
    out_blocks(&e, 601, 1, &(struct block){401, 501});
    data(&e, 701, 100);
    out_blocks(&e, 601, 1, &(struct block){701, 801});
    data(&e, 501, 400); /* of two repeated parts the first */
    out_blocks(&e, 901, 1, &(struct block){501, 601});
    assert_int_equal(e.tcb.marks, CAPY_NONE);
    end_done(&e);
}

static void test_a_repeat_takes_the_place_of_the_last_block(void **state)
{
    (void)state;
    struct end e;
    start(&e, WITH_SACK | WITH_TS);
    for (uint32_t i = 1; i <= 4; i++)
        data(&e, 1 + i * 200, 100);
    data(&e, 1, 100);
    data(&e, 1, 100);
    out_blocks(&e, 101, 3, (struct block[]){{1, 101}, {801, 901}, {601, 701}});
    end_done(&e);
}

static void test_nothing_is_told_without_sack(void **state)
{
    (void)state;
    struct end e;
    start(&e, 0);
    data(&e, 1, 100);
    data(&e, 1, 100);
    out_blocks(&e, 101, 0, NULL);
    end_done(&e);
}

static void test_what_is_to_be_told_moves(void **state)
{
    (void)state;
    struct end e, twin;
    struct capy_prng prng;
    capy_prng_seed(&prng, 1);
    start(&e, WITH_SACK);
    data(&e, 1, 100);
    data(&e, 1, 100);
    end_twin(&e, &twin, 5, &prng);
    out_blocks(&e, 101, 1, &(struct block){1, 101}); /* and the twin says the same */
    end_done(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_segment_that_came_twice_is_told_once),
        cmocka_unit_test(test_just_the_repeated_part_is_told),
        cmocka_unit_test(test_a_repeat_beyond_a_hole_is_followed_by_its_block),
        cmocka_unit_test(test_the_repeated_part_behind_a_hole_is_told),
        cmocka_unit_test(test_a_repeat_takes_the_place_of_the_last_block),
        cmocka_unit_test(test_nothing_is_told_without_sack),
        cmocka_unit_test(test_what_is_to_be_told_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
