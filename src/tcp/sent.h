/* Send records: when each byte in flight left, and whether it is lost (RFC 8985 §5.1, per run of
 * bytes instead of per segment). A connection without records has either no SACK, or everything in
 * flight left once, together, at tcb->sent_at, which needs no record: so request and response never
 * take a block. When the pool has no block to spare for records, the connection goes on without, as
 * if all of its flight had left with the last segment; then only the RTO finds losses. */
#ifndef CAPY_TCP_SENT_H
#define CAPY_TCP_SENT_H

#include "tcp/ranges.h"

/* The records to write to; made from what the block itself says when there are none yet. NULL: no
 * block to spare. */
struct capy_tcp_sent *capy_tcp_sent_need(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* [pos, end) leaves now; before snd.nxt and sent_at say so. True when the records know. */
bool capy_tcp_sent_went(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t pos,
                        uint64_t end, bool again);
/* What was taken for lost is in flight after all. */
void capy_tcp_sent_nothing_lost(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* snd.una advanced; forgets the records when the block itself says the same. */
void capy_tcp_sent_trim(struct capy_tcp *tcb, struct capy_tcp_marks *m);
/* Ends run i at pos, within it; what is behind becomes a run of its own. False: no room. */
bool capy_tcp_sent_split(struct capy_tcp_sent *l, uint32_t i, uint64_t pos);
/* Makes room for one more run by joining two neighbours: which have arrived, or else are nearest in
 * time. */
void capy_tcp_sent_squeeze(struct capy_tcp_marks *m);

#endif
