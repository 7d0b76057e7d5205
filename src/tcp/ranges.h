/* Bounded lists of disjoint position ranges: what arrived out of order, and what the peer reports
 * to hold (SACK). Both lists of a connection share one block of the stack's pool, taken when the
 * first range appears and given back when both are empty, so that an idle connection pays 4 bytes.
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

struct capy_tcp_marks {
    struct capy_tcp_ranges ooo;    /* most recently changed first: RFC 2018 §4's order */
    struct capy_tcp_ranges sacked; /* ascending */
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
/* Bytes in all ranges together. */
uint32_t capy_tcp_ranges_total(const struct capy_tcp_ranges *l);

/* The connection's lists; an empty pair when it has no block. */
const struct capy_tcp_marks *capy_tcp_marks(const struct capy_tcp *tcb,
                                            const struct capy_tcp_env *env);
/* The same, for who has only the blocks. */
const struct capy_tcp_marks *capy_tcp_marks_in(const struct capy_tcp *tcb,
                                               const struct capy_blocks *blocks);
/* The connection's lists to write to, taking a block if need be; NULL when the pool is empty. */
struct capy_tcp_marks *capy_tcp_marks_need(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* Gives the block back when both lists are empty. */
void capy_tcp_marks_settle(struct capy_tcp *tcb, const struct capy_tcp_env *env);

#endif
