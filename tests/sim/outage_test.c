/* The switch is gone for seconds, and back: what servers had to say meanwhile, they say as soon as the new one
 * knows them, and not when a timeout that has doubled again and again runs out. */
#include "one.h"

/* Timeouts at 0.2, 0.6, 1.4, 3, 6.2 s: outages that end long before the next one. Away from home a longer one
 * suspends the connection, whose timeout is then over when it goes on. */
#define OUTAGE_HOME_NS CAPY_SEC(4)
#define OUTAGE_AWAY_NS CAPY_MS(800)
#define SOON_NS CAPY_MS(250)

static void cut(bool all)
{
    r.faults = (struct sim_faults){.loss_ppm = all ? 1000000 : 0};
}

/* owner: where the connection is by then; 0 is its home. */
static void answers_soon(unsigned owner)
{
    one_begin(7 + owner);
    open_one();
    run_for(CAPY_MS(1));
    if (owner != 0)
        move_to((uint16_t)owner);
    say(SIM_CLIENT, client, 100); /* round trips have been timed at both ends */
    say(owner, server, 100);
    run_for(CAPY_MS(500));
    cut(true);
    say(owner, server, 1000);
    run_for(owner == 0 ? OUTAGE_HOME_NS : OUTAGE_AWAY_NS);
    assert_int_equal(heard(SIM_CLIENT, client), 100);
    cut(false);
    sim_reboot_switch(&r);
    run_for(SOON_NS);
    assert_int_equal(heard(SIM_CLIENT, client), 1100);
    assert_false(ended_early);
    sim_free(&r);
}

static void from_home(void **state)
{
    (void)state;
    answers_soon(0);
}

static void from_where_it_moved(void **state)
{
    (void)state;
    answers_soon(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(from_home),
                                       cmocka_unit_test(from_where_it_moved)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
