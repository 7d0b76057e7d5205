/* The application of the rack simulation, and its oracle. Every client connection streams a keyed
 * pattern up while the server streams another one down; every byte is checked where it is read. The
 * server's own state per connection (how much it read and wrote) travels as application state with
 * each migration, and is checked on arrival. At any instant at most one server's application may
 * hold a connection. */
#ifndef CAPY_TESTS_SIM_STREAM_H
#define CAPY_TESTS_SIM_STREAM_H

#include "three.h"

enum { STREAMS_MAX = 64 };

enum stream_place { STREAM_NOWHERE, STREAM_AT, STREAM_BETWEEN, STREAM_OVER };

struct stream_end {
    capy_handle conn;
    uint64_t read, written; /* bytes so far */
    uint64_t grant;         /* may write up to here */
    uint64_t take;          /* may read up to here; CAPY_NEVER: all */
    bool open, saw_fin, shut;
};

struct stream {
    bool connected;
    bool broken; /* ended by RST or timeout at the client */
    uint64_t broken_at;
    bool doomed; /* a fault was injected that may end it */
    bool ipv6;
    uint16_t client_port;
    uint16_t home;           /* server that it was opened to */
    enum stream_place place; /* of the server's end */
    uint16_t at;             /* server that runs it, or released it last */
    uint64_t up, down;       /* bytes to send in all */
    uint32_t moves;
    uint32_t life; /* how often its client port was used before */
    uint16_t released_by;
    uint64_t read_at_release, written_at_release;
    struct stream_end client, server;
};

struct streams {
    struct sim_rack *rack;
    struct capy_prng rng;
    struct stream stream[STREAMS_MAX];
    uint32_t cnt, moved, kept, asked, vetoed;
    uint32_t veto_ppm;      /* of asks: answered by veto */
    uint32_t ignore_ppm;    /* of asks: never answered */
    uint32_t ipv6_from;     /* streams at and behind it alternate between IPv6 and IPv4 */
    uint32_t state_max;     /* filler bytes of application state, at most */
    uint16_t not_listening; /* server without the service; SIM_SERVERS: none */
};

void streams_init(struct streams *st, struct sim_rack *r, uint64_t seed);
/* Makes it the application of the rack: before sim_start. */
void streams_attach(struct streams *st);
/* Opens one more stream to a home server; up and down bytes in all. Its index. */
uint32_t stream_open(struct streams *st, unsigned home, uint64_t up, uint64_t down);
/* Opens it again, from the same client port to the same home, once it is over. CAPY_OK; what
 * capy_stack_connect said; CAPY_E_AGAIN: it was reset a moment ago, and a server may be about to
 * accept or import it yet, which could not be told from the new one. */
int stream_reopen(struct streams *st, uint32_t i, uint64_t up, uint64_t down);
/* The client, or the server, resets it. */
void stream_abort(struct streams *st, uint32_t i, bool by_client);
/* Resets server ends whose client is gone: nobody else would ever tell an idle one. */
void streams_reap(struct streams *st);
/* Lets both ends write up to n bytes more. */
void stream_grant(struct streams *st, uint32_t i, uint64_t n);
/* Asks the server that runs a stream to move it. What capy_stack_migrate said; CAPY_E_AGAIN when
 * nobody runs it at the moment. */
int stream_migrate(struct streams *st, uint32_t i, uint16_t target);
/* Marks what the crash of a server may break, and forgets the server's end of it. */
void streams_crashed(struct streams *st, unsigned host);
/* Marks what a long silence of a server may break; its applications live on. */
void streams_stalled(struct streams *st, unsigned host);
bool stream_is_over(const struct streams *st, uint32_t i);
/* Both directions complete and closed, or broken. */
bool streams_done(const struct streams *st);
/* Prints how a stream stands at both ends and at the switch. */
void stream_dump(const struct streams *st, uint32_t i);
/* Asserts that every stream not doomed arrived whole. */
void streams_check(const struct streams *st);

#endif
