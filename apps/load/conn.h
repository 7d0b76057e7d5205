/* One keep-alive connection of the load: its socket, its request in flight, its checked answer. */
#ifndef CAPY_APPS_LOAD_CONN_H
#define CAPY_APPS_LOAD_CONN_H

#include "apps/load/engine.h"

#define LOAD_HEAD_MAX 1024u /* an answer's head; a longer one is no answer of ours */

enum load_conn_phase { LOAD_CLOSED, LOAD_CONNECTING, LOAD_IDLE, LOAD_ASKING, LOAD_HEAD, LOAD_BODY };

struct load_conn {
    enum load_conn_phase phase;
    int fd;
    union capy_endpoint target;
    uint64_t due_at;    /* when the request in flight should have been sent */
    uint64_t expire_at; /* when to give it, or the connecting, up */
    uint64_t retry_at;  /* closed: when to connect again */
    uint64_t seed, body_at, body_len;
    bool close_after, polls_out;
    uint64_t served; /* bit i: server i of the result answered here */
    uint32_t out_len, out_at, head_len;
    char out[LOAD_REQUEST_MAX], head[LOAD_HEAD_MAX];
};

/* What a step brought. */
enum load_step {
    LOAD_STEP_WAIT,   /* nothing more until the socket is ready again */
    LOAD_STEP_READY,  /* connected, or answered: idle, may ask */
    LOAD_STEP_FAILED, /* *error and why say how; the caller closes */
};

struct load_failure {
    enum load_error error;
    char why[160];
};

/* Opens the socket and starts connecting. */
enum load_step load_conn_open(struct load_conn *c, struct load_failure *why);
/* Sends the request for bytes of pattern stream seed; idle connections only. */
enum load_step load_conn_ask(struct load_conn *c, const struct load_options *opt, uint64_t seed,
                             struct load_failure *why);
/* The socket is ready for something. buffer: room for what is read, shared by all connections. */
enum load_step load_conn_step(struct load_conn *c, struct load_result *r, char *buffer,
                              size_t buffer_len, struct load_failure *why);
/* Closes; adds what TCP_INFO tells to the result. */
void load_conn_close(struct load_conn *c, struct load_result *r);

#endif
