/* Address rewriting (switch/core/rewrite.h) against checksums computed anew, over both IP versions and
 * both transports: addresses and ports that bring a checksum to the ends of its range, UDP's zero
 * (RFC 768, RFC 8200 §8.1), and damage that must stay visible. */
#include "base/prng.h"
#include "switch/core/rewrite.h"
#include "wire/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum transport { TCP, UDP };

struct packet {
    uint8_t frame[CAPY_FRAME_MAX];
    size_t len;
    struct capy_view view;
};

static struct capy_ip random_ip(struct capy_prng *prng, bool v4)
{
    /* Words at the ends of their range are where end-around carries go wrong. */
    static const uint16_t words[] = {0x0000, 0x0001, 0xffff, 0xfffe, 0x8000, 0x7fff};
    struct capy_ip ip = capy_ip_from_v4(0);
    if (!v4)
        capy_store16(ip.b, 0xfd99); /* never IPv4-mapped */
    for (unsigned at = v4 ? 12 : 2; at < 16; at += 2)
        capy_store16(ip.b + at, capy_prng_chance(prng, 500000)
                                    ? words[capy_prng_below(prng, 6)]
                                    : (uint16_t)capy_prng_below(prng, 65536));
    return ip;
}

static struct capy_frame_to random_to(struct capy_prng *prng, bool v4)
{
    return (struct capy_frame_to){.src = random_ip(prng, v4),
                                  .dst = random_ip(prng, v4),
                                  .src_port = (uint16_t)capy_prng_below(prng, 65536),
                                  .dst_port = (uint16_t)capy_prng_below(prng, 65536)};
}

/* Payload of an odd length, whose first word is free: it can bring the checksum anywhere. */
enum { DATA_LEN = 33 };

static void build(struct packet *p, const struct capy_frame_to *to, enum transport transport,
                  uint16_t word)
{
    uint8_t data[DATA_LEN] = {[32] = 0xa5};
    capy_store16(data, word);
    if (transport == TCP) {
        const struct capy_tcp_segment seg = {
            .flags = CAPY_TCP_ACK, .window = 77, .data = data, .data_len = DATA_LEN};
        p->len = capy_frame_build_tcp(p->frame, to, &seg);
    } else {
        memcpy(p->frame + (capy_ip_is_v4(&to->dst) ? CAPY_UDP_AT : CAPY_UDP_AT6), data, DATA_LEN);
        p->len = capy_frame_build_udp(p->frame, to, DATA_LEN);
    }
    capy_view_parse(p->frame, p->frame + p->len, &p->view);
    assert_int_equal(p->view.kind, transport == TCP ? CAPY_VIEW_TCP : CAPY_VIEW_UDP);
}

static uint8_t *check_at(struct packet *p)
{
    return p->frame + p->view.l4_at + (p->view.kind == CAPY_VIEW_TCP ? 16 : 6);
}

/* The payload's word with which a packet's checksum is this one. */
static uint16_t word_for(const struct capy_frame_to *to, enum transport transport, uint16_t wanted)
{
    struct packet p;
    build(&p, to, transport, 0);
    /* RFC 1624 the other way round: from the sum with word 0 to the sum that gives `wanted`. */
    uint16_t is = capy_load16(check_at(&p));
    return capy_sum_fold((uint64_t)is + (uint16_t)~wanted);
}

static void assert_same_as_built(struct packet *p, const struct capy_frame_to *to,
                                 enum transport transport, uint16_t word)
{
    struct packet anew;
    build(&anew, to, transport, word);
    assert_int_equal(p->len, anew.len);
    assert_memory_equal(p->frame + CAPY_ETHER_LEN, anew.frame + CAPY_ETHER_LEN,
                        anew.len - CAPY_ETHER_LEN);
    assert_true(capy_ip_eq(&p->view.src, &to->src) && capy_ip_eq(&p->view.dst, &to->dst));
    assert_int_equal(p->view.src_port, to->src_port);
    assert_int_equal(p->view.dst_port, to->dst_port);
}

/* One packet rewritten at both ends, byte for byte what would have been built so. */
static void rewrite_both_ends(struct capy_prng *prng, bool v4, enum transport transport,
                              uint16_t word)
{
    struct packet p;
    struct capy_frame_to from = random_to(prng, v4), to = random_to(prng, v4);
    const struct capy_mac mac = {{2, 1, 2, 3, 4, 5}};
    build(&p, &from, transport, word);
    assert_true(capy_rewrite_dst(p.frame, p.frame + p.len, &p.view, &mac, &to.dst, to.dst_port));
    from.dst = to.dst;
    from.dst_port = to.dst_port;
    assert_same_as_built(&p, &from, transport, word);
    assert_memory_equal(p.frame, mac.b, 6);
    assert_true(capy_rewrite_src(p.frame, p.frame + p.len, &p.view, &mac, &to.src, to.src_port));
    assert_same_as_built(&p, &to, transport, word);
    assert_memory_equal(p.frame + 6, mac.b, 6);
}

static void rewriting_gives_what_building_anew_gives(void **state)
{
    (void)state;
    struct capy_prng prng;
    capy_prng_seed(&prng, 1624);
    for (unsigned i = 0; i < 20000; i++)
        rewrite_both_ends(&prng, i & 1, i & 2 ? TCP : UDP, (uint16_t)capy_prng_below(&prng, 65536));
}

/* From and to each checksum at the ends of the range. RFC 1624 §3: the earlier formula (RFC 1141)
 * gives 0xffff where the right one is zero. */
static void checksums_at_the_ends_of_their_range(void **state)
{
    (void)state;
    static const uint16_t ends[] = {0x0000, 0x0001, 0x0002, 0xfffd, 0xfffe, 0x7fff, 0x8000};
    struct capy_prng prng;
    const struct capy_mac mac = {{2, 1, 2, 3, 4, 5}};
    unsigned reached = 0;
    capy_prng_seed(&prng, 1141);
    for (unsigned i = 0; i < 28000; i++) {
        bool v4 = i & 1;
        enum transport transport = i & 2 ? TCP : UDP;
        uint16_t wanted = ends[i / 4 % 7];
        struct capy_frame_to from = random_to(&prng, v4), to = random_to(&prng, v4);
        bool before = i & 4;
        uint16_t word = word_for(before ? &from : &to, transport, wanted);
        struct packet p;
        build(&p, &from, transport, word);
        capy_rewrite_dst(p.frame, p.frame + p.len, &p.view, &mac, &to.dst, to.dst_port);
        capy_rewrite_src(p.frame, p.frame + p.len, &p.view, &mac, &to.src, to.src_port);
        assert_same_as_built(&p, &to, transport, word);
        uint16_t is = capy_load16(check_at(&p));
        reached += !before && is == (transport == UDP && wanted == 0 ? 0xffff : wanted);
    }
    assert_int_equal(reached, 14000);
}

/* UDP's zero: over IPv4 it means "none" and stays; over IPv6 it is an error and stays one; a sum that
 * becomes zero is sent as all ones. */
static void udp_without_checksum_stays_without(void **state)
{
    (void)state;
    struct capy_prng prng;
    const struct capy_mac mac = {{2, 1, 2, 3, 4, 5}};
    capy_prng_seed(&prng, 768);
    for (unsigned i = 0; i < 1000; i++) {
        struct capy_frame_to from = random_to(&prng, i & 1), to = random_to(&prng, i & 1);
        struct packet p;
        struct capy_packet parsed;
        const uint8_t patch[4] = {1, 2, 3, 4};
        build(&p, &from, UDP, 0);
        capy_store16(check_at(&p), 0);
        assert_true(
            capy_rewrite_dst(p.frame, p.frame + p.len, &p.view, &mac, &to.dst, to.dst_port));
        assert_true(
            capy_rewrite_src(p.frame, p.frame + p.len, &p.view, &mac, &to.src, to.src_port));
        capy_rewrite_data(p.frame, p.frame + p.len, &p.view, 2, patch, sizeof patch);
        assert_int_equal(capy_load16(check_at(&p)), 0);
        assert_int_equal(capy_frame_parse(p.frame, p.len, &parsed),
                         i & 1 ? CAPY_DROP_NONE : CAPY_DROP_UDP_CHECKSUM);
    }
}

static void payload_is_patched_under_the_checksum(void **state)
{
    (void)state;
    struct capy_prng prng;
    capy_prng_seed(&prng, 96);
    for (unsigned i = 0; i < 4000; i++) {
        struct capy_frame_to to = random_to(&prng, i & 1);
        struct packet p, anew;
        uint8_t bytes[8];
        for (unsigned k = 0; k < 8; k += 2)
            capy_store16(bytes + k, capy_prng_chance(&prng, 300000)
                                        ? 0xffff
                                        : (uint16_t)capy_prng_below(&prng, 65536));
        build(&p, &to, UDP, 7);
        uint8_t *data = p.frame + p.view.data_at;
        capy_rewrite_data(p.frame, p.frame + p.len, &p.view, 16, bytes, sizeof bytes);
        assert_memory_equal(data + 16, bytes, sizeof bytes);
        memcpy(anew.frame + p.view.data_at, data, DATA_LEN);
        anew.len = capy_frame_build_udp(anew.frame, &to, DATA_LEN);
        assert_memory_equal(p.frame + CAPY_ETHER_LEN, anew.frame + CAPY_ETHER_LEN,
                            anew.len - CAPY_ETHER_LEN);
    }
}

static void damage_stays_visible(void **state)
{
    (void)state;
    struct capy_prng prng;
    const struct capy_mac mac = {{2, 1, 2, 3, 4, 5}};
    capy_prng_seed(&prng, 3);
    for (unsigned i = 0; i < 4000; i++) {
        bool v4 = i & 1;
        struct capy_frame_to from = random_to(&prng, v4), to = random_to(&prng, v4);
        struct packet p;
        struct capy_packet parsed;
        build(&p, &from, TCP, 9);
        p.frame[p.view.data_at + capy_prng_below(&prng, DATA_LEN)] ^= 0x10;
        capy_rewrite_dst(p.frame, p.frame + p.len, &p.view, &mac, &to.dst, to.dst_port);
        capy_rewrite_src(p.frame, p.frame + p.len, &p.view, &mac, &to.src, to.src_port);
        assert_int_equal(capy_frame_parse(p.frame, p.len, &parsed), CAPY_DROP_TCP_CHECKSUM);
    }
}

static void the_other_version_is_refused_and_nothing_touched(void **state)
{
    (void)state;
    struct capy_prng prng;
    const struct capy_mac mac = {{2, 1, 2, 3, 4, 5}};
    capy_prng_seed(&prng, 4);
    for (unsigned v4 = 0; v4 < 2; v4++) {
        struct capy_frame_to from = random_to(&prng, v4), to = random_to(&prng, !v4);
        struct packet p, before;
        build(&p, &from, TCP, 9);
        before = p;
        assert_false(capy_rewrite_dst(p.frame, p.frame + p.len, &p.view, &mac, &to.dst, 1));
        assert_false(capy_rewrite_src(p.frame, p.frame + p.len, &p.view, &mac, &to.src, 1));
        assert_memory_equal(p.frame, before.frame, p.len);
        assert_true(capy_ip_eq(&p.view.dst, &from.dst));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rewriting_gives_what_building_anew_gives),
        cmocka_unit_test(checksums_at_the_ends_of_their_range),
        cmocka_unit_test(udp_without_checksum_stays_without),
        cmocka_unit_test(payload_is_patched_under_the_checksum),
        cmocka_unit_test(damage_stays_visible),
        cmocka_unit_test(the_other_version_is_refused_and_nothing_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
