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
#define E CAPY_TCP_ECE
#define C CAPY_TCP_CWR

enum { ECT_0 = 2, CE = 3 }; /* of the IP header, RFC 3168 §5 */

struct end {
    struct capy_tcp tcb;
    struct capy_tcp_cfg cfg;
    struct capy_tcp_counters count;
    struct capy_blocks blocks;
    struct capy_tcp_env env;
    void *mem;
    uint32_t events;              /* collected since last asked */
    struct capy_tcp_segment last; /* the last segment that came out */
    uint8_t payload[2048];        /* its data */
    struct end *twin;             /* must behave alike from now on, see end_twin */
    uint64_t ahead_ns;            /* a twin's clock less the other's */
    uint8_t in_opts;              /* options that `in` adds: timestamps */
    uint32_t in_ts, in_ecr;
};

/* A fresh endpoint with default configuration but for mss_max = MSS. Time starts at one second. */
void end_init(struct end *e, uint32_t block_cnt);
/* Frees the connection and asserts that every block came back. */
void end_done(struct end *e);

/* Calls of the endpoint. With a twin the same call goes to both, on their own clocks, and every
 * result and every segment must be the same. */
uint32_t end_input(struct end *e, const struct capy_tcp_segment *seg);
uint32_t end_expire(struct end *e);
int64_t end_write(struct end *e, const uint8_t *data, uint32_t len);
void end_consume(struct end *e, uint32_t n);
void end_shutdown(struct end *e);
void end_set_now(struct end *e, uint64_t now);

/* Gives e a twin made from its snapshot, whose clock is ahead by whole milliseconds (so that both
 * timestamp clocks tick together). Asserts that the twin's snapshot is the same string of bytes.
 * Returns the snapshot's length. */
uint32_t end_twin(struct end *e, struct end *twin, uint64_t ahead_ms, struct capy_prng *prng);
void end_untwin(struct end *e);

/* The bytes of a test stream: what lies at position n of stream `id`. */
uint8_t pattern(uint32_t id, uint64_t n);

/* A segment from the script; numbers count from the ISNs (SYN is 0, the first byte 1). */
struct in {
    uint8_t flags, ecn;
    uint32_t seq, ack, len;
    uint16_t win;
    struct {
        uint32_t left, right;
    } sack[4]; /* relative to OUR_ISS; unused: 0, 0 */
};
/* Feeds it; the data is pattern(1, seq...). Returns the events, which also go to e->events. */
uint32_t in(struct end *e, struct in s);
/* The peer's ACK of position n, its window open; and the same with one SACK block. */
struct in ack_of(uint32_t n);
struct in sack_of(uint32_t n, uint32_t left, uint32_t right);
/* Asserts that the next segment out has just these flags (PSH aside), numbers and length. */
void out(struct end *e, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len);
/* Asserts that nothing is owed. */
void quiet(struct end *e);
/* Lets time pass, running timers as they fall due; output is left to the script, so that it stops
 * at the first timer that makes a segment due or reports an event. */
void pass(struct end *e, uint64_t ns);
/* The next segment, if any, with its payload in e->payload. Asserts that wants_output agrees. */
bool next_segment(struct end *e);
/* Writes len pattern(2) bytes behind what was written before. */
void put(struct end *e, uint32_t len);

enum { WITH_SACK = 1, WITH_TS = 2, WITH_WSCALE = 4, WITH_ECN = 8 };
/* A passive open carried through: the peer's MSS is MSS and its window win. */
void establish(struct end *e, uint32_t with, uint16_t win);

#endif
