/* A recording: everything that went into a deterministic machine (the stack of a server, the plane of
 * the switch), and enough of what came out to tell whether a replay does the same.
 *
 *   file   = magic, blocks
 *   magic  = "CAPYREC" and the version, one byte
 *   block  = header, payload
 *   header = type (1), 0 (3), payload bytes (4), number of the block (8), calls before it (8), time of
 *            the last call before it (8), hash of the 32 bytes above and the payload (8); big-endian
 *
 * The first block is SETUP (setup.h), then CALLS, and END last: why the recording ended. A file without
 * END is of a program that was killed. The payloads of CALLS, one after the other, are one stream of
 * calls; a call may go on in the next block:
 *
 *   call   = number in the table of calls, +128 when time has passed; nanoseconds passed if so;
 *            arguments, results
 *
 * Numbers are LEB128: seven bits a byte, the lowest first, the top bit on all but the last. Signed ones
 * are folded first (0, -1, 1, -2 ...). Bytes are a number, how many, and they themselves. Nothing in
 * a recording depends on the machine that wrote it. */
#ifndef CAPY_RECORD_FORMAT_H
#define CAPY_RECORD_FORMAT_H

#include "base/bits.h"
#include <string.h>

#define CAPY_RECORD_MAGIC "CAPYREC\001"
#define CAPY_RECORD_MAGIC_LEN 8u
#define CAPY_RECORD_HEADER_LEN 40u
#define CAPY_RECORD_HASHED_LEN 32u               /* of the header */
#define CAPY_RECORD_BLOCK_MAX (256u * 1024u)     /* payload */
#define CAPY_RECORD_BYTES_MAX (2u * 1024 * 1024) /* of one argument: more than a send queue takes */
#define CAPY_RECORD_NUMBER_MAX 10u               /* bytes of a 64-bit number */
#define CAPY_RECORD_TIME_PASSED 0x80u
#define CAPY_RECORD_CALL_CNT 0x80u

enum capy_record_block {
    CAPY_RECORD_SETUP = 1,
    CAPY_RECORD_CALLS,
    CAPY_RECORD_TORN, /* CALLS, in whose last call the program died */
    CAPY_RECORD_END,
};

/* Why a recording ended; one byte, the payload of END. */
enum capy_record_end {
    CAPY_RECORD_CLOSED = 1, /* the program ended, or closed its library OS */
    CAPY_RECORD_LIMIT,      /* the file has reached the size it was allowed */
    CAPY_RECORD_SLOW,       /* the disk did not keep up, and the program did not wait for it */
    CAPY_RECORD_END_CNT,
};

static inline uint64_t capy_record_rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64u - bits);
}

static inline uint64_t capy_record_word(const uint8_t *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    w = __builtin_bswap64(w);
#endif
    return w;
}

/* What blocks and output frames are compared by: not secret, but no change of one word goes
 * unnoticed. Four lanes, so that the multiplications overlap. */
static inline uint64_t capy_record_hash(const uint8_t *p, size_t len)
{
    const uint64_t odd = 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio */
    uint64_t lane[4] = {len, odd, ~odd, odd >> 1};
    size_t i = 0;
    for (; i + 32 <= len; i += 32)
        for (unsigned k = 0; k < 4; k++)
            lane[k] = (capy_record_rotate(lane[k], 27) ^ capy_record_word(p + i + 8 * k)) * odd;
    for (unsigned k = 0; i < len; k++, i += 8) {
        uint8_t last[8] = {0};
        memcpy(last, p + i, len - i < 8 ? len - i : 8);
        lane[k] = (capy_record_rotate(lane[k], 27) ^ capy_record_word(last)) * odd;
    }
    uint64_t h = 0;
    for (unsigned k = 0; k < 4; k++)
        h = (capy_record_rotate(h, 19) ^ lane[k] ^ lane[k] >> 32) * odd;
    return h ^ h >> 29;
}

#endif
