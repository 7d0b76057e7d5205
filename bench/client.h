/* A client, our stack, at the other end of an in-memory link from the server that is measured. The
 * client costs nothing in the figures: only the server's turns are timed. */
#ifndef CAPY_BENCH_CLIENT_H
#define CAPY_BENCH_CLIENT_H

#include "served.h"
#include "stack/host.h"

enum { BULK_MSS = 1448 }; /* 1500 less IP and TCP headers with timestamps */

struct client {
    void *mem;
    struct capy_stack *stack;
    capy_handle conn;
};

struct bench {
    struct served *server;
    struct client client;
    struct served_out out;
    bool full;                          /* the server may have more to send than out took */
    uint64_t ticks;                     /* in the server's turns since the last reset */
    uint64_t segments_in, segments_out; /* of the server, with data */
};

/* The client, with one connection to the server open. conn_max: of the client. */
void bench_open(struct bench *b, struct served *server, uint32_t conn_max);
void bench_close(struct bench *b);
/* One turn of the server, timed. frame NULL: it only sends. */
void bench_turn(struct bench *b, const uint8_t *frame, size_t len);
/* Passes frames until both ends are silent; the server gets one per turn. */
void bench_settle(struct bench *b);
void bench_pass_time(struct bench *b, uint64_t ns);
/* Takes the client's events and reads everything: how many bytes. */
uint64_t bench_read(struct bench *b);
/* The client writes on its connection. */
void bench_write(struct bench *b, const void *bytes, uint32_t len);
capy_handle bench_connect(struct bench *b, uint16_t port);
/* `size` bytes asked, and as many answered. */
void bench_request(struct bench *b, uint32_t size);
/* Lets delayed acknowledgements come, so that no answer is kept for sending it again. */
void bench_fall_silent(struct bench *b);

#endif
