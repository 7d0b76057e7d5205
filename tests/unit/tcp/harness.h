/* What the TCP tests share: one endpoint with its own blocks and clock, fed and questioned like a
 * script; and two endpoints joined by a pipe that loses, repeats and reorders. */
#ifndef TESTS_UNIT_TCP_HARNESS_H
#define TESTS_UNIT_TCP_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "tcp/ranges.h"
#include "tcp/snapshot.h"
#include "tcp/tcp.h"

/* Both near the wrap, so that every script crosses it. */
#define OUR_ISS 0xfffffff0u
#define PEER_ISS 0xffffffe0u
#define PEER_TS 0xfffffff8u /* the peer's timestamp clock at the start */
#define MSS 1000u           /* of scripts: easy to read */

#define S CAPY_TCP_SYN
#define A CAPY_TCP_ACK
#define F CAPY_TCP_FIN
#define R CAPY_TCP_RST
#define P CAPY_TCP_PSH

struct end {
    struct capy_tcp tcb;
    struct capy_tcp_cfg cfg;
    struct capy_tcp_counters count;
    struct capy_blocks blocks;
    struct capy_tcp_env env;
    void *mem;
    uint32_t events; /* collected since last asked */
    struct capy_tcp_segment last; /* the last segment that came out */
    uint8_t payload[2048];        /* its data */
    uint8_t in_opts;              /* options that `in` adds: timestamps */
    uint32_t in_ts;
};

/* A fresh endpoint with default configuration but for mss_max = MSS. Time starts at one second. */
void end_init(struct end *e, uint32_t block_cnt);
/* Frees the connection and asserts that every block came back. */
void end_done(struct end *e);

/* The bytes of a test stream: what lies at position n of stream `id`. */
uint8_t pattern(uint32_t id, uint64_t n);

/* A segment from the script; numbers count from the ISNs (SYN is 0, the first byte 1). */
struct in {
    uint8_t flags;
    uint32_t seq, ack, len;
    uint16_t win;
    struct {
        uint32_t left, right;
    } sack[4]; /* relative to OUR_ISS; unused: 0, 0 */
};
/* Feeds it; the data is pattern(1, seq...). Returns the events, which also go to e->events. */
uint32_t in(struct end *e, struct in s);
/* Asserts that the next segment out has just these flags (PSH aside), numbers and length. */
void out(struct end *e, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len);
/* Asserts that nothing is owed. */
void quiet(struct end *e);
/* Lets time pass, running timers as they fall due; output is left to the script, so that it stops at
 * the first timer that makes a segment due. */
void pass(struct end *e, uint64_t ns);
/* The next segment, if any, with its payload in e->payload. Asserts that wants_output agrees. */
bool next_segment(struct end *e);
/* Writes len pattern(2) bytes behind what was written before. */
void put(struct end *e, uint32_t len);

enum { WITH_SACK = 1, WITH_TS = 2, WITH_WSCALE = 4 };
/* A passive open carried through: the peer's MSS is MSS and its window win. */
void establish(struct end *e, uint32_t with, uint16_t win);

#endif
