/* A connection is a value, tested as such (docs/architecture.md, idea 2): one host stays what it is;
 * its twin has every connection encoded, decoded into a fresh stack, and the old stack thrown away,
 * again and again. Both hear the same frames from a peer behind a bad network and get the same calls
 * from their application. Whatever they say or answer must be the same, bit for bit, to the end.
 *
 * All choices come from bytes.h: configuration, network, application, and when to move. */
#ifndef CAPY_TESTS_FUZZ_TWINS_H
#define CAPY_TESTS_FUZZ_TWINS_H

#include "bytes.h"
#include "stack/host.h"
#include "tcp/ranges.h"

#define TWINS_FLYING_MAX 128u
#define TWINS_PORT 80u
#define TWINS_RECORD_MAX (1u << 19)

/* What a connection was like when it moved, beside its state. */
enum twins_feature {
    TWINS_IPV4,
    TWINS_IPV6,
    TWINS_SACK,
    TWINS_NO_SACK,
    TWINS_TIMESTAMPS,
    TWINS_NO_TIMESTAMPS,
    TWINS_WINDOW_SCALE,
    TWINS_ECN,
    TWINS_ECN_TO_TELL, /* a mark to echo, or a window cut to tell of */
    TWINS_CUBIC,
    TWINS_NEWRENO,
    TWINS_DCTCP,
    TWINS_SLOW_START,
    TWINS_AVOIDANCE,
    TWINS_RECOVERY,
    TWINS_LOSS,
    TWINS_FRTO,
    TWINS_DOUBT,     /* an episode that may still turn out to have been none */
    TWINS_REDUCTION, /* proportional rate reduction runs */
    TWINS_TIMER_RTO,
    TWINS_TIMER_TLP,
    TWINS_TIMER_REORDER,
    TWINS_TIMER_PERSIST,
    TWINS_TIMER_KEEPALIVE,
    TWINS_TIMER_FIN_WAIT_2,
    TWINS_TIMER_END,
    TWINS_BACKED_OFF,
    TWINS_DELAYED_ACK,
    TWINS_CHALLENGED,    /* a challenge ACK was sent a moment ago */
    TWINS_ZERO_WINDOW,   /* the peer's */
    TWINS_CLOSED_WINDOW, /* ours */
    TWINS_UNREAD,
    TWINS_UNACKED,
    TWINS_UNSENT,
    TWINS_OUT_OF_ORDER,
    TWINS_EARLY_FIN, /* the peer's FIN lies beyond a hole */
    TWINS_SACKED,
    TWINS_DUPLICATE, /* to be told of (RFC 2883) */
    TWINS_CORKED,
    TWINS_PROBING, /* a keep-alive probe is unanswered */
    TWINS_ORPHAN,  /* the application is gone */
    TWINS_SHRUNK,  /* segments smaller than agreed (tcp/path.h) */
    TWINS_PACED,
    TWINS_PACED_OUT,
    TWINS_FEATURE_CNT
};

struct twins_seen {
    uint64_t moves, frames; /* connections moved; frames compared */
    uint64_t state[CAPY_TCP_STATE_CNT], feature[TWINS_FEATURE_CNT];
    /* Shown each record of a connection that moves; NULL: nobody wants them. */
    void (*record)(struct capy_stack *from, struct capy_conn *c, const uint8_t *record,
                   uint32_t len);
};

/* A frame on its way: to the twins, or to the peer. */
struct twins_flying {
    uint64_t at, order;
    bool to_peer;
    size_t len;
    uint8_t data[CAPY_FRAME_MAX];
};

/* An application's end of the connection. */
struct twins_end {
    capy_handle conn; /* CAPY_HANDLE_NONE: none now */
    uint64_t read, written;
    bool stalled, shut;
};

enum { TWINS_STAYS, TWINS_MOVES, TWINS_PEER, TWINS_HOSTS };

struct twins {
    struct fuzz_bytes *b;
    struct twins_seen *seen;
    uint64_t now, order;
    struct capy_stack_cfg cfg, peer_cfg;
    struct capy_stack *host[TWINS_HOSTS];
    struct twins_end end[TWINS_HOSTS]; /* the twins' differ in the handle alone */
    bool ipv6;
    unsigned lives, spare; /* connections so far; which memory of the moving twin is free */
    unsigned steps, calm;  /* of the run; until then applications close nothing */
    uint64_t delay_ns, jitter_ns;
    uint8_t loss, repeat, late, mark, forge, move; /* of 256 */
    struct twins_flying flying[TWINS_FLYING_MAX];
    unsigned flying_cnt;
};

/* One run; aborts when the twins differ. */
void twins_run(struct fuzz_bytes *b, struct twins_seen *seen);

/* ---- twins_config.c ---- */
void twins_configure(struct twins *t);
/* ---- twins_app.c ---- */
struct capy_ip twins_ip(const struct twins *t, bool peer);
/* The applications take their events, and do something or nothing. */
void twins_app_turn(struct twins *t, bool peer);
/* A new connection, opened by either side or by both at once. */
void twins_open(struct twins *t);
/* ---- twins_net.c ---- */
/* Puts a frame on its way, as the network has it. */
void twins_send(struct twins *t, bool to_peer, const uint8_t *frame, size_t len);
/* The index of the next frame to arrive; TWINS_FLYING_MAX: none. */
unsigned twins_next(const struct twins *t);
/* ---- twins_seen.c ---- */
void twins_note(struct twins_seen *seen, const struct capy_stack *s, const struct capy_conn *c);
const char *twins_feature_name(enum twins_feature feature);

#endif
