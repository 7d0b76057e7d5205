/* wire/udp_way: headers written once are, byte for byte, those that are written each time. */
#include "base/prng.h"
#include "wire/frame.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { DATA_MAX = 1448 };

static struct capy_ip ip6(uint8_t last)
{
    return (struct capy_ip){{0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, last}};
}

static struct capy_frame_to way_to(bool v4)
{
    return (struct capy_frame_to){
        .dst_mac = {{2, 0xca, 0, 0, 0, 0xff}},
        .src_mac = {{2, 0xca, 0, 0, 0, 1}},
        .src = v4 ? capy_ip_from_v4(0xfffefdfcu) : ip6(1),
        .dst = v4 ? capy_ip_from_v4(0x0a630004u) : ip6(0xff),
        .src_port = 61000,
        .dst_port = 10000,
    };
}

static void test_every_length_is_as_if_built_alone(void **state)
{
    (void)state;
    static uint8_t one[CAPY_FRAME_MAX], other[CAPY_FRAME_MAX];
    struct capy_prng r;
    capy_prng_seed(&r, 7);
    for (unsigned v4 = 0; v4 < 2; v4++) {
        struct capy_frame_to to = way_to(v4);
        struct capy_udp_way way;
        capy_udp_way_init(&way, &to);
        size_t at = v4 ? CAPY_UDP_AT : CAPY_UDP_AT6;
        for (size_t len = 0; len <= DATA_MAX; len++) {
            for (size_t i = 0; i < len; i++)
                one[at + i] = other[at + i] = (uint8_t)capy_prng_next(&r);
            size_t built = capy_frame_build_udp(one, &to, len);
            assert_int_equal(capy_udp_way_wrap(&way, other, len), built);
            assert_memory_equal(one, other, built);
        }
    }
}

/* RFC 768: a checksum that comes out as zero is sent as all ones. */
static void test_no_datagram_goes_without_a_checksum(void **state)
{
    (void)state;
    uint8_t frame[CAPY_UDP_AT + 2];
    struct capy_frame_to to = way_to(true);
    struct capy_udp_way way;
    unsigned ones = 0;
    capy_udp_way_init(&way, &to);
    for (unsigned v = 0; v <= UINT16_MAX; v++) {
        capy_store16(frame + CAPY_UDP_AT, (uint16_t)v);
        (void)capy_udp_way_wrap(&way, frame, 2);
        uint16_t check = capy_load16(frame + CAPY_UDP_AT - 2);
        assert_int_not_equal(check, 0);
        ones += check == UINT16_MAX;
    }
    assert_in_range(ones, 1, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length_is_as_if_built_alone),
        cmocka_unit_test(test_no_datagram_goes_without_a_checksum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
