/* RST for segments of no connection: never while the switch may not know whose they are, and soon
 * when they are nobody's. */
#include "one.h"

/* Home died and came back, so it remembers nothing of what left it; and the switch has forgotten too
 * when the client's next segment comes. The connection lives at server 1. */
static void a_restarted_home_cuts_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        one_begin(seed);
        open_one();
        run_for(CAPY_MS(1));
        move_to(1);
        run_for(CAPY_SEC(1));
        sim_crash(&r, 0, CAPY_MS(1));
        run_for(CAPY_MS(400));
        sim_reboot_switch(&r);
        say(SIM_CLIENT, client, 1000); /* home gets it: the switch knows no better yet */
        run_for(CAPY_SEC(2));
        assert_false(ended_early);
        assert_int_equal(heard(1, server), 1000);
        sim_free(&r);
    }
}

/* A connection that died with its server: its client hears so within a few heartbeats. */
static void what_is_gone_is_reset_soon(void **state)
{
    (void)state;
    one_begin(1);
    open_one();
    run_for(CAPY_MS(1));
    sim_crash(&r, 0, CAPY_MS(1));
    run_for(CAPY_MS(50));
    say(SIM_CLIENT, client, 1000);
    run_for(3 * r.cfg[0].heartbeat_ns);
    assert_true(ended_early);
    sim_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restarted_home_cuts_nothing),
        cmocka_unit_test(what_is_gone_is_reset_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
