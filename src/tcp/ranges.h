/* Bounded lists of disjoint position ranges: what arrived out of order, and what the peer reports
 * to hold (SACK). Both lists of a connection share one block of the stack's pool with its send
 * records (tcp/sent.h) and with what it remembers during recovery (tcp/episode.h), taken when the
 * first of them appears and given back when all are empty, so that an idle connection pays 4 bytes.
 */
#ifndef CAPY_TCP_RANGES_H
#define CAPY_TCP_RANGES_H

#include "tcp/tcp.h"

/* Enough for a loss of one segment in eight in a window of 256 segments; more holes are not
 * remembered, which costs retransmissions and nothing else. */
#define CAPY_TCP_RANGE_MAX 32u

struct capy_tcp_range {
    uint64_t left, right; /* [left, right), never empty */
};

struct capy_tcp_ranges {
    uint32_t cnt;
    struct capy_tcp_range r[CAPY_TCP_RANGE_MAX];
};

/* Bytes sent at about the same time and of the same fate; they begin where the run before ends, the
 * first one at snd.una. */
struct capy_tcp_run {
    uint64_t end;
    uint64_t at; /* when the first of them left */
    bool again;  /* a retransmission */
    bool lost;   /* and not sent again since */
};

/* A flight in a steady state has no more than a run per 1/24 of a round trip. */
#define CAPY_TCP_RUN_MAX 33u

/* Send records and the RACK variables that mean something only with them (RFC 8985 §5.2). */
struct capy_tcp_sent {
    uint64_t rack_at, rack_end; /* the delivered bytes that left last: RACK.xmit_ts, RACK.end_seq;
                                   rack_end 0: none yet */
    uint64_t rack_rtt;          /* RACK.rtt */
    uint64_t dsack_round;       /* RACK.dsack_round; 0: none */
    uint64_t cut_at;            /* when the congestion window was last cut for what is in flight */
    uint32_t cnt;
    struct capy_tcp_run r[CAPY_TCP_RUN_MAX]; /* ends ascend; the last one is snd.nxt */
};

/* What may still show that the loss of an episode was none. */
enum capy_tcp_doubt {
    CAPY_TCP_DOUBT_NONE,   /* there is no episode */
    CAPY_TCP_DOUBT_UNSENT, /* nothing has gone again yet */
    CAPY_TCP_DOUBT_ACK,    /* the ACK of what went again first, or F-RTO's next one */
    CAPY_TCP_DOUBT_DSACK,  /* reports of duplicates */
    CAPY_TCP_DOUBT_LATE,   /* the same, after recovery has ended */
};

/* Proportional rate reduction (tcp/prr.h), in bytes. */
struct capy_tcp_prr {
    uint32_t flight;         /* RecoverFS; 0: not in use */
    uint32_t delivered, out; /* prr_delivered, prr_out */
};

/* An episode of recovery (tcp/episode.h). */
struct capy_tcp_episode {
    uint64_t first_at;    /* when its first retransmission left (RFC 3522's RetransmitTS) */
    uint64_t original_at; /* and when that had left before, at the latest */
    uint64_t turn;        /* una here: DOUBT_ACK gets its answer, DOUBT_LATE ends */
    uint64_t start, end;  /* what went again lies here */
    uint64_t told_left, told_right; /* and here what was reported of it; 0, 0: nothing */
    struct capy_tcp_cc before;
    uint32_t again; /* bytes that went again and were not reported as duplicates */
    struct capy_tcp_prr prr;
    uint8_t doubt;  /* enum capy_tcp_doubt */
    bool sent_once; /* just one segment has gone again, which F-RTO asks for */
};

struct capy_tcp_marks {
    struct capy_tcp_ranges ooo;    /* most recently changed first: RFC 2018 §4's order */
    struct capy_tcp_ranges sacked; /* ascending; never without send records */
    struct capy_tcp_range dup;     /* arrived twice and is not reported yet; 0, 0: nothing */
    struct capy_tcp_sent sent;
    struct capy_tcp_episode episode;
};

_Static_assert(sizeof(struct capy_tcp_marks) <= CAPY_BLOCK_LEN, "the lists live in one block");

enum capy_tcp_range_order { CAPY_TCP_RECENT_FIRST, CAPY_TCP_ASCENDING };

/* Adds a range, merging what it overlaps or touches. False, unchanged, when the list is full. */
bool capy_tcp_ranges_add(struct capy_tcp_ranges *l, uint64_t left, uint64_t right,
                         enum capy_tcp_range_order order);
/* True when capy_tcp_ranges_add would be. */
bool capy_tcp_ranges_fits(const struct capy_tcp_ranges *l, uint64_t left, uint64_t right);
/* Removes everything before pos. */
void capy_tcp_ranges_trim(struct capy_tcp_ranges *l, uint64_t pos);
/* Of an ascending list: the highest position in (left, right] whose byte below is in no range, or
 * left when all of [left, right) is covered. */
uint64_t capy_tcp_ranges_gap_end(const struct capy_tcp_ranges *l, uint64_t left, uint64_t right);
/* Of an ascending list: bytes of [left, right) that are in no range. */
uint64_t capy_tcp_ranges_missing(const struct capy_tcp_ranges *l, uint64_t left, uint64_t right);
/* Bytes in all ranges together. */
uint32_t capy_tcp_ranges_total(const struct capy_tcp_ranges *l);

/* The connection's lists; empty ones when it has no block. */
const struct capy_tcp_marks *capy_tcp_marks(const struct capy_tcp *tcb,
                                            const struct capy_tcp_env *env);
/* The same, for who has only the blocks. */
const struct capy_tcp_marks *capy_tcp_marks_in(const struct capy_tcp *tcb,
                                               const struct capy_blocks *blocks);
/* The connection's lists to write to, taking a block if need be; NULL when the pool is empty. */
struct capy_tcp_marks *capy_tcp_marks_need(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* The same for what only the sender needs, which leaves blocks that reading needs (tcp/reserve.h).
 */
struct capy_tcp_marks *capy_tcp_marks_to_send(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* True when there is anything to remember. */
bool capy_tcp_marks_used(const struct capy_tcp_marks *m);
/* Gives the block back when all lists are empty. */
void capy_tcp_marks_settle(struct capy_tcp *tcb, const struct capy_tcp_env *env);

#endif
