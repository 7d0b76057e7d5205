/* IPv6 frames for the tests of src/wire: from A to B, with known contents, and extension headers put
 * into them. Header only; checksums are right when made. */
#ifndef CAPY_TESTS_WIRE_FRAMES6_H
#define CAPY_TESTS_WIRE_FRAMES6_H

#include "base/checksum.h"
#include "base/prng.h"
#include "wire/addr6.h"
#include "wire/ipv6.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#define IP_AT CAPY_ETHER_LEN
#define L4_AT (CAPY_ETHER_LEN + CAPY_IPV6_LEN)

static const struct capy_mac mac_a = {{0x02, 0xca, 10, 0, 0, 1}};
static const struct capy_mac mac_b = {{0x02, 0xca, 10, 0, 0, 2}};
static const struct capy_mac mac_c = {{0x02, 0xca, 10, 0, 0, 3}};

static inline struct capy_ip ip6(const char *text)
{
    struct capy_ip ip;
    assert_int_equal(capy_ip_parse(text, &ip), 0);
    return ip;
}

static inline struct capy_frame_to from_a_to_b(void)
{
    return (struct capy_frame_to){
        .dst_mac = mac_b,
        .src_mac = mac_a,
        .src = ip6("2001:db8::a"),
        .dst = ip6("2001:db8:ffff:fffe::b"),
        .src_port = 50000,
        .dst_port = 80,
        .ecn = 1,
        .flow_label = 0xabcde,
    };
}

static inline size_t tcp_frame(uint8_t *frame, uint32_t data_len)
{
    static uint8_t data[1440];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 31 + 7);
    struct capy_frame_to to = from_a_to_b();
    struct capy_tcp_segment seg = {
        .seq = {0xfffffff0u},
        .ack = {0x12345678u},
        .flags = CAPY_TCP_ACK | CAPY_TCP_PSH,
        .window = 65535,
        .opts = CAPY_TCP_OPT_TS,
        .ts_val = 1,
        .ts_ecr = 2,
        .data = data,
        .data_len = data_len,
    };
    return capy_frame_build_tcp(frame, &to, &seg);
}

static inline size_t udp_frame(uint8_t *frame, size_t data_len)
{
    struct capy_frame_to to = from_a_to_b();
    for (size_t i = 0; i < data_len; i++)
        frame[CAPY_UDP_AT6 + i] = (uint8_t)i;
    return capy_frame_build_udp(frame, &to, data_len);
}

static inline size_t echo_frame(uint8_t *frame, size_t data_len)
{
    struct capy_frame_to to = from_a_to_b();
    static const uint8_t head[8] = {128, 0, 0, 0, 0x12, 0x34, 0, 1};
    memcpy(frame + CAPY_ICMP6_AT, head, sizeof head);
    for (size_t i = 0; i < data_len; i++)
        frame[CAPY_ICMP6_AT + 8 + i] = (uint8_t)i;
    return capy_frame_build_icmp6(frame, &to, 8 + data_len);
}

static inline size_t build_tcp(uint8_t *frame)
{
    return tcp_frame(frame, 30);
}

static inline size_t build_udp(uint8_t *frame)
{
    return udp_frame(frame, 30);
}

static inline size_t build_echo(uint8_t *frame)
{
    return echo_frame(frame, 30);
}

/* Puts len extension bytes behind the fixed header; the frame's length. bytes[0] is overwritten by
 * what followed the fixed header before, chained: so they are given last first. */
static inline size_t insert(uint8_t *frame, size_t frame_len, uint8_t kind, const uint8_t *bytes,
                            size_t len)
{
    uint8_t *ip = frame + IP_AT;
    memmove(frame + L4_AT + len, frame + L4_AT, frame_len - L4_AT);
    memcpy(frame + L4_AT, bytes, len);
    frame[L4_AT] = ip[6];
    ip[6] = kind;
    capy_store16(ip + 4, (uint16_t)(capy_load16(ip + 4) + len));
    return frame_len + len;
}

#endif
