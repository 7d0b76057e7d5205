/* A port that is used again at once, while servers still have something of the connection that had
 * it: nothing of that may hurt the next one. */
#include "one.h"

/* The next connection of this name begins, at home, and works. */
static void begins_anew(void)
{
    for (int i = 0; i < 50 && !(connected && at == 0); i++)
        run_for(CAPY_MS(100));
    assert_true(connected);
    assert_int_equal(at, 0);
    say(SIM_CLIENT, client, 1000);
    say(0, server, 1000);
    run_for(CAPY_SEC(3));
    assert_false(ended_early);
    assert_int_equal(heard(SIM_CLIENT, client), 1000);
    assert_int_equal(heard(0, server), 1000);
    sim_free(&r);
}

static void close_server(void)
{
    assert_int_equal(capy_stack_close(r.host[at], server, r.now), CAPY_OK);
    sim_flush(&r, at);
}

/* The server closes first, so that it is the one in TIME-WAIT, and not at home. Its FIN passed the
 * switch from home, while the flow had no entry: the switch cannot know that both sides closed. */
static void after_its_time_wait_elsewhere(uint16_t back_to)
{
    one_begin(1 + back_to);
    open_one();
    run_for(CAPY_MS(1));
    assert_true(connected);
    shut(at, server);
    run_for(CAPY_MS(1));
    move_to(1);
    if (back_to != 1)
        move_to(back_to);
    shut(SIM_CLIENT, client);
    run_for(CAPY_MS(1));
    close_server();
    open_one();
    begins_anew();
}

static void time_wait_elsewhere_does_not_answer(void **state)
{
    (void)state;
    after_its_time_wait_elsewhere(1);
    after_its_time_wait_elsewhere(2);
    after_its_time_wait_elsewhere(0);
}

/* As above, and another move was being arranged, with a server that nobody reaches: what its origin
 * says in the end, CANCEL, must not take the name back. */
static void a_move_that_failed_does_not_take_the_name_back(void **state)
{
    (void)state;
    one_begin(1);
    for (unsigned h = 0; h < SIM_SERVERS; h++)
        r.cfg[h].tcp.time_wait_ns = CAPY_SEC(30);
    sim_crash(&r, 1, CAPY_MS(1)); /* it begins anew, with this time */
    run_for(CAPY_MS(400));
    open_one();
    run_for(CAPY_MS(1));
    move_to(1);
    r.cut_until[2][0] = r.now + CAPY_SEC(1);
    ask_to_move(2);
    shut(at, server);
    run_for(CAPY_MS(1));
    shut(SIM_CLIENT, client);
    run_for(CAPY_MS(1));
    close_server();
    open_one();
    run_for(CAPY_MS(200)); /* PREPARE_MIG is given up, by CANCEL */
    begins_anew();
}

/* The client is gone without a word, and the switch has just forgotten who has the connection: its
 * next SYN must not begin a second one at home beside the first, which will say that it is there. */
static void a_syn_while_the_switch_learns_goes_to_the_old_one(void **state)
{
    (void)state;
    one_begin(1);
    r.switch_cfg.learn_ns = CAPY_MS(200);
    open_one();
    run_for(CAPY_MS(1));
    move_to(1);
    run_for(CAPY_SEC(1));
    r.cut_until[SIM_CLIENT][1] = r.now + 1;
    assert_int_equal(capy_stack_abort(r.host[SIM_CLIENT], client, r.now), CAPY_OK);
    sim_flush(&r, SIM_CLIENT); /* its RST is lost */
    r.cut_until[1][0] = r.now + CAPY_MS(50);
    sim_reboot_switch(&r);
    run_for(CAPY_MS(20)); /* home has heard of it, server 1 has not */
    open_one();
    begins_anew();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_wait_elsewhere_does_not_answer),
        cmocka_unit_test(a_move_that_failed_does_not_take_the_name_back),
        cmocka_unit_test(a_syn_while_the_switch_learns_goes_to_the_old_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
