/* The load metric that HEARTBEATs carry. */
#include "rig.h"

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

static uint32_t stack_load(unsigned server)
{
    struct capy_stack_status st;
    capy_stack_status(rig.os[server]->stack, &st);
    return st.load;
}

static void requests_in_hand_are_the_load(void **state)
{
    (void)state;
    int qd[5];
    capy_handle c[5];
    for (unsigned i = 0; i < 5; i++) {
        c[i] = rig_connect(&rig, 0, &qd[i]);
        assert_int_equal(capy_pop(rig.os[0], qd[i], 0), CAPY_OK);
    }
    rig_turns(&rig, 1000);
    assert_int_equal(stack_load(0), 0);
    for (unsigned i = 0; i < 4; i++)
        rig_client_send(&rig, c[i], "work");
    rig_turns(&rig, 1000);
    assert_int_equal(stack_load(0), 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(capy_consume(rig.os[0], qd[i], 4), CAPY_OK);
        assert_int_equal(capy_pop(rig.os[0], qd[i], 0), CAPY_OK);
    }
    rig_turns(&rig, 1000);
    assert_int_equal(stack_load(0), 0);
}

/* Requests of one size, one behind the other on one connection: each is work. */
static void pipelined_requests_count_each(void **state)
{
    (void)state;
    int qd;
    capy_handle c = rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    rig_client_send(&rig, c, "one two too far off");
    (void)rig_expect(&rig, 0, CAPY_OP_POP);
    assert_int_equal(rig.os[0]->load.in_hand, 1);
    assert_int_equal(capy_consume(rig.os[0], qd, 4), CAPY_OK);
    assert_int_equal(rig.os[0]->load.in_hand, 1 + 15 / 4);
    rig_turns(&rig, 1000);
    assert_int_equal(stack_load(0), 4);
    assert_int_equal(capy_consume(rig.os[0], qd, 15), CAPY_OK);
    assert_int_equal(rig.os[0]->load.in_hand, 1);
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    assert_int_equal(rig.os[0]->load.in_hand, 0);
}

static void a_burst_of_a_moment_is_smoothed(void **state)
{
    (void)state;
    rig.os[0]->load.in_hand += 100;
    rig_turns(&rig, 5);
    assert_true(stack_load(0) > 0 && stack_load(0) < 10);
    rig.os[0]->load.in_hand -= 100;
    rig_turns(&rig, 1000);
    assert_int_equal(stack_load(0), 0);
}

static void the_applications_word_counts(void **state)
{
    (void)state;
    capy_set_load(rig.os[0], 77);
    rig_turns(&rig, 100);
    assert_int_equal(stack_load(0), 77);
}

int main(void)
{
#define IN_RIG(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)
    const struct CMUnitTest tests[] = {
        IN_RIG(requests_in_hand_are_the_load),
        IN_RIG(pipelined_requests_count_each),
        IN_RIG(a_burst_of_a_moment_is_smoothed),
        IN_RIG(the_applications_word_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
