/* A frame as a vector describes it: who sends what to whom, and whatever is out of the ordinary about
 * it. README.md has the language. A spec knows no addresses yet: the same one is built for each kind
 * of rack (build.h). */
#ifndef CAPY_TESTS_VECTORS_SPEC_H
#define CAPY_TESTS_VECTORS_SPEC_H

#include "places.h"

enum spec_kind {
    SPEC_NONE,
    SPEC_TCP,
    SPEC_UDP,
    SPEC_MIG,
    SPEC_ARP,
    SPEC_ND,
    SPEC_ECHO,
    SPEC_ECHO_REPLY,
    SPEC_ERROR, /* ICMP error about a TCP segment */
    SPEC_ETHER,
    SPEC_RAW,
};

#define SPEC_PAYLOAD_MAX 1500u
#define SPEC_EXTENSIONS_MAX 12u
#define SPEC_PATCH_MAX 16u

struct spec_mig {
    uint8_t type, reason, flags, version;
    uint16_t origin, target, target_port;
    uint64_t id;
    uint32_t epoch, offset;
    uint32_t total; /* 0 and !total_set: offset + length */
    bool total_set;
    struct place client, home;
    uint8_t verdict, phase;
    uint16_t owner;
    uint32_t entry_epoch;
    int length_more; /* by how much the length field lies */
    bool bad_tag, bad_hash;
};

struct spec {
    enum spec_kind kind;
    struct place src, dst;
    bool mac_src_set, mac_dst_set;
    uint8_t mac_src, mac_dst; /* n of their places */
    bool vlan_set;
    uint16_t vlan;
    uint8_t ttl;        /* 0: 64; ND: 255 */
    uint8_t option_len; /* IPv4: bytes of no-operation options */
    uint8_t extension[SPEC_EXTENSIONS_MAX];
    uint8_t extension_cnt;
    bool frag_set, frag_more;
    uint16_t frag_at;                 /* in units of 8 bytes */
    uint16_t check_add, ip_check_add; /* one's complement: 0 right */
    bool check_none;
    uint16_t cut, pad; /* bytes; cut 0: not */
    uint16_t patch_at;
    uint8_t patch_len, patch[SPEC_PATCH_MAX];
    /* TCP */
    uint32_t seq, ack;
    uint16_t window;
    uint8_t flags;
    /* ICMP, ARP, ND, Ethernet */
    uint16_t id, sequence, mtu, ether_type;
    uint8_t error;  /* SPEC_ERROR: one of spec_error */
    bool is_reply;  /* ARP, ND */
    uint8_t answer; /* n of the MAC that a reply names */
    bool solicited, override, no_mac;
    struct place about_src, about_dst; /* the quoted segment */
    struct spec_mig mig;
    uint16_t payload_len;
    uint8_t payload[SPEC_PAYLOAD_MAX];
};

enum spec_error { ERROR_UNREACHABLE, ERROR_TOO_BIG, ERROR_EXCEEDED, ERROR_PARAMETER };

enum { FLAG_FIN = 1, FLAG_SYN = 2, FLAG_RST = 4, FLAG_PSH = 8, FLAG_ACK = 16 };

/* Reads a frame from the rest of a line. "same" begins with a copy of last. */
void spec_read(struct words *w, const struct spec *last, struct spec *out);
/* The rest of a line changes s. */
void spec_more(struct words *w, struct spec *s);
/* The flow "A > B". */
void spec_flow(struct words *w, struct place *client, struct place *home);
/* A flow as a TCPMig message of one type; what a vector's shorthands are made of. */
struct spec spec_mig_make(uint8_t type, const struct spec_mig *fields);

/* Its number in the list, whose end is NULL, or words_bad. */
uint8_t spec_index(struct words *w, const char *const *list, const char *what);
extern const char *const spec_mig_types[],
    *const spec_reasons[], *const spec_verdicts[], *const spec_phases[], *const spec_errors[];

#endif
