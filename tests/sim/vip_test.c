/* Connections to the service address, step by step: the switch reboots, or a server dies, at every moment of a
 * handshake; a name is used again at once. */
#include "one.h"

enum { STEP_US = 5, STEPS = 80 }; /* the handshake, and a little more */

static enum capy_vip_policy policy;

static void begin(uint64_t seed)
{
    sim_init(&r, seed);
    sim_add_vip(&r, policy);
    one_start();
}

static void open_vip(void)
{
    struct capy_ip ip = sim_ip(SIM_VIP, r.version == SIM_IPV6_ALONE);
    connected = false;
    at = SIM_SERVERS;
    assert_int_equal(
        capy_stack_connect(r.host[SIM_CLIENT], &ip, SIM_SERVICE_PORT, ONE_PORT, 1, &client, r.now),
        CAPY_OK);
    sim_flush(&r, SIM_CLIENT);
}

/* Both sides hear each other, and the switch knows who runs it. */
static void speaks(void)
{
    assert_true(connected);
    assert_true(at < SIM_SERVERS);
    int64_t by_client = heard(SIM_CLIENT, client), by_server = heard(at, server);
    say(SIM_CLIENT, client, 700);
    say(at, server, 300);
    run_for(CAPY_SEC(1));
    assert_int_equal(heard(at, server), by_server + 700);
    assert_int_equal(heard(SIM_CLIENT, client), by_client + 300);
    assert_false(ended_early);
    assert_int_equal(capy_switch_entry_cnt(r.plane), 1);
}

static void a_switch_reboots_in_the_handshake(void **state)
{
    (void)state;
    for (unsigned step = 0; step < STEPS; step++) {
        begin(1 + step);
        open_vip();
        run_for(CAPY_US(step * STEP_US));
        sim_reboot_switch(&r);
        run_for(CAPY_SEC(3)); /* what was lost is repeated, and the switch has learned */
        speaks();
        move_to((uint16_t)((at + 1) % SIM_SERVERS));
        sim_reboot_switch(&r);
        run_for(CAPY_SEC(2));
        sim_free(&r);
    }
}

/* It opens with another server, or its client hears that it is over and may begin anew. */
static void a_server_dies_in_the_handshake(void **state)
{
    (void)state;
    unsigned over = 0;
    for (unsigned step = 0; step < STEPS; step++) {
        begin(1 + step);
        open_vip();
        run_for(CAPY_US(step * STEP_US));
        for (unsigned h = 0; h < SIM_SERVERS - 1; h++)
            sim_crash(&r, h, CAPY_MS(20) << step % 8);
        run_for(CAPY_SEC(4));
        if (connected && !ended_early)
            say(SIM_CLIENT, client, 100);
        run_for(CAPY_SEC(1));
        if (ended_early) {
            over++;
            ended_early = false;
            open_vip();
            run_for(CAPY_SEC(4));
        }
        speaks();
        sim_free(&r);
    }
    assert_in_range(over, 1, STEPS - 1);
}

static void the_name_is_used_again(void **state)
{
    (void)state;
    for (unsigned moves = 0; moves < 3; moves++) {
        begin(1 + moves);
        open_vip();
        run_for(CAPY_MS(1));
        shut(at, server);
        run_for(CAPY_MS(1));
        for (unsigned i = 0; i < moves; i++)
            move_to((uint16_t)((at + 1) % SIM_SERVERS));
        shut(SIM_CLIENT, client);
        run_for(CAPY_MS(1));
        assert_int_equal(capy_stack_close(r.host[at], server, r.now), CAPY_OK);
        sim_flush(&r, at);
        open_vip(); /* the one before is in TIME-WAIT there, at a higher epoch if it moved */
        for (int ms = 0; ms < 3000 && !connected; ms++) /* the same server may want a second SYN */
            run_for(CAPY_MS(1));
        sim_reboot_switch(&r); /* it has nothing to say to the new one */
        run_for(CAPY_SEC(2));
        speaks();
        sim_free(&r);
    }
}

static int by_maglev(void **state)
{
    (void)state;
    policy = CAPY_VIP_MAGLEV;
    return 0;
}

static int by_load(void **state)
{
    (void)state;
    policy = CAPY_VIP_LEAST_LOADED;
    return 0;
}

int main(void)
{
#define BY(how)                                                                                    \
    cmocka_unit_test_setup(a_switch_reboots_in_the_handshake, how),                                \
        cmocka_unit_test_setup(a_server_dies_in_the_handshake, how),                               \
        cmocka_unit_test_setup(the_name_is_used_again, how)
    const struct CMUnitTest tests[] = {BY(by_maglev), BY(by_load)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
