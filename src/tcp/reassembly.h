/* The receive queue: in-order bytes, and out-of-order bytes already in their place in the same
 * stream (RFC 9293 §3.10.7.4 seventh step, RFC 2018). */
#ifndef CAPY_TCP_REASSEMBLY_H
#define CAPY_TCP_REASSEMBLY_H

#include "tcp/tcp.h"

enum capy_tcp_placed {
    CAPY_TCP_PLACED_NOTHING, /* no memory, or one hole too many: as if the network had lost it */
    CAPY_TCP_PLACED_AHEAD,   /* beyond a hole, or there already */
    CAPY_TCP_PLACED_NEXT,    /* rcv.nxt advanced */
    CAPY_TCP_PLACED_GAP,     /* rcv.nxt advanced, and there is or was a hole */
};

/* Takes len > 0 bytes at pos; [pos, pos + len) lies within the window, pos >= rcv.nxt. */
enum capy_tcp_placed capy_tcp_place(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                                    uint64_t pos, const uint8_t *data, uint32_t len);
/* Highest position held, or rcv.nxt. */
uint64_t capy_tcp_held_end(const struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* What of [left, right) lies below rcv.nxt has arrived twice: the next ACK says so. */
void capy_tcp_note_duplicate(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t left,
                             uint64_t right);
/* Fills the SACK blocks of an outgoing segment, at most max (RFC 2018 §4); a duplicate comes first,
 * and is told but once (RFC 2883 §4). */
void capy_tcp_sack_fill(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint8_t max,
                        struct capy_tcp_segment *seg);

#endif
