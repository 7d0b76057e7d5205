/* ICMP errors that quote TCP segments: kinds, MTUs, quoted names, and every way to be cut short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/icmp_error.h"

enum { HEAD = 8, V4 = 20, V6 = 40, TCP = 8 };

/* An error of either version about a segment from port 80 to port 1234 with sequence number
 * 0xfffffff0, and 4 more bytes of it. */
static struct capy_packet error_v4(uint8_t *m, uint8_t type, uint8_t code, uint16_t mtu)
{
    memset(m, 0, HEAD + V4 + TCP + 4);
    m[0] = type;
    m[1] = code;
    capy_store16(m + 6, mtu);
    uint8_t *ip = m + HEAD, *tcp = ip + V4;
    ip[0] = 0x45;
    ip[9] = 6;
    capy_store32(ip + 12, 0x0a000001u);
    capy_store32(ip + 16, 0x0a000002u);
    capy_store16(tcp, 80);
    capy_store16(tcp + 2, 1234);
    capy_store32(tcp + 4, 0xfffffff0u);
    return (struct capy_packet){.kind = CAPY_PACKET_ICMP,
                                .icmp = {type, code, m, HEAD + V4 + TCP + 4}};
}

static struct capy_packet error_v6(uint8_t *m, uint8_t type, uint8_t code, uint32_t mtu)
{
    memset(m, 0, HEAD + V6 + TCP + 4);
    m[0] = type;
    m[1] = code;
    capy_store32(m + 4, mtu);
    uint8_t *ip = m + HEAD, *tcp = ip + V6;
    ip[0] = 0x60;
    ip[6] = 6;
    ip[8] = 0xfd;
    ip[23] = 1;
    ip[24] = 0xfd;
    ip[39] = 2;
    capy_store16(tcp, 80);
    capy_store16(tcp + 2, 1234);
    capy_store32(tcp + 4, 0xfffffff0u);
    return (struct capy_packet){.kind = CAPY_PACKET_ICMP6,
                                .icmp = {type, code, m, HEAD + V6 + TCP + 4}};
}

/* RFC 9293 §3.9.2.2: MUST-55 (source quench), MUST-56 (soft), SHLD-26 (hard). */
static void test_kinds_of_both_versions(void **state)
{
    (void)state;
    static const struct {
        uint8_t type, code, advice;
    } v4[] =
        {
            {3, 0, CAPY_ICMP_SOFT},    {3, 1, CAPY_ICMP_SOFT},    {3, 2, CAPY_ICMP_HARD},
            {3, 3, CAPY_ICMP_HARD},    {3, 4, CAPY_ICMP_TOO_BIG}, {3, 5, CAPY_ICMP_SOFT},
            {3, 13, CAPY_ICMP_SOFT},   {11, 0, CAPY_ICMP_SOFT},   {11, 1, CAPY_ICMP_SOFT},
            {12, 0, CAPY_ICMP_SOFT},   {4, 0, CAPY_ICMP_NOTHING}, {0, 0, CAPY_ICMP_NOTHING},
            {5, 1, CAPY_ICMP_NOTHING},
        },
      v6[] = {
          {1, 0, CAPY_ICMP_SOFT},      {1, 3, CAPY_ICMP_SOFT},    {1, 4, CAPY_ICMP_HARD},
          {1, 6, CAPY_ICMP_SOFT},      {2, 0, CAPY_ICMP_TOO_BIG}, {3, 0, CAPY_ICMP_SOFT},
          {4, 0, CAPY_ICMP_SOFT},      {4, 1, CAPY_ICMP_HARD},    {129, 0, CAPY_ICMP_NOTHING},
          {137, 0, CAPY_ICMP_NOTHING},
      };
    uint8_t m[64];
    struct capy_icmp_error e;
    for (size_t i = 0; i < sizeof v4 / sizeof *v4; i++) {
        struct capy_packet p = error_v4(m, v4[i].type, v4[i].code, 0);
        assert_int_equal(capy_icmp_error_parse(&p, &e), v4[i].advice != CAPY_ICMP_NOTHING);
        assert_int_equal(e.advice, v4[i].advice);
    }
    for (size_t i = 0; i < sizeof v6 / sizeof *v6; i++) {
        struct capy_packet p = error_v6(m, v6[i].type, v6[i].code, 0);
        assert_int_equal(capy_icmp_error_parse(&p, &e), v6[i].advice != CAPY_ICMP_NOTHING);
        assert_int_equal(e.advice, v6[i].advice);
    }
}

static void test_the_quoted_segment_is_named(void **state)
{
    (void)state;
    uint8_t m[64];
    struct capy_icmp_error e;
    struct capy_packet p = error_v4(m, 3, 4, 1400);
    assert_true(capy_icmp_error_parse(&p, &e));
    assert_int_equal(e.mtu, 1400);
    assert_int_equal(capy_ip_v4(&e.src), 0x0a000001);
    assert_int_equal(capy_ip_v4(&e.dst), 0x0a000002);
    assert_int_equal(e.src_port, 80);
    assert_int_equal(e.dst_port, 1234);
    assert_int_equal(e.seq.v, 0xfffffff0u);
    p = error_v6(m, 2, 0, 70000);
    assert_true(capy_icmp_error_parse(&p, &e));
    assert_int_equal(e.mtu, 70000);
    assert_int_equal(e.src.b[15], 1);
    assert_int_equal(e.dst.b[15], 2);
    assert_int_equal(e.dst_port, 1234);
    assert_int_equal(e.seq.v, 0xfffffff0u);
}

/* RFC 792: options of the quoted header stand before the eight bytes. */
static void test_options_of_the_quoted_header_are_skipped(void **state)
{
    (void)state;
    uint8_t m[64], tcp[TCP + 4];
    struct capy_icmp_error e;
    struct capy_packet p = error_v4(m, 11, 0, 0);
    memcpy(tcp, m + HEAD + V4, sizeof tcp);
    m[HEAD] = 0x46;
    memset(m + HEAD + V4, 1, 4);
    memcpy(m + HEAD + V4 + 4, tcp, TCP);
    assert_true(capy_icmp_error_parse(&p, &e));
    assert_int_equal(e.src_port, 80);
    m[HEAD] = 0x4f; /* a header that reaches beyond what is quoted */
    assert_false(capy_icmp_error_parse(&p, &e));
}

static void test_what_is_cut_short_or_not_of_tcp_is_refused(void **state)
{
    (void)state;
    uint8_t m[64];
    struct capy_icmp_error e;
    struct capy_packet p = error_v4(m, 3, 3, 0);
    for (uint32_t len = 0; len <= HEAD + V4 + TCP; len++) {
        p.icmp.message_len = len;
        assert_int_equal(capy_icmp_error_parse(&p, &e), len == HEAD + V4 + TCP);
    }
    m[HEAD + 9] = 17;
    assert_false(capy_icmp_error_parse(&p, &e));
    p = error_v4(m, 3, 3, 0);
    m[HEAD] = 0x65;
    assert_false(capy_icmp_error_parse(&p, &e));
    m[HEAD] = 0x44; /* shorter than a header is */
    assert_false(capy_icmp_error_parse(&p, &e));
    p = error_v6(m, 1, 4, 0);
    for (uint32_t len = 0; len <= HEAD + V6 + TCP; len++) {
        p.icmp.message_len = len;
        assert_int_equal(capy_icmp_error_parse(&p, &e), len == HEAD + V6 + TCP);
    }
    m[HEAD + 6] = 0; /* an extension header: none of ours */
    assert_false(capy_icmp_error_parse(&p, &e));
    p = error_v6(m, 1, 4, 0);
    m[HEAD] = 0x45;
    assert_false(capy_icmp_error_parse(&p, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds_of_both_versions),
        cmocka_unit_test(test_the_quoted_segment_is_named),
        cmocka_unit_test(test_options_of_the_quoted_header_are_skipped),
        cmocka_unit_test(test_what_is_cut_short_or_not_of_tcp_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
