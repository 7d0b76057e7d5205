/* Two endpoints joined by a pipe that loses, repeats, reorders and delays: whatever the seed, each
 * side reads exactly what the other wrote, both end in order, and no block is left behind. */
#include "pair.h"

#include <stdio.h>

/* A quarter of the runs over the perfect network, the rest ever worse. */
static void test_every_byte_arrives_once_whatever_the_network_does(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 48; seed++) {
        struct pair p;
        pair_init(&p, seed, 1u << 20);
        p.loss_ppm = (uint32_t)(seed % 4) * 20000;
        p.repeat_ppm = (uint32_t)(seed % 3) * 10000;
        p.reorder_ppm = (uint32_t)(seed % 5) * 20000;
        p.side[0].e.cfg.congestion = (uint8_t)(seed % CAPY_TCP_CONGESTION_CNT);
        p.side[1].e.cfg.congestion = (uint8_t)(seed / 2 % CAPY_TCP_CONGESTION_CNT);
        p.side[0].e.cfg.ecn = seed & 1 ? CAPY_TCP_ECN_OFFER : CAPY_TCP_ECN_ACCEPT;
        p.mark_ppm = (uint32_t)(seed % 3) * 50000;
        if (seed % 7 == 0)
            p.no_sack = true;
        if (seed % 6 == 0)
            p.side[1].read_max = 700; /* a reader that lags closes the window */
        pair_open(&p);
        while (pair_step(&p))
            ;
        pair_check(&p);
        pair_done(&p);
    }
}

/* A pool that runs dry drops and recovers; it never corrupts. */
static void test_a_small_pool_slows_down_and_loses_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct pair p;
        pair_init_blocks(&p, seed, 100000, 20);
        p.loss_ppm = 30000;
        pair_open(&p);
        while (pair_step(&p))
            ;
        pair_check(&p);
        pair_done(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_arrives_once_whatever_the_network_does),
        cmocka_unit_test(test_a_small_pool_slows_down_and_loses_nothing),
    };
    printf("sizeof(struct capy_tcp) = %zu\n", sizeof(struct capy_tcp));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
