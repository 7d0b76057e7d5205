/* Addresses and flows. An IPv4 address is kept as its IPv4-mapped IPv6 form (RFC 4291 §2.5.5.2), so
 * that one TCP, one directory and one message format serve both versions. Plain bytes: comparable,
 * hashable, free of padding and of byte order. Header only, for the switch core. */
#ifndef CAPY_WIRE_ADDR_H
#define CAPY_WIRE_ADDR_H

#include "base/bits.h"
#include <stdbool.h>
#include <string.h>

struct capy_mac {
    uint8_t b[6];
};

struct capy_ip {
    _Alignas(4) uint8_t b[16]; /* BPF compares and copies by what the alignment promises */
};

/* The connection as one end's stack sees it: remote is the peer, local is us. */
struct capy_tuple {
    struct capy_ip remote, local;
    uint16_t remote_port, local_port; /* host order */
};

/* The connection as the client sees it, and so its name for as long as it lives: home is the
 * address the client believes it talks to (paper §3.2, "original server"). */
struct capy_flow_key {
    struct capy_ip client, home;
    uint16_t client_port, home_port; /* host order */
};

_Static_assert(sizeof(struct capy_flow_key) == 36, "flow keys are hashed and compared as bytes");
_Static_assert(sizeof(struct capy_tuple) == 36, "tuples are hashed and compared as bytes");

static inline struct capy_ip capy_ip_from_v4(uint32_t v4)
{
    struct capy_ip ip = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}};
    capy_store32(ip.b + 12, v4);
    return ip;
}

/* True for an IPv4-mapped address. */
static inline bool capy_ip_is_v4(const struct capy_ip *ip)
{
    return capy_load64(ip->b) == 0 && capy_load32(ip->b + 8) == 0x0000ffffu;
}

static inline uint32_t capy_ip_v4(const struct capy_ip *ip)
{
    return capy_load32(ip->b + 12);
}

static inline bool capy_ip_eq(const struct capy_ip *a, const struct capy_ip *b)
{
    return capy_same(a->b, b->b, sizeof a->b);
}

static inline bool capy_mac_eq(const struct capy_mac *a, const struct capy_mac *b)
{
    return capy_same(a->b, b->b, sizeof a->b);
}

static inline bool capy_tuple_eq(const struct capy_tuple *a, const struct capy_tuple *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static inline bool capy_flow_key_eq(const struct capy_flow_key *a, const struct capy_flow_key *b)
{
    return capy_same((const uint8_t *)a, (const uint8_t *)b, sizeof *a);
}

#define CAPY_IP_TEXT_MAX 46u /* longest IPv6 text and its NUL */

/* Text of an address, dotted or colon form; returns out. */
char *capy_ip_format(const struct capy_ip *ip, char out[CAPY_IP_TEXT_MAX]);
/* Parses dotted or colon text. CAPY_OK or CAPY_E_FORMAT. */
int capy_ip_parse(const char *text, struct capy_ip *out);
int capy_mac_parse(const char *text, struct capy_mac *out);
char *capy_mac_format(const struct capy_mac *mac, char out[18]);

#endif
