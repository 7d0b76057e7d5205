/* The head of a snapshot: the field list, and the rules between the fields. Used by snapshot.c. */
#ifndef CAPY_TCP_SNAPSHOT_HEAD_H
#define CAPY_TCP_SNAPSHOT_HEAD_H

#include "tcp/codec.h"
#include "tcp/ranges.h"
#include "tcp/snapshot.h"

/* Writes or reads the head; the queues in *tcb get their start offsets only. marks: the range
 * lists, kept apart because a decoder has no block for them yet. Encoding: *tcb stays as it is, and NULL when
 * there are no lists.
 * Decoding: true when there were any; else *marks is not written. */
bool capy_snap_head_walk(struct capy_codec *c, struct capy_tcp *tcb, const struct capy_tcp_env *env,
                         struct capy_tcp_marks *marks, struct capy_snap_meta *meta);

/* Congestion control as decoded: within what its arithmetic can stand. una: snd.una. */
bool capy_snap_cc_ok(const struct capy_tcp_cc *cc, uint8_t algorithm, uint64_t una, uint64_t nxt);

/* True when a decoded head describes a connection that this engine could have made itself, so that
 * every assertion and every computation elsewhere holds for it. */
bool capy_snap_head_ok(const struct capy_tcp *tcb, const struct capy_tcp_env *env,
                       const struct capy_tcp_marks *marks, const struct capy_snap_meta *meta);

#endif
