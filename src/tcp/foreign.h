/* A control block whose segments another TCP sends and receives: the host kernel's, on a server that
 * serves from kernel sockets (docs/architecture.md, "Members on kernel sockets"). The block holds
 * what the application has not read yet, and where in either direction the connection is; all else
 * is the other TCP's, which tells it when the connection leaves, and is told it when one arrives.
 *
 * In between the block is quiet: nothing in flight, no timer. Nobody asks it for segments: what it would
 * say, a wider window, is the other TCP's to say. Who calls: stack/foreign.c. */
#ifndef CAPY_TCP_FOREIGN_H
#define CAPY_TCP_FOREIGN_H

#include "tcp/tcp.h"

/* What another TCP can tell of a connection that is established both ways, as TCP_REPAIR has it. */
struct capy_tcp_foreign {
    struct capy_seq snd_end;                /* behind the last byte queued for sending */
    uint32_t snd_queued;                    /* bytes before it that are not acknowledged */
    uint32_t snd_unsent;                    /* of these at the end, never sent */
    struct capy_seq rcv_nxt;                /* behind the last in-order byte that was received */
    struct capy_seq rcv_wup;                /* what our last window update acknowledged */
    struct capy_seq snd_wl1;                /* the segment that last changed snd_wnd */
    uint32_t rcv_wnd, snd_wnd, snd_wnd_max; /* bytes */
    uint32_t ts_now;                        /* the timestamp clock */
    uint16_t mss;                           /* agreed on, options included */
    uint8_t snd_wscale, rcv_wscale;
    bool wscale, sack, timestamps;
    /* Told and not taken: a socket that is being repaired begins with its host's own. */
    bool ecn;
    uint32_t cwnd;               /* bytes */
    uint64_t srtt_ns, rttvar_ns; /* 0: none measured */
};

/* A fresh one, of a connection that is open. */
void capy_tcp_foreign_open(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* The other TCP took n more bytes to send. */
void capy_tcp_foreign_sent(struct capy_tcp *tcb, uint32_t n);
/* It received n bytes in order, which are the application's to read now. CAPY_OK, or CAPY_E_NOMEM:
 * no blocks, nothing taken. */
CAPY_MUST_USE int capy_tcp_foreign_received(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                                            const uint8_t *data, uint32_t n);
/* The peer will send no more. */
void capy_tcp_foreign_fin(struct capy_tcp *tcb);

/* Leaving: fills the block with what the other TCP says; snd: its f->snd_queued bytes. CAPY_OK, or
 * CAPY_E_NOMEM, and the block is quiet as before. */
CAPY_MUST_USE int capy_tcp_foreign_take(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                                        const struct capy_tcp_foreign *f, const uint8_t *snd);
/* Arriving: what to tell the other TCP. False: in a state that TCP_REPAIR cannot make (one side has
 * closed). The bytes to send stay in tcb->snd.queue until capy_tcp_foreign_quiet. */
bool capy_tcp_foreign_give(const struct capy_tcp *tcb, const struct capy_tcp_env *env,
                           struct capy_tcp_foreign *f);
/* The other TCP has it all (again): what is to be sent, held out of order or timed here goes. */
void capy_tcp_foreign_quiet(struct capy_tcp *tcb, const struct capy_tcp_env *env);

#endif
