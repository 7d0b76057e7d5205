/* The snapshot's integers: what is written reads back, one value has one form, nothing overruns. */
#include "harness.h"

#include "tcp/codec.h"

static const uint64_t edges[] = {0,
                                 1,
                                 63,
                                 64,
                                 16383,
                                 16384,
                                 (1u << 30) - 1,
                                 1u << 30,
                                 UINT32_MAX,
                                 UINT64_C(1) << 32,
                                 CAPY_CODEC_INT_MAX};

static void test_integers_read_back_and_only_in_their_shortest_form(void **state)
{
    (void)state;
    static const uint32_t lens[] = {1, 1, 1, 2, 2, 4, 4, 8, 8, 8, 8};
    for (uint32_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        uint8_t buf[8];
        uint64_t v = edges[i];
        struct capy_codec c = {.p = buf, .max = sizeof buf};
        capy_codec_int(&c, &v);
        assert_int_equal(c.at, lens[i]);
        for (uint32_t max = 0; max <= lens[i]; max++) {
            struct capy_codec d = {.p = buf, .max = max, .decoding = true};
            uint64_t got = 5;
            capy_codec_int(&d, &got);
            assert_int_equal(d.bad, max < lens[i]);
            assert_int_equal(got, max < lens[i] ? 0 : edges[i]);
        }
    }
    uint8_t longer[] = {0x40, 0x3f}; /* 63 in two bytes */
    struct capy_codec d = {.p = longer, .max = sizeof longer, .decoding = true};
    uint64_t got;
    capy_codec_int(&d, &got);
    assert_true(d.bad);
}

static void test_narrow_fields_refuse_wide_values(void **state)
{
    (void)state;
    uint8_t buf[8];
    uint64_t v = 65536;
    uint16_t narrow = 7;
    struct capy_codec c = {.p = buf, .max = sizeof buf};
    capy_codec_int(&c, &v);
    struct capy_codec d = {.p = buf, .max = c.at, .decoding = true};
    capy_codec_u16(&d, &narrow);
    assert_true(d.bad);
    assert_int_equal(narrow, 0);
}

/* Whatever is left in the buffer: what follows a mistake cannot be trusted. */
static void test_after_a_mistake_everything_is_zero(void **state)
{
    (void)state;
    uint8_t buf[] = {0x40, 0x3f, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9};
    struct capy_codec d = {.p = buf, .max = sizeof buf, .decoding = true};
    uint64_t wide = 5, fixed64 = 5;
    uint32_t fixed32 = 5;
    uint16_t narrow = 5;
    uint8_t byte = 5, bytes[2] = {5, 5};
    capy_codec_int(&d, &wide); /* 63 in two bytes */
    assert_true(d.bad);
    capy_codec_int(&d, &wide);
    capy_codec_u16(&d, &narrow);
    capy_codec_u8(&d, &byte);
    capy_codec_fixed32(&d, &fixed32);
    capy_codec_fixed64(&d, &fixed64);
    capy_codec_bytes(&d, bytes, sizeof bytes);
    assert_true(wide == 0 && narrow == 0 && byte == 0 && fixed32 == 0 && fixed64 == 0);
    assert_true(bytes[0] == 0 && bytes[1] == 0);
}

/* Near the end there is no room for the eight bytes that are read or written at once. */
static void test_the_end_of_the_buffer_is_respected(void **state)
{
    (void)state;
    for (uint32_t room = 2; room < 12; room++) {
        uint8_t buf[12];
        uint64_t v = 16383, got = 0;
        uint8_t all = 255;
        memset(buf, 0xee, sizeof buf);
        struct capy_codec c = {.p = buf, .max = room};
        capy_codec_int(&c, &v);
        for (uint32_t i = c.at; i < room; i++)
            capy_codec_u8(&c, &all);
        for (uint32_t i = room; i < sizeof buf; i++)
            assert_int_equal(buf[i], 0xee);
        struct capy_codec d = {.p = buf, .max = room, .decoding = true};
        capy_codec_int(&d, &got);
        assert_true(got == v && !d.bad);
    }
}

/* A time means the same on a host whose clock shows something else, even something younger. */
static void test_times_move_between_clocks(void **state)
{
    (void)state;
    uint8_t buf[64];
    uint64_t at = CAPY_SEC(100), never = CAPY_NEVER, overdue = CAPY_SEC(1), past = CAPY_SEC(40);
    struct capy_codec c = {.p = buf, .max = sizeof buf, .now = CAPY_SEC(90)};
    capy_codec_deadline(&c, &at);
    capy_codec_deadline(&c, &never);
    capy_codec_deadline(&c, &overdue);
    capy_codec_age(&c, &past);
    struct capy_codec d = {.p = buf, .max = c.at, .decoding = true, .now = CAPY_SEC(3)};
    capy_codec_deadline(&d, &at);
    assert_int_equal(at, CAPY_SEC(13));
    capy_codec_deadline(&d, &never);
    assert_true(never == CAPY_NEVER);
    capy_codec_deadline(&d, &overdue);
    assert_int_equal(overdue, CAPY_SEC(3));
    capy_codec_age(&d, &past);
    assert_int_equal(CAPY_SEC(3) - past, CAPY_SEC(50));
    assert_false(d.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_read_back_and_only_in_their_shortest_form),
        cmocka_unit_test(test_narrow_fields_refuse_wide_values),
        cmocka_unit_test(test_after_a_mistake_everything_is_zero),
        cmocka_unit_test(test_the_end_of_the_buffer_is_respected),
        cmocka_unit_test(test_times_move_between_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
