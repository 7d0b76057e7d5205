/* TCP segments (RFC 9293 §3.1) and options: MSS, window scale and timestamps (RFC 7323),
 * SACK-permitted and SACK (RFC 2018). Bytes <-> a checked value; checksums are done by wire/frame,
 * which knows the addresses. */
#ifndef CAPY_WIRE_TCP_H
#define CAPY_WIRE_TCP_H

#include "wire/addr.h"
#include "wire/seq.h"

#define CAPY_TCP_HEADER_MAX 60u
#define CAPY_TCP_SACK_MAX 4u

enum {
    CAPY_TCP_FIN = 0x01,
    CAPY_TCP_SYN = 0x02,
    CAPY_TCP_RST = 0x04,
    CAPY_TCP_PSH = 0x08,
    CAPY_TCP_ACK = 0x10,
    CAPY_TCP_URG = 0x20,
    CAPY_TCP_ECE = 0x40,
    CAPY_TCP_CWR = 0x80,
};

/* Options present, as bits of capy_tcp_segment.opts. */
enum {
    CAPY_TCP_OPT_MSS = 1,
    CAPY_TCP_OPT_WSCALE = 2,
    CAPY_TCP_OPT_SACK_OK = 4,
    CAPY_TCP_OPT_TS = 8,
};

struct capy_sack_block {
    struct capy_seq left, right; /* [left, right) */
};

struct capy_tcp_segment {
    struct capy_seq seq, ack;
    uint16_t window; /* as on the wire, unscaled */
    uint16_t urgent;
    uint8_t flags;
    uint8_t opts;
    uint8_t wscale;   /* 0..14; larger values on the wire are read as 14 (RFC 7323 §2.3) */
    uint8_t sack_cnt; /* blocks below */
    uint8_t ecn;      /* going out: ECN bits of the IP header that will carry it (RFC 3168 §5) */
    uint16_t mss;
    uint32_t ts_val, ts_ecr;
    struct capy_sack_block sack[CAPY_TCP_SACK_MAX];
    const uint8_t *data; /* borrowed from the frame */
    uint32_t data_len;
};

/* p: the TCP header and all behind it. False when malformed: short, a data offset below 5 or beyond
 * len, or an option with a bad length (RFC 9293 MUST-7, MUST-68). Unknown options are skipped. */
bool capy_tcp_parse(const uint8_t *p, size_t len, struct capy_tcp_segment *out);

/* Bytes that the header with its options will take, a multiple of 4, at most 60. */
size_t capy_tcp_header_len(const struct capy_tcp_segment *seg);

/* Writes header and options (not data, not checksum: zero). Returns the header's length. */
size_t capy_tcp_build(uint8_t *p, uint16_t src_port, uint16_t dst_port,
                      const struct capy_tcp_segment *seg);

/* Sequence space taken: data, SYN and FIN. */
static inline uint32_t capy_tcp_segment_len(const struct capy_tcp_segment *s)
{
    return s->data_len + (s->flags & CAPY_TCP_SYN ? 1u : 0u) + (s->flags & CAPY_TCP_FIN ? 1u : 0u);
}

#endif
