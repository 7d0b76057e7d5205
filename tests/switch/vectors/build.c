/* Described frames as bytes; contract in build.h. Ethernet, IP and what is in it, by the RFCs. */
#include "build.h"
#include <string.h>

enum { ETHER = 14, TAG = 4, PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMP6 = 58 };

void build_put16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

void build_put32(uint8_t *p, uint32_t value)
{
    build_put16(p, (uint16_t)(value >> 16));
    build_put16(p + 2, (uint16_t)value);
}

void build_put64(uint8_t *p, uint64_t value)
{
    build_put32(p, (uint32_t)(value >> 32));
    build_put32(p + 4, (uint32_t)value);
}

uint32_t build_sum(uint32_t sum, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    return sum;
}

uint16_t build_fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* The checksum of a sum, off by add in one's complement arithmetic. */
static void put_check(uint8_t *at, uint32_t sum, uint16_t add)
{
    build_put16(at, build_fold((uint32_t)(uint16_t)~build_fold(sum) + add));
}

/* ---- the layer above IP: bytes at p, their length ---- */

static size_t put_tcp(const struct spec *s, uint8_t *p)
{
    memset(p, 0, 20);
    build_put16(p, s->src.port);
    build_put16(p + 2, s->dst.port);
    build_put32(p + 4, s->seq);
    build_put32(p + 8, s->ack);
    p[12] = 5 << 4;
    p[13] = s->flags;
    build_put16(p + 14, s->window);
    memcpy(p + 20, s->payload, s->payload_len);
    return 20u + s->payload_len;
}

static size_t put_udp(enum rack_kind rack, const struct spec *s, uint8_t *p)
{
    bool mig = s->kind == SPEC_MIG;
    memcpy(p + 8, s->payload, s->payload_len);
    size_t len = 8u + (mig ? build_message(rack, s, p + 8) : s->payload_len);
    build_put16(p, mig && s->src.port == 0 ? TCPMIG_PORT : s->src.port);
    build_put16(p + 2, mig && s->dst.port == 0 ? TCPMIG_PORT : s->dst.port);
    build_put16(p + 4, (uint16_t)len);
    build_put16(p + 6, 0);
    return len;
}

static size_t put_echo(const struct spec *s, int version, uint8_t *p)
{
    memset(p, 0, 8);
    p[0] = version == 4 ? (s->kind == SPEC_ECHO ? 8 : 0) : (s->kind == SPEC_ECHO ? 128 : 129);
    build_put16(p + 4, s->id);
    build_put16(p + 6, s->sequence);
    memcpy(p + 8, s->payload, s->payload_len);
    return 8u + s->payload_len;
}

static size_t put_nd(enum rack_kind rack, const struct spec *s, uint8_t *p)
{
    memset(p, 0, 32);
    p[0] = s->is_reply ? 136 : 135;
    p[4] = (uint8_t)((s->solicited ? 0x40 : 0) | (s->override ? 0x20 : 0));
    place_address(rack, &s->dst, p + 8);
    if (s->no_mac)
        return 24;
    p[24] = s->is_reply ? 2 : 1;
    p[25] = 1;
    place_mac(s->is_reply ? s->answer : s->src.n, p + 26);
    return 32;
}

static size_t put_ip(enum rack_kind rack, const struct spec *s, uint8_t *p, size_t room);

/* The error, and of the segment that it is about the IP header and the first 8 bytes. */
static size_t put_error(enum rack_kind rack, const struct spec *s, int version, uint8_t *p)
{
    static const uint8_t codes[2][4][2] = {{{3, 1}, {3, 4}, {11, 0}, {12, 0}},
                                           {{1, 0}, {2, 0}, {3, 0}, {4, 0}}};
    struct spec quoted = {.kind = SPEC_TCP,
                          .src = s->about_src,
                          .dst = s->about_dst,
                          .seq = s->seq,
                          .ack = s->ack,
                          .window = s->window,
                          .flags = FLAG_ACK};
    uint8_t whole[200];
    memset(p, 0, 8);
    p[0] = codes[version == 6][s->error][0];
    p[1] = codes[version == 6][s->error][1];
    if (version == 6)
        build_put32(p + 4, s->mtu);
    else
        build_put16(p + 6, s->mtu);
    size_t len = put_ip(rack, &quoted, whole, sizeof whole) - 20 + 8;
    memcpy(p + 8, whole, len);
    return 8 + len;
}

static size_t put_upper(enum rack_kind rack, const struct spec *s, int version, uint8_t *p,
                        uint8_t *protocol)
{
    *protocol = version == 4 ? PROTO_ICMP : PROTO_ICMP6;
    switch (s->kind) {
    case SPEC_TCP:
        *protocol = PROTO_TCP;
        return put_tcp(s, p);
    case SPEC_UDP:
    case SPEC_MIG:
        *protocol = PROTO_UDP;
        return put_udp(rack, s, p);
    case SPEC_ECHO:
    case SPEC_ECHO_REPLY:
        return put_echo(s, version, p);
    case SPEC_ND:
        return put_nd(rack, s, p);
    case SPEC_ERROR:
        return put_error(rack, s, version, p);
    case SPEC_NONE:
    case SPEC_ARP:
    case SPEC_ETHER:
    case SPEC_RAW:
        break;
    }
    return 0;
}

/* Of TCP, UDP and ICMP. addresses: source and destination, as they lie in the IP header. */
static void put_upper_check(const struct spec *s, uint8_t protocol, const uint8_t *addresses,
                            size_t addresses_len, uint8_t *p, size_t len)
{
    uint8_t *at = p + (protocol == PROTO_TCP ? 16 : protocol == PROTO_UDP ? 6 : 2);
    uint32_t sum = 0;
    build_put16(at, 0);
    if (protocol != PROTO_ICMP)
        sum = build_sum((uint32_t)len + protocol, addresses, addresses_len);
    put_check(at, build_sum(sum, p, len), s->check_add);
    if (protocol == PROTO_UDP && at[0] == 0 && at[1] == 0)
        build_put16(at, 0xffff); /* RFC 768 */
    if (s->check_none)
        build_put16(at, 0);
}

/* ---- IP ---- */

static size_t put_ip4(enum rack_kind rack, const struct spec *s, uint8_t *p)
{
    uint8_t address[16], protocol;
    size_t head = 20u + s->option_len;
    memset(p, 1, head); /* options: no operation */
    memset(p, 0, 20);
    p[0] = (uint8_t)(0x40 | head / 4);
    build_put16(p + 6, 0x4000); /* do not fragment */
    if (s->frag_set)
        build_put16(p + 6, (uint16_t)(s->frag_at | (s->frag_more ? 0x2000 : 0)));
    p[8] = s->ttl ? s->ttl : 64;
    place_address(rack, &s->src, address);
    memcpy(p + 12, address + 12, 4);
    place_address(rack, &s->dst, address);
    memcpy(p + 16, address + 12, 4);
    size_t len = put_upper(rack, s, 4, p + head, &protocol);
    p[9] = protocol;
    build_put16(p + 2, (uint16_t)(head + len));
    put_check(p + 10, build_sum(0, p, head), s->ip_check_add);
    put_upper_check(s, protocol, p + 12, 8, p + head, len);
    return head + len;
}

/* Extension headers before a layer of this protocol; returns their bytes. */
static size_t put_extensions(const struct spec *s, uint8_t *first, uint8_t *p, uint8_t protocol)
{
    uint8_t *next = first, *at = p;
    for (unsigned i = 0; i < s->extension_cnt; i++, at += 8) {
        const uint8_t padding[8] = {0, 0, 1, 4, 0, 0, 0, 0}, empty[8] = {0};
        uint8_t code = s->extension[i];
        memcpy(at, code == 0 || code == 60 ? padding : empty, 8);
        if (code == 143)
            at[3] = 1; /* a segment left */
        *next = code == 143 ? 43 : code;
        next = at;
    }
    if (s->frag_set) {
        memset(at, 0, 8);
        build_put16(at + 2, (uint16_t)(s->frag_at << 3 | s->frag_more));
        *next = 44;
        next = at;
        at += 8;
    }
    *next = protocol;
    return (size_t)(at - p);
}

static void put_source6(enum rack_kind rack, const struct spec *s, uint8_t *p)
{
    const struct place who = s->kind == SPEC_ND && s->is_reply ? s->dst : s->src;
    place_address(rack, &who, p);
}

/* A question goes to the group of who is asked about (RFC 4291 §2.7.1); an answer to who asked. */
static void put_destination6(enum rack_kind rack, const struct spec *s, uint8_t *p)
{
    const uint8_t group[13] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
    place_address(rack, s->kind == SPEC_ND && s->is_reply ? &s->src : &s->dst, p);
    if (s->kind == SPEC_ND && !s->is_reply)
        memcpy(p, group, sizeof group);
}

static size_t put_ip6(enum rack_kind rack, const struct spec *s, uint8_t *p)
{
    uint8_t body[BUILD_MAX], protocol;
    size_t len = put_upper(rack, s, 6, body, &protocol);
    memset(p, 0, 40);
    p[0] = 0x60;
    p[7] = s->ttl ? s->ttl : s->kind == SPEC_ND ? 255 : 64;
    put_source6(rack, s, p + 8);
    put_destination6(rack, s, p + 24);
    size_t head = 40 + put_extensions(s, p + 6, p + 40, protocol);
    memcpy(p + head, body, len);
    build_put16(p + 4, (uint16_t)(head - 40 + len));
    put_upper_check(s, protocol, p + 8, 32, p + head, len);
    return head + len;
}

static size_t put_ip(enum rack_kind rack, const struct spec *s, uint8_t *p, size_t room)
{
    (void)room;
    return place_version(rack, &s->src) == 4 ? put_ip4(rack, s, p) : put_ip6(rack, s, p);
}

static size_t put_arp(const struct spec *s, uint8_t *p)
{
    const uint8_t head[] = {0, 1, 8, 0, 6, 4, 0, s->is_reply ? 2 : 1};
    struct place asked = s->dst, asker = s->src;
    uint8_t address[16];
    asked.version = asker.version = '4';
    memset(p, 0, 28);
    memcpy(p, head, sizeof head);
    place_mac(s->is_reply ? s->answer : asker.n, p + 8);
    place_address(RACK_V4, s->is_reply ? &asked : &asker, address);
    memcpy(p + 14, address + 12, 4);
    if (s->is_reply)
        place_mac(asker.n, p + 18);
    place_address(RACK_V4, s->is_reply ? &asker : &asked, address);
    memcpy(p + 24, address + 12, 4);
    return 28;
}

/* ---- Ethernet ---- */

static void put_macs(const struct spec *s, uint8_t *p)
{
    bool nearby = s->kind == SPEC_ARP || s->kind == SPEC_ND;
    uint8_t src = s->src.n, dst = s->dst.n;
    if (nearby) {
        src = s->is_reply ? s->answer : s->src.n;
        dst = s->is_reply ? s->src.n : PLACE_ALL;
    }
    place_mac(s->mac_dst_set ? s->mac_dst : dst, p);
    place_mac(s->mac_src_set ? s->mac_src : src, p + 6);
    if (s->kind == SPEC_ND && !s->mac_dst_set && dst == PLACE_ALL) { /* RFC 2464 §7 */
        const uint8_t asked[6] = {0x33, 0x33, 0xff, 0, 0, s->dst.n},
                      all[6] = {0x33, 0x33, 0, 0, 0, 1};
        memcpy(p, s->is_reply ? all : asked, 6);
    }
}

static size_t put_body(enum rack_kind rack, const struct spec *s, uint8_t *p, uint16_t *type)
{
    if (s->kind == SPEC_ARP) {
        *type = 0x0806;
        return put_arp(s, p);
    }
    if (s->kind == SPEC_ETHER) {
        *type = s->ether_type;
        memcpy(p, s->payload, s->payload_len);
        return s->payload_len;
    }
    *type = place_version(rack, &s->src) == 4 ? 0x0800 : 0x86dd;
    return put_ip(rack, s, p, BUILD_MAX - ETHER - TAG);
}

static void damage(const struct spec *s, struct frame *out)
{
    if (s->patch_len && (size_t)s->patch_at + s->patch_len <= sizeof out->data)
        memcpy(out->data + s->patch_at, s->patch, s->patch_len);
    memset(out->data + out->len, 0, s->pad);
    out->len += s->pad;
    if (s->cut && s->cut < out->len)
        out->len = s->cut;
}

static void build(enum rack_kind rack, const struct spec *s, struct frame *out)
{
    uint16_t type;
    size_t at = ETHER;
    memset(out, 0, sizeof *out);
    if (s->kind == SPEC_RAW) {
        memcpy(out->data, s->payload, s->payload_len);
        out->len = s->payload_len;
        return;
    }
    put_macs(s, out->data);
    if (s->vlan_set) {
        build_put16(out->data + 12, 0x8100);
        build_put16(out->data + 14, s->vlan);
        at += TAG;
    }
    out->len = at + put_body(rack, s, out->data + at, &type);
    build_put16(out->data + at - 2, type);
    damage(s, out);
}

/* ---- where TCPMig travels ---- */

/* The server that a message of this type is from. */
static uint16_t sender_of(const struct spec_mig *m)
{
    return m->type == 2 || m->type == 4 || m->type == 6 ? m->target : m->origin;
}

static struct place primary(enum rack_kind rack, uint8_t n)
{
    return (struct place){.n = n, .version = rack == RACK_V6 ? '6' : '4'};
}

void build_in(enum rack_kind rack, const struct spec *s, struct frame *out)
{
    struct spec it = *s;
    if (s->kind == SPEC_MIG && s->src.n == 0)
        it.src = primary(rack, (uint8_t)(sender_of(&s->mig) + 1));
    if (s->kind == SPEC_MIG && s->dst.n == 0)
        it.dst = primary(rack, PLACE_SW);
    build(rack, &it, out);
}

void build_out(enum rack_kind rack, const struct spec *s, uint16_t port, struct frame *out)
{
    struct spec it = *s;
    if (s->kind == SPEC_MIG && port < SERVERS) {
        uint16_t sender = sender_of(&s->mig);
        bool answer = sender == port || s->mig.type == 8;
        it.src = primary(rack, answer ? PLACE_SW : (uint8_t)(sender + 1));
        it.dst = primary(rack, (uint8_t)(port + 1));
        it.mac_src_set = true;
        it.mac_src = PLACE_SW;
    }
    build(rack, &it, out);
}
