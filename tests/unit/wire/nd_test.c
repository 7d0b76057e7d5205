/* wire/nd: neighbour discovery messages there and back, and every check of RFC 4861 §7.1. */
#include "base/checksum.h"
#include "wire/addr6.h"
#include "wire/ipv6.h"
#include "wire/nd.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

static const struct capy_mac mac_a = {{0x02, 0xca, 10, 0, 0, 1}};
static const struct capy_mac mac_b = {{0x02, 0xca, 10, 0, 0, 2}};

static struct capy_ip ip6(const char *text)
{
    struct capy_ip ip;
    assert_int_equal(capy_ip_parse(text, &ip), 0);
    return ip;
}

static struct capy_nd solicit(void)
{
    return (struct capy_nd){
        .type = CAPY_ND_SOLICIT, .has_mac = true, .target = ip6("2001:db8::b"), .mac = mac_a};
}

static struct capy_nd advert(void)
{
    return (struct capy_nd){.type = CAPY_ND_ADVERT,
                            .solicited = true,
                            .override = true,
                            .has_mac = true,
                            .target = ip6("2001:db8::b"),
                            .mac = mac_b};
}

static struct capy_frame_to between(const char *src, const char *dst)
{
    return (struct capy_frame_to){
        .dst_mac = mac_b, .src_mac = mac_a, .src = ip6(src), .dst = ip6(dst), .ttl = 1};
}

static void fix_checksum(uint8_t *frame, size_t len)
{
    uint8_t *icmp = frame + CAPY_ICMP6_AT;
    capy_store16(icmp + 2, 0);
    uint64_t sum = capy_sum(58 + len - CAPY_ICMP6_AT, frame + CAPY_ETHER_LEN + 8, 32);
    capy_store16(icmp + 2, capy_sum_finish(capy_sum(sum, icmp, len - CAPY_ICMP6_AT)));
}

/* Reads the frame after its checksum was made right again. */
static bool parses(uint8_t *frame, size_t len, struct capy_nd *out)
{
    struct capy_packet p;
    fix_checksum(frame, len);
    assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
    assert_int_equal(p.kind, CAPY_PACKET_ICMP6);
    return capy_nd_parse(&p, out);
}

static void messages_come_back(void **state)
{
    (void)state;
    struct capy_frame_to to = between("2001:db8::a", "2001:db8::b");
    for (unsigned flags = 0; flags < 32; flags++) {
        uint8_t frame[CAPY_FRAME_MAX];
        struct capy_nd out, nd = flags & 1 ? advert() : solicit();
        bool is_advert = flags & 1;
        nd.has_mac = flags & 2;
        nd.router = is_advert && flags & 4;
        nd.solicited = is_advert && flags & 8;
        nd.override = is_advert && flags & 16;
        size_t len = capy_nd_build(frame, &to, &nd);
        assert_int_equal(len, CAPY_ICMP6_AT + (nd.has_mac ? 32 : 24));
        assert_int_equal(frame[CAPY_ETHER_LEN + 7], 255); /* RFC 4861 §4.3, §4.4 */
        struct capy_packet p;
        assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
        assert_true(capy_nd_parse(&p, &out));
        assert_int_equal(out.type, nd.type);
        assert_int_equal(out.router, nd.router);
        assert_int_equal(out.solicited, nd.solicited);
        assert_int_equal(out.override, nd.override);
        assert_int_equal(out.has_mac, nd.has_mac);
        assert_true(capy_ip_eq(&out.target, &nd.target));
        if (nd.has_mac)
            assert_true(capy_mac_eq(&out.mac, &nd.mac));
    }
}

/* RFC 4861 §7.1.1, §7.1.2: what a node must discard in silence, one flaw at a time. */
static void every_check_is_made(void **state)
{
    (void)state;
    enum { HOPS = CAPY_ETHER_LEN + 7, ICMP = CAPY_ICMP6_AT, TARGET = ICMP + 8, OPTION = ICMP + 24 };
    static const struct {
        const char *what;
        size_t at;
        uint8_t value;
    } flaw[] = {
        {"type", ICMP, 134},
        {"hop limit 254", HOPS, 254},
        {"code", ICMP + 1, 1},
        {"group target", TARGET, 0xff},
        {"option of no length", OPTION + 1, 0},
        {"option too long", OPTION + 1, 2},
        {"a group's MAC", OPTION + 2, 0x33},
    };
    struct capy_frame_to to = between("2001:db8::a", "2001:db8::b");
    const struct capy_nd nd[] = {solicit(), advert()};
    for (size_t kind = 0; kind < 2; kind++) {
        for (size_t i = 0; i < sizeof flaw / sizeof flaw[0]; i++) {
            uint8_t frame[CAPY_FRAME_MAX];
            struct capy_nd out;
            size_t len = capy_nd_build(frame, &to, &nd[kind]);
            assert_true(parses(frame, len, &out));
            frame[flaw[i].at] = flaw[i].value;
            if (parses(frame, len, &out))
                fail_msg("%s: taken", flaw[i].what);
        }
    }
}

/* RFC 4861 §7.1.1: without a source, only to the address's group and without a link-layer address. */
static void a_solicitation_without_source(void **state)
{
    (void)state;
    struct capy_ip target = ip6("2001:db8::b");
    struct capy_frame_to to = between("::", "2001:db8::b");
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_nd out, nd = solicit();
    nd.has_mac = false;
    assert_false(parses(frame, capy_nd_build(frame, &to, &nd), &out));
    to.dst = capy_ip_all_nodes();
    assert_false(parses(frame, capy_nd_build(frame, &to, &nd), &out));
    to.dst = capy_ip_solicited_node(&target);
    assert_true(parses(frame, capy_nd_build(frame, &to, &nd), &out));
    nd.has_mac = true;
    assert_false(parses(frame, capy_nd_build(frame, &to, &nd), &out));
    to.src = ip6("ff02::5");
    assert_false(parses(frame, capy_nd_build(frame, &to, &nd), &out));
}

/* RFC 4861 §7.1.2: nobody asked who is told as one of many. */
static void a_solicited_advertisement_to_a_group(void **state)
{
    (void)state;
    struct capy_frame_to to = between("2001:db8::b", "ff02::1");
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_nd out, nd = advert();
    assert_false(parses(frame, capy_nd_build(frame, &to, &nd), &out));
    nd.solicited = false;
    assert_true(parses(frame, capy_nd_build(frame, &to, &nd), &out));
}

/* Options we do not know are skipped (RFC 4861 §4.6); one of another length than Ethernet's is none
 * of ours; anything that does not fill the message is refused. Each message ends where its memory
 * does. */
static void options_are_bounded(void **state)
{
    (void)state;
    struct capy_frame_to to = between("2001:db8::a", "2001:db8::b");
    for (size_t extra = 0; extra <= 24; extra++) {
        uint8_t frame[CAPY_FRAME_MAX];
        struct capy_nd out, nd = solicit();
        size_t len = capy_nd_build(frame, &to, &nd);
        static const uint8_t more[24] = {14, 1, 0, 0, 0, 0, 0, 0, 14, 2};
        memmove(frame + CAPY_ICMP6_AT + 24 + extra, frame + CAPY_ICMP6_AT + 24, 8);
        memcpy(frame + CAPY_ICMP6_AT + 24, more, extra);
        len += extra;
        capy_store16(frame + CAPY_ETHER_LEN + 4, (uint16_t)(len - CAPY_ICMP6_AT));
        uint8_t *exact = malloc(len);
        assert_non_null(exact);
        memcpy(exact, frame, len);
        bool whole = extra % 8 == 0;
        assert_int_equal(parses(exact, len, &out), whole);
        if (whole) /* of 16 bytes the second option takes ours with it */
            assert_int_equal(out.has_mac && capy_mac_eq(&out.mac, &mac_a), extra != 16);
        free(exact);
    }
    for (size_t cut = 1; cut <= 32; cut++) {
        uint8_t frame[CAPY_FRAME_MAX];
        struct capy_nd out, nd = solicit();
        size_t len = capy_nd_build(frame, &to, &nd) - cut;
        capy_store16(frame + CAPY_ETHER_LEN + 4, (uint16_t)(len - CAPY_ICMP6_AT));
        if (len < CAPY_ICMP6_AT + 8)
            break;
        uint8_t *exact = malloc(len);
        assert_non_null(exact);
        memcpy(exact, frame, len);
        assert_int_equal(parses(exact, len, &out), cut == 8); /* a message without options */
        free(exact);
    }
}

static void groups_and_their_frames(void **state)
{
    (void)state;
    struct capy_ip ip = ip6("2001:db8::1234:5678"), group = capy_ip_solicited_node(&ip);
    struct capy_ip expect = ip6("ff02::1:ff34:5678"), local = capy_ip_link_local(&mac_a);
    struct capy_ip eui = ip6("fe80::ca:aff:fe00:1");
    struct capy_mac mac = capy_mac_of_group(&group), want = {{0x33, 0x33, 0xff, 0x34, 0x56, 0x78}};
    assert_true(capy_ip_eq(&group, &expect));
    assert_true(capy_mac_eq(&mac, &want));
    assert_true(capy_ip_eq(&local, &eui) && capy_ip_is_link_local(&local));
    assert_false(capy_ip_is_link_local(&ip) || capy_ip_is_multicast6(&ip));
    struct capy_ip site = ip6("fec0::1"), unset = ip6("::");
    assert_false(capy_ip_is_link_local(&site));
    assert_true(capy_ip_is_unset(&unset) && !capy_ip_is_unset(&site));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_back),
        cmocka_unit_test(every_check_is_made),
        cmocka_unit_test(a_solicitation_without_source),
        cmocka_unit_test(a_solicited_advertisement_to_a_group),
        cmocka_unit_test(options_are_bounded),
        cmocka_unit_test(groups_and_their_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
