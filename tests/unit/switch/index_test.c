/* The index of servers: every address of a rack of any size leads to its server, and no other does. */
#include "base/prng.h"
#include "switch/core/index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct capy_switch_cfg cfg;
static struct capy_index idx;

static struct capy_ip v4(unsigned i)
{
    return capy_ip_from_v4(0x0a000001u + i);
}

static struct capy_ip v6(unsigned i)
{
    return (struct capy_ip){{0xfd, 0x99, [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i}};
}

/* As addresses are given: one after the other. */
static void make_rack(unsigned cnt, bool both)
{
    cfg = (struct capy_switch_cfg){.server_cnt = (uint16_t)cnt};
    for (unsigned i = 0; i < cnt; i++) {
        cfg.server[i].mac = (struct capy_mac){{2, 0xca, 10, 99, 0, (uint8_t)i}};
        cfg.server[i].ip = v4(i);
        if (both)
            cfg.server[i].ip6 = v6(i);
    }
    capy_index_build(&idx, &cfg);
}

static uint16_t of_mac(unsigned last)
{
    const struct capy_mac mac = {{2, 0xca, 10, 99, 0, (uint8_t)last}};
    return capy_index_server_of_mac(&idx, &cfg, capy_l2_word(mac.b));
}

static uint16_t of(struct capy_ip ip)
{
    return capy_index_server_of(&idx, &cfg, &ip);
}

static void every_server_is_found(void **state)
{
    (void)state;
    for (unsigned cnt = 0; cnt <= CAPY_SWITCH_SERVER_MAX; cnt++) {
        make_rack(cnt, cnt % 2);
        for (unsigned i = 0; i < 200; i++) {
            uint16_t is = i < cnt ? (uint16_t)i : CAPY_SERVER_ANY;
            assert_int_equal(of_mac(i), is);
            assert_int_equal(of(v4(i)), is);
            assert_int_equal(of(v6(i)), cnt % 2 ? is : CAPY_SERVER_ANY);
        }
    }
}

static void strangers_are_nobody(void **state)
{
    (void)state;
    struct capy_prng prng;
    capy_prng_seed(&prng, 3);
    make_rack(CAPY_SWITCH_SERVER_MAX, true);
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t r = capy_prng_next(&prng);
        struct capy_ip ip = capy_ip_from_v4((uint32_t)r | 0x80000000u);
        assert_int_equal(of(ip), CAPY_SERVER_ANY);
        assert_int_equal(capy_index_server_of_mac(&idx, &cfg, (r >> 16) | 1ull << 47),
                         CAPY_SERVER_ANY);
    }
}

/* A server without an IPv6 address has all zeros there, which is nobody's address. */
static void no_address_is_nobodys(void **state)
{
    (void)state;
    make_rack(3, false);
    assert_int_equal(of((struct capy_ip){{0}}), CAPY_SERVER_ANY);
}

static void the_first_of_two_has_it(void **state)
{
    (void)state;
    make_rack(3, false);
    cfg.server[2].ip = cfg.server[1].ip;
    cfg.server[2].mac = cfg.server[1].mac;
    capy_index_build(&idx, &cfg);
    assert_int_equal(of(v4(1)), 1);
    assert_int_equal(of_mac(1), 1);
    assert_int_equal(of(v4(2)), CAPY_SERVER_ANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_server_is_found),
        cmocka_unit_test(strangers_are_nobody),
        cmocka_unit_test(no_address_is_nobodys),
        cmocka_unit_test(the_first_of_two_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
