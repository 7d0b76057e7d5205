/* A segment on its way through the steps of RFC 9293 §3.10.7.4: as it came, its numbers as
 * positions, and what of it lies within the window. Lives on the stack of capy_tcp_input. */
#ifndef CAPY_TCP_ARRIVAL_H
#define CAPY_TCP_ARRIVAL_H

#include "tcp/tcp.h"

/* RFC 5961 §7 suggests 10 challenge ACKs in 5 s. */
#define CAPY_TCP_CHALLENGE_MS 500u

struct capy_tcp_arrival {
    const struct capy_tcp_segment *seg;
    uint64_t seq, ack;   /* positions: in the peer's stream, in ours */
    const uint8_t *data; /* what is left after trimming, at seq */
    uint32_t len;
    uint8_t ecn;                      /* of its IP header */
    bool fin;                         /* the FIN is behind data, within the window */
    uint32_t sacked;                  /* bytes that it newly reports to hold out of order */
    uint32_t sacked_was;              /* snd.sacked before it */
    bool late;                        /* what it reports was taken for lost, and did not go again */
    uint64_t dsack_left, dsack_right; /* the duplicate that it reports (RFC 2883); 0: none */
    uint32_t events;                  /* to be returned */
};

/* An ACK in answer to something suspect, at most one per interval (RFC 5961 §7). */
void capy_tcp_challenge(struct capy_tcp *tcb, const struct capy_tcp_env *env);

#endif
