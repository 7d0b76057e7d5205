/* Endpoints as people write them (apps/common/endpoint.h), and which of them are near enough for load
 * without being asked twice (apps/load/near.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "apps/load/near.h"

static void endpoints_are_read_and_written_alike(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *whole;
    } rows[] = {
        {"10.99.0.11", "10.99.0.11", "10.99.0.11:80"},
        {"10.99.0.11:8080", "10.99.0.11", "10.99.0.11:8080"},
        {"fd99::11", "[fd99::11]", "[fd99::11]:80"},
        {"[fd99::11]", "[fd99::11]", "[fd99::11]:80"},
        {"[fd99::11]:8080", "[fd99::11]", "[fd99::11]:8080"},
        {"[FD99:0:0:0:0:0:0:11]:1", "[fd99::11]", "[fd99::11]:1"},
        {"::1", "[::1]", "[::1]:80"},
        {"fd99:1:2:3:4:5:6:7", "[fd99:1:2:3:4:5:6:7]", "[fd99:1:2:3:4:5:6:7]:80"},
        {"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        union capy_endpoint e;
        char text[CAPY_ENDPOINT_TEXT_MAX];
        assert_true(capy_endpoint_parse(rows[i].text, 80, &e));
        assert_string_equal(capy_endpoint_host(&e, text), rows[i].host);
        assert_string_equal(capy_endpoint_text(&e, text), rows[i].whole);
        assert_int_equal(e.any.sa_family, strchr(rows[i].host, '[') ? AF_INET6 : AF_INET);
        assert_int_equal(capy_endpoint_len(&e), e.any.sa_family == AF_INET6 ? 28 : 16);
    }
}

static void what_is_no_endpoint_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      ":80",
                                      "10.99.0",
                                      "10.99.0.11:",
                                      "10.99.0.11:65536",
                                      "10.99.0.11:0",
                                      "10.99.0.11:x",
                                      "fd99::11:80:",
                                      "[fd99::11",
                                      "fd99::11]",
                                      "[fd99::11]80",
                                      "[fd99::11]:",
                                      "[fd99::11]:-1",
                                      "[10.99.0.11]:80",
                                      "fd99::11::80",
                                      "[]:80",
                                      "host:80",
                                      "[fe80::1%eth0]",
                                      " fd99::11",
                                      "1:2:3:4:5:6:7:8:9",
                                      "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2550]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        union capy_endpoint e;
        if (capy_endpoint_parse(bad[i], 80, &e))
            fail_msg("\"%s\" was taken for an endpoint", bad[i]);
    }
}

static void rack_file_values_are_endpoints(void **state)
{
    (void)state;
    const uint8_t mapped[16] = {[10] = 0xff, 0xff, 10, 99, 0, 11};
    const uint8_t local[16] = {0xfd, 0x99, [15] = 0x11};
    union capy_endpoint e;
    char text[CAPY_ENDPOINT_TEXT_MAX];
    capy_endpoint_make(mapped, 80, &e);
    assert_string_equal(capy_endpoint_text(&e, text), "10.99.0.11:80");
    assert_string_equal(capy_address_text(mapped, text), "10.99.0.11");
    capy_endpoint_make(local, 80, &e);
    assert_string_equal(capy_endpoint_text(&e, text), "[fd99::11]:80");
    assert_string_equal(capy_address_text(local, text), "fd99::11");
}

/* Loopback is a network of ours; nobody's is in what is reserved (RFC 1112 §4) or discarded
 * (RFC 6666). */
static void only_networks_of_this_machine_are_near(void **state)
{
    (void)state;
    union capy_endpoint e;
    assert_true(capy_endpoint_parse("127.1.2.3", 80, &e) && load_is_near(&e));
    assert_true(capy_endpoint_parse("240.0.0.1", 80, &e));
    assert_false(load_is_near(&e));
    assert_true(capy_endpoint_parse("100::1", 80, &e));
    assert_false(load_is_near(&e));
    assert_true(capy_endpoint_parse("::2", 80, &e)); /* beside ::1/128 */
    assert_false(load_is_near(&e));
    assert_true(capy_endpoint_parse("0.0.0.0", 80, &e)); /* as ::1 begins */
    assert_false(load_is_near(&e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_are_read_and_written_alike),
        cmocka_unit_test(what_is_no_endpoint_is_refused),
        cmocka_unit_test(rack_file_values_are_endpoints),
        cmocka_unit_test(only_networks_of_this_machine_are_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
