/* Packets as text, for conformance tests that drive the stack as a black box. A packet reads
 *
 *     S. 0 ack 1 win 1000 urg 3 ecn 1 <mss 1000,ws 7,sackok,ts 0:5,sack 10:20 30:40>
 *     . 1:101 ack 1
 *
 * flags (S F R P U, . for ACK, E and W for ECE and CWR; - for none), sequence numbers with the end
 * of the data when there is any, then whatever else is said. Numbers are relative: those of
 * the peer to its initial sequence number, those of the stack to its own; both initial numbers are
 * near the wrap, so that the first data crosses it. Timestamps are relative to each side's first.
 * Data is a pattern by position: what the stack sends and what it delivers is checked byte by byte.
 *
 * Every scenario is run with and without a migration before each of its steps, over IPv4 and over
 * IPv6; each pair of runs must emit the same packets at the same times. */
#ifndef CAPY_TESTS_DRIVE_SCRIPT_H
#define CAPY_TESTS_DRIVE_SCRIPT_H

#include "tool.h"

#define LOCAL_PORT 50000u /* of connections that the stack opens */

/* ---- packets ---- */
/* The peer sends this. Without "win" its window is 30000. */
void in(struct tool *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The next packet, which is there now. What the text leaves out of win, urg, ecn and options is not
 * compared; P only when the text has it. */
void out(struct tool *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The next packet comes not before `from` and not behind `to` ns from now. */
void out_in(struct tool *t, uint64_t from, uint64_t to, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Nothing is sent now; nothing for ns, which pass. */
void silent(struct tool *t);
void silent_for(struct tool *t, uint64_t ns);
/* Takes whatever was sent: how many packets. */
unsigned drain(struct tool *t);
/* The last packet seen, parsed, and its IP header. */
const struct capy_packet *last(const struct tool *t);
/* An IP packet as it is; its checksums are right. For what `in` cannot say. */
size_t packet_of(struct tool *t, const char *text, uint8_t *packet);
void inject_raw(struct tool *t, const uint8_t *packet, size_t len);
/* Puts the TCP checksum right again. */
void fix_checksum(uint8_t *packet, size_t len);

/* ---- sockets ---- */
/* A listener on SERVICE_PORT. */
int listening(struct tool *t);
/* A listener and a handshake with it by a SYN with these options: the accepted socket; the
 * listener stays open. Nothing was read or written. "": just mss 1000. */
int accepted(struct tool *t, const char *options);
/* A non-blocking socket whose SYN is out and was seen. */
int connecting(struct tool *t);
int connected(struct tool *t, const char *options);
/* Writes the next n bytes of our pattern; reads just the next n of the peer's. */
void put(struct tool *t, int fd, unsigned n);
void get(struct tool *t, int fd, unsigned n);
/* Reads the end of the stream; fails with errno. */
void get_end(struct tool *t, int fd);
void get_error(struct tool *t, int fd, int error);
int state_of(struct tool *t, int fd);
struct tcp_info info_of(struct tool *t, int fd);
int option_of(struct tool *t, int fd, int level, int name);
void set_option(struct tool *t, int fd, int level, int name, int value);
void name_of(const struct tool *t, bool ours, uint16_t port, struct sockaddr_storage *to,
             socklen_t *len);

/* ---- runs ---- */
/* 192.0.2.1 and 192.0.2.2 (or 2001:db8::1 and ::2), neither ECN nor Nagle nor delayed
 * acknowledgements: what a segment or a write leads to is seen at once. */
struct drive_options script_options(void);
void script_run(tool_scenario *scenario, const struct drive_options *o);
/* So that the initial sequence number of the connection to come is near the wrap; the scenario's
 * helpers call it. */
void near_wrap(struct tool *t, uint16_t local_port);

/* A cmocka test of the options that may be changed in `change`. */
#define SCRIPT_WITH(name, change)                                                                  \
    static void name##_script(struct tool *t);                                                     \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        struct drive_options o = script_options();                                                 \
        change;                                                                                    \
        script_run(name##_script, &o);                                                             \
    }                                                                                              \
    static void name##_script(struct tool *t)
#define SCRIPT(name) SCRIPT_WITH(name, (void)0)

#endif
