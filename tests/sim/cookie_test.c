/* SYN cookies beside migration, in a whole rack (rack_test.c has the rest). */
#include "world.h"

/* Cookies sent and brought back at their servers; and segments that were taken for one and were
 * none. */
static uint64_t cookies(bool bad)
{
    uint64_t sum = 0;
    for (unsigned h = 0; h < SIM_SERVERS; h++) {
        const struct capy_stack_counters *n = capy_stack_counters(w.r.host[h]);
        sum += bad ? n->syn_cookies_bad : n->syn_cookies_ok;
    }
    return sum;
}

/* Connections that came by SYN cookies move like any other; and for as long as cookies count, frames
 * of flows that are away, also late and relayed ones, are taken for none. */
static void cookies_and_moves(void **state)
{
    (void)state;
    world_init(600);
    for (unsigned h = 0; h < SIM_SERVERS; h++)
        w.r.cfg[h].syn_backlog_max = 1;
    world_start();
    open_streams(24, 1u << 30, 1u << 30); /* eight at once to each */
    uint64_t came = cookies(false);
    assert_true(came >= 12);
    for (int step = 0; step < 3000; step++) {
        churn(CAPY_US(300), 6000, 400000);
        if (step % 1000 == 500)
            sim_reboot_switch(&w.r);
    }
    assert_true(w.st.moved > 300);
    assert_int_equal(cookies(false), came);
    assert_int_equal(cookies(true), 0);
    cut_streams();
    finish();
    no_leak();
    sim_free(&w.r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cookies_and_moves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
