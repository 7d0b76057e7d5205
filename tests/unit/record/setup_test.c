/* record/setup: what goes in comes out, and bytes that are no setup are refused. */
#include "record/setup.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char rack[] = "rack: {\n    mtu = 1500;\n};\n";

static struct capy_record_setup sample(void)
{
    return (struct capy_record_setup){.kind = CAPY_RECORD_PLANE,
                                      .build = "1.2.3",
                                      .calls = "none input (u16, port)\n",
                                      .self = "s1",
                                      .whole_frames = true,
                                      .wall_ns = 1764253812000000001u,
                                      .now = 77,
                                      .hash_key = {UINT64_MAX, 1},
                                      .incarnation = 0x80,
                                      .rack = rack,
                                      .rack_len = sizeof rack - 1};
}

static void test_round_trip(void **state)
{
    (void)state;
    uint8_t bytes[512];
    struct capy_record_setup in = sample(), out;
    size_t len = capy_record_setup_encode(&in, bytes, sizeof bytes);
    assert_true(len > 0);
    assert_true(capy_record_setup_decode(&out, bytes, len));
    assert_int_equal(out.kind, in.kind);
    assert_string_equal(out.build, in.build);
    assert_string_equal(out.calls, in.calls);
    assert_string_equal(out.self, in.self);
    assert_true(out.whole_frames);
    assert_true(out.wall_ns == in.wall_ns && out.now == in.now);
    assert_true(out.hash_key.k0 == UINT64_MAX && out.hash_key.k1 == 1);
    assert_true(out.incarnation == in.incarnation);
    assert_int_equal(out.rack_len, in.rack_len);
    assert_string_equal(out.rack, rack);
}

static void test_every_length_is_needed(void **state)
{
    (void)state;
    uint8_t bytes[512], some[512];
    struct capy_record_setup in = sample(), out;
    size_t len = capy_record_setup_encode(&in, bytes, sizeof bytes);
    for (size_t n = 0; n < len; n++) {
        assert_int_equal(capy_record_setup_encode(&in, some, n), 0);
        memcpy(some, bytes, n);
        assert_false(capy_record_setup_decode(&out, some, n));
    }
    bytes[len] = 0;
    assert_false(capy_record_setup_decode(&out, bytes, len + 1)); /* nothing may follow */
}

/* Texts of a recording are used as strings: whatever the bytes are, each ends inside of them. */
static void test_any_byte_may_be_wrong(void **state)
{
    (void)state;
    uint8_t bytes[512], wrong[512];
    struct capy_record_setup in = sample(), out;
    size_t len = capy_record_setup_encode(&in, bytes, sizeof bytes);
    for (size_t i = 0; i < len; i++)
        for (unsigned v = 0; v < 256; v++) {
            memcpy(wrong, bytes, len);
            wrong[i] = (uint8_t)v;
            if (!capy_record_setup_decode(&out, wrong, len))
                continue;
            assert_true(strlen(out.build) + strlen(out.calls) + strlen(out.self) < len);
            assert_true(out.rack_len < len && out.rack[out.rack_len] == 0);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_length_is_needed),
        cmocka_unit_test(test_any_byte_may_be_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
