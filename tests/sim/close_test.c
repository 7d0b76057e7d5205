/* The end of a connection that moved, over a network that loses the last of it: the flow's entry must
 * last until the client has all. */
#include "one.h"

/* Both FINs have passed the switch, but what the server sent with its own does not arrive for much
 * longer than linger_ns, nor does anything else from either side pass meanwhile. */
static void the_last_bytes_arrive_late(void **state)
{
    (void)state;
    one_begin(1);
    open_one();
    run_for(CAPY_MS(1));
    move_to(1);
    shut(SIM_CLIENT, client);
    run_for(CAPY_MS(1));
    r.cut_until[SIM_CLIENT][0] = r.now + CAPY_SEC(20);
    say(1, server, 1000);
    shut(1, server);
    assert_int_equal(capy_stack_close(r.host[1], server, r.now), CAPY_OK);
    sim_flush(&r, 1);
    run_for(CAPY_SEC(60));
    assert_false(ended_early);
    bool fin = false;
    assert_int_equal(capy_stack_readable(r.host[SIM_CLIENT], client, &fin), 1000);
    assert_true(fin);
    sim_free(&r);
}

/* Its origin has not heard yet that it arrived, a further move has failed, and then it ends: the origin
 * must still be told, and not be given back what is over. */
static void the_origin_hears_last(void **state)
{
    (void)state;
    one_begin(1);
    open_one();
    run_for(CAPY_MS(1));
    ask_to_move(1);
    while (at == 0)
        run_for(CAPY_US(1));
    r.cut_until[0][0] = r.now + CAPY_MS(250); /* no CONN_STATE_ACK */
    r.cut_until[2][0] = r.now + CAPY_SEC(1);
    ask_to_move(2);
    run_for(CAPY_MS(150)); /* given up, by CANCEL: another epoch */
    shut(SIM_CLIENT, client);
    run_for(CAPY_MS(1));
    shut(1, server);
    assert_int_equal(capy_stack_close(r.host[1], server, r.now), CAPY_OK);
    sim_flush(&r, 1);
    run_for(CAPY_SEC(5));
    assert_false(home_kept);
    sim_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_bytes_arrive_late),
        cmocka_unit_test(the_origin_hears_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
