/* One connection's transfer: a number of requests, one after the other, each with its answer. All of
 * it that a server needs to go on with is in one value without pointers, which moves with the
 * connection. */
#ifndef CAPY_APPS_GET_TRANSFER_H
#define CAPY_APPS_GET_TRANSFER_H

#include "capy/capy.h"
#include <sodium/crypto_hash_sha256.h>

#define GET_HEAD_MAX 1024u   /* an answer's head; a longer one is refused */
#define GET_TARGET_MAX 256u  /* host and path of a request */
#define GET_STATE_VERSION 1u /* of struct get_transfer as it travels between servers */
#define GET_PATTERN_SEED 1u  /* of what --send sends */

enum get_phase { GET_SENDING, GET_HEAD, GET_BODY, GET_DONE };

struct get_transfer {
    uint32_t version;
    enum get_phase phase;
    char method[8], host[64], path[GET_TARGET_MAX];
    uint64_t requests_left;     /* the present one included */
    uint64_t send_len, send_at; /* of the request's body */
    uint32_t out_len, out_at;   /* of the request's head */
    char out[GET_TARGET_MAX + 256];
    uint32_t head_len;
    char head[GET_HEAD_MAX];
    uint64_t body_len, body_at;
    uint64_t bytes; /* of bodies, both ways, in all */
    bool hashed, close_after;
    bool from_file; /* what it sends is here and nowhere else: it cannot move */
    crypto_hash_sha256_state sha256;
    unsigned char digest[crypto_hash_sha256_BYTES]; /* of the last body that came whole */
};

/* Where bodies come from and go to. */
struct get_files {
    int in, out; /* -1: none */
};

enum get_step {
    GET_STEP_WAIT,   /* nothing more until the queue brings something */
    GET_STEP_ANSWER, /* one answer came whole; the next request may begin */
    GET_STEP_FAILED, /* *why says how */
};

/* Begins the next request: nothing is sent yet. */
void get_transfer_begin(struct get_transfer *t);
/* Pushes what is left of the request, as far as there is room. */
enum get_step get_transfer_send(struct get_transfer *t, struct capy *os, int qd,
                                const struct get_files *files, const char **why);
/* Takes what a pop found. fin: nothing comes behind it. */
enum get_step get_transfer_receive(struct get_transfer *t, struct capy *os, int qd, bool fin,
                                   const struct get_files *files, const char **why);
/* Hexadecimal text of the digest. */
char *get_digest_text(const struct get_transfer *t, char out[2 * crypto_hash_sha256_BYTES + 1]);

#endif
