/* wire/arp and wire/ether: bytes as RFC 826 lays them out, and back. */
#include "wire/arp.h"
#include "wire/ether.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const uint8_t request[] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0xca, 10, 0, 0, 1, 0x08, 0x06, /* Ethernet */
    0x00, 0x01, 0x08, 0x00, 6,    4,    0x00, 0x01,                          /* IPv4, request */
    0x02, 0xca, 10,   0,    0,    1,    10,   0,    0,  1,                   /* sender */
    0,    0,    0,    0,    0,    0,    10,   0,    0,  2,                   /* target */
};

static const struct capy_mac broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
static const struct capy_mac sender = {{0x02, 0xca, 10, 0, 0, 1}};

static void builds_the_rfc_layout(void **state)
{
    (void)state;
    struct capy_arp arp = {.op = CAPY_ARP_REQUEST,
                           .sender_mac = sender,
                           .sender_ip = capy_ip_from_v4(0x0a000001u),
                           .target_ip = capy_ip_from_v4(0x0a000002u)};
    uint8_t frame[64];
    assert_int_equal(capy_arp_build(frame, &broadcast, &arp), 42);
    assert_memory_equal(frame, request, sizeof request);
}

static void parses_what_it_built(void **state)
{
    (void)state;
    struct capy_arp arp;
    assert_true(capy_arp_parse(request + CAPY_ETHER_LEN, CAPY_ARP_LEN, &arp));
    assert_int_equal(arp.op, CAPY_ARP_REQUEST);
    assert_true(capy_mac_eq(&arp.sender_mac, &sender));
    assert_int_equal(capy_ip_v4(&arp.sender_ip), 0x0a000001u);
    assert_int_equal(capy_ip_v4(&arp.target_ip), 0x0a000002u);
    assert_true(capy_ip_is_v4(&arp.target_ip));
}

static void other_hardware_protocol_or_operation_is_refused(void **state)
{
    (void)state;
    for (size_t at = 0; at < 8; at++) {
        uint8_t p[CAPY_ARP_LEN];
        struct capy_arp arp;
        memcpy(p, request + CAPY_ETHER_LEN, sizeof p);
        p[at] ^= 0x10;
        assert_false(capy_arp_parse(p, sizeof p, &arp));
    }
}

static void every_short_length_is_refused(void **state)
{
    (void)state;
    struct capy_arp arp;
    for (size_t len = 0; len < CAPY_ARP_LEN; len++)
        assert_false(capy_arp_parse(request + CAPY_ETHER_LEN, len, &arp));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_the_rfc_layout),
        cmocka_unit_test(parses_what_it_built),
        cmocka_unit_test(other_hardware_protocol_or_operation_is_refused),
        cmocka_unit_test(every_short_length_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
