/* TCP header and options, bytes to value and back (RFC 9293 §3.1, §3.2; RFC 7323; RFC 2018). Knows
 * nothing of addresses and checksums. Borrows what it parses; writes into the caller's frame. */
#include "wire/tcp.h"

#define HEADER_LEN 20u /* without options */
#define OPTIONS_MAX (CAPY_TCP_HEADER_MAX - HEADER_LEN)
#define SACK_BLOCK_LEN 8u

/* Option kinds and their lengths on the wire. */
enum {
    KIND_END = 0,
    KIND_NOP = 1,
    KIND_MSS = 2,
    KIND_WSCALE = 3,
    KIND_SACK_OK = 4,
    KIND_SACK = 5,
    KIND_TS = 8
};
enum { LEN_MSS = 4, LEN_WSCALE = 3, LEN_SACK_OK = 2, LEN_SACK_HEAD = 2, LEN_TS = 10 };

#define WSCALE_MAX 14u /* RFC 7323 §2.3 */

/* NOP, NOP, timestamps: how practically every segment of a connection with timestamps looks
 * (RFC 7323 appendix A). */
#define TS_ONLY_LEN 12u
#define TS_ONLY_WORD 0x0101080au

static void read_timestamps(const uint8_t *value, struct capy_tcp_segment *out)
{
    out->opts |= CAPY_TCP_OPT_TS;
    out->ts_val = capy_load32(value);
    out->ts_ecr = capy_load32(value + 4);
}

static bool read_sack(const uint8_t *value, size_t len, struct capy_tcp_segment *out)
{
    size_t cnt = len / SACK_BLOCK_LEN;
    if (cnt == 0 || cnt > CAPY_TCP_SACK_MAX || len % SACK_BLOCK_LEN != 0)
        return false;
    for (size_t i = 0; i < cnt; i++, value += SACK_BLOCK_LEN)
        out->sack[i] = (struct capy_sack_block){{capy_load32(value)}, {capy_load32(value + 4)}};
    out->sack_cnt = (uint8_t)cnt;
    return true;
}

/* One option of kind and len (its two leading bytes included). False when its length is wrong. */
static bool read_option(const uint8_t *p, size_t len, struct capy_tcp_segment *out)
{
    const uint8_t *value = p + 2;
    switch (p[0]) {
    case KIND_MSS:
        out->opts |= CAPY_TCP_OPT_MSS;
        if (len == LEN_MSS)
            out->mss = capy_load16(value);
        return len == LEN_MSS;
    case KIND_WSCALE:
        out->opts |= CAPY_TCP_OPT_WSCALE;
        if (len == LEN_WSCALE)
            out->wscale = (uint8_t)capy_min32(value[0], WSCALE_MAX);
        return len == LEN_WSCALE;
    case KIND_SACK_OK:
        out->opts |= CAPY_TCP_OPT_SACK_OK;
        return len == LEN_SACK_OK;
    case KIND_SACK:
        return read_sack(value, len - LEN_SACK_HEAD, out);
    case KIND_TS:
        if (len == LEN_TS)
            read_timestamps(value, out);
        return len == LEN_TS;
    default: /* MUST-6: unknown options are skipped by their length */
        return true;
    }
}

static bool read_options(const uint8_t *p, size_t len, struct capy_tcp_segment *out)
{
    if (len == TS_ONLY_LEN && capy_load32(p) == TS_ONLY_WORD) {
        read_timestamps(p + 4, out);
        return true;
    }
    for (size_t at = 0; at < len && p[at] != KIND_END;) {
        if (p[at] == KIND_NOP) {
            at++;
            continue;
        }
        /* MUST-7: a length of 0 or 1, or beyond the header, must not derail us. */
        if (len - at < 2 || p[at + 1] < 2 || p[at + 1] > len - at)
            return false;
        if (!read_option(p + at, p[at + 1], out))
            return false;
        at += p[at + 1];
    }
    return true;
}

bool capy_tcp_parse(const uint8_t *p, size_t len, struct capy_tcp_segment *out)
{
    if (len < HEADER_LEN)
        return false;
    size_t header_len = (size_t)(p[12] >> 4) * 4;
    if (header_len < HEADER_LEN || header_len > len)
        return false;
    out->seq.v = capy_load32(p + 4);
    out->ack.v = capy_load32(p + 8);
    out->flags = p[13];
    out->window = capy_load16(p + 14);
    out->urgent = capy_load16(p + 18);
    out->data = p + header_len;
    out->data_len = (uint32_t)(len - header_len);
    out->opts = 0;
    out->wscale = 0;
    out->sack_cnt = 0;
    out->mss = 0;
    out->ts_val = 0;
    out->ts_ecr = 0;
    return header_len == HEADER_LEN || read_options(p + HEADER_LEN, header_len - HEADER_LEN, out);
}

/* Bytes of all options but SACK blocks, padded to words: NOPs go in front, so that the timestamps'
 * two numbers are aligned and SACK_OK fills the two bytes before them when both are there. */
static size_t fixed_options_len(uint8_t opts)
{
    size_t len = 0;
    if (opts & CAPY_TCP_OPT_MSS)
        len += LEN_MSS;
    if (opts & CAPY_TCP_OPT_WSCALE)
        len += 1 + LEN_WSCALE;
    if (opts & CAPY_TCP_OPT_TS)
        len += 2 + LEN_TS;
    else if (opts & CAPY_TCP_OPT_SACK_OK)
        len += 2 + LEN_SACK_OK;
    return len;
}

/* SACK blocks that fit beside the other options; the first are the most recent (RFC 2018 §4). */
static size_t sack_fit(const struct capy_tcp_segment *seg)
{
    if (seg->sack_cnt == 0)
        return 0;
    size_t room = OPTIONS_MAX - fixed_options_len(seg->opts);
    size_t fit = room < 2 + LEN_SACK_HEAD ? 0 : (room - 2 - LEN_SACK_HEAD) / SACK_BLOCK_LEN;
    return fit < seg->sack_cnt ? fit : seg->sack_cnt;
}

static size_t sack_option_len(size_t block_cnt)
{
    return block_cnt ? 2 + LEN_SACK_HEAD + block_cnt * SACK_BLOCK_LEN : 0;
}

size_t capy_tcp_header_len(const struct capy_tcp_segment *seg)
{
    return HEADER_LEN + fixed_options_len(seg->opts) + sack_option_len(sack_fit(seg));
}

static uint8_t *put_timestamps(uint8_t *p, const struct capy_tcp_segment *seg)
{
    /* SACK_OK or two NOPs, then kind and length: one word. */
    uint32_t word = seg->opts & CAPY_TCP_OPT_SACK_OK
                        ? (uint32_t)KIND_SACK_OK << 24 | LEN_SACK_OK << 16 | KIND_TS << 8 | LEN_TS
                        : TS_ONLY_WORD;
    capy_store32(p, word);
    capy_store32(p + 4, seg->ts_val);
    capy_store32(p + 8, seg->ts_ecr);
    return p + TS_ONLY_LEN;
}

static uint8_t *put_sack(uint8_t *p, const struct capy_tcp_segment *seg, size_t block_cnt)
{
    p[0] = KIND_NOP;
    p[1] = KIND_NOP;
    p[2] = KIND_SACK;
    p[3] = (uint8_t)(LEN_SACK_HEAD + block_cnt * SACK_BLOCK_LEN);
    p += 4;
    for (size_t i = 0; i < block_cnt; i++, p += SACK_BLOCK_LEN) {
        capy_store32(p, seg->sack[i].left.v);
        capy_store32(p + 4, seg->sack[i].right.v);
    }
    return p;
}

static uint8_t *put_options(uint8_t *p, const struct capy_tcp_segment *seg)
{
    if (seg->opts & CAPY_TCP_OPT_MSS) {
        p[0] = KIND_MSS;
        p[1] = LEN_MSS;
        capy_store16(p + 2, seg->mss);
        p += LEN_MSS;
    }
    if (seg->opts & CAPY_TCP_OPT_TS) {
        p = put_timestamps(p, seg);
    } else if (seg->opts & CAPY_TCP_OPT_SACK_OK) {
        capy_store32(p,
                     (uint32_t)KIND_NOP << 24 | KIND_NOP << 16 | KIND_SACK_OK << 8 | LEN_SACK_OK);
        p += 4;
    }
    if (seg->opts & CAPY_TCP_OPT_WSCALE) {
        capy_store32(p,
                     (uint32_t)KIND_NOP << 24 | KIND_WSCALE << 16 | LEN_WSCALE << 8 | seg->wscale);
        p += 4;
    }
    size_t block_cnt = sack_fit(seg);
    return block_cnt ? put_sack(p, seg, block_cnt) : p;
}

size_t capy_tcp_build(uint8_t *p, uint16_t src_port, uint16_t dst_port,
                      const struct capy_tcp_segment *seg)
{
    uint8_t *end = p + HEADER_LEN;
    if (seg->opts || seg->sack_cnt)
        end = put_options(end, seg);
    size_t header_len = (size_t)(end - p);
    capy_store32(p, (uint32_t)src_port << 16 | dst_port);
    capy_store32(p + 4, seg->seq.v);
    capy_store32(p + 8, seg->ack.v);
    p[12] = (uint8_t)(header_len / 4 << 4);
    p[13] = seg->flags;
    capy_store16(p + 14, seg->window);
    capy_store16(p + 16, 0);
    capy_store16(p + 18, seg->urgent);
    return header_len;
}
