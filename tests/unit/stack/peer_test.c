/* Which server has an address, of as many servers as a rack may have. */
#include "forge.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SELF = 5, FIRST = 0x0a630001 };

static struct capy_ip ip6_of(uint16_t id)
{
    return (struct capy_ip){{0x20, 1, 0xd, 0xb8, [14] = 0x77, [15] = (uint8_t)id}};
}

/* Every other one has a second address. */
static struct capy_stack_cfg rack(uint16_t peer_cnt)
{
    struct capy_stack_cfg cfg = forge_cfg();
    cfg.self = SELF;
    cfg.peer_cnt = peer_cnt;
    for (uint16_t i = 0; i < peer_cnt; i++) {
        cfg.peers[i].ip = capy_ip_from_v4(FIRST + i);
        if (i % 2 == 1)
            cfg.peers[i].ip6 = ip6_of(i);
    }
    cfg.ip = cfg.peers[SELF].ip;
    cfg.ip6 = cfg.peers[SELF].ip6;
    cfg.tor.ip = capy_ip_from_v4(FIRST + 200);
    return cfg;
}

static void each_address_is_its_server_s(void **state)
{
    (void)state;
    struct capy_stack_cfg cfg = rack(CAPY_STACK_PEER_MAX);
    struct forge f;
    forge_open(&f, &cfg);
    for (uint16_t i = 0; i < CAPY_STACK_PEER_MAX; i++) {
        struct capy_ip ip6 = ip6_of(i);
        assert_int_equal(capy_peer_of(f.s, &cfg.peers[i].ip), i);
        assert_true(capy_is_peer(f.s, &cfg.peers[i].ip));
        assert_int_equal(capy_peer_of(f.s, &ip6), i % 2 == 1 ? i : CAPY_SERVER_ANY);
        assert_int_equal(capy_is_peer(f.s, &ip6), i % 2 == 1);
    }
    forge_close(&f);
}

static void nobody_else_has_one(void **state)
{
    (void)state;
    struct capy_stack_cfg cfg = rack(CAPY_STACK_PEER_MAX);
    struct capy_ip unset = {{0}};
    struct forge f;
    forge_open(&f, &cfg);
    assert_int_equal(capy_peer_of(f.s, &unset), CAPY_SERVER_ANY); /* not who has no second one */
    assert_int_equal(capy_peer_of(f.s, &cfg.tor.ip), CAPY_SERVER_ANY);
    for (uint32_t i = CAPY_STACK_PEER_MAX; i < 100000; i++) {
        struct capy_ip ip = capy_ip_from_v4(FIRST + i);
        assert_int_equal(capy_peer_of(f.s, &ip), CAPY_SERVER_ANY);
        assert_false(capy_is_peer(f.s, &ip));
    }
    forge_close(&f);
}

static void the_first_of_two_has_it(void **state)
{
    (void)state;
    struct capy_stack_cfg cfg = rack(8);
    struct forge f;
    cfg.peers[7].ip = cfg.peers[3].ip;
    forge_open(&f, &cfg);
    assert_int_equal(capy_peer_of(f.s, &cfg.peers[7].ip), 3);
    forge_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_address_is_its_server_s),
        cmocka_unit_test(nobody_else_has_one),
        cmocka_unit_test(the_first_of_two_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
