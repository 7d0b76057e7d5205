/* A request and its answer, as bytes: what is still to be sent, and what has come so far, every byte of
 * it compared. Knows no socket. */
#ifndef CAPY_APPS_LOAD_EXCHANGE_H
#define CAPY_APPS_LOAD_EXCHANGE_H

#include "apps/load/failure.h"
#include "apps/load/response.h"

#define LOAD_HEAD_MAX 1024u /* an answer's head; a longer one is no answer of ours */
#define LOAD_REQUEST_MAX 320u
#define LOAD_SEED_DIGITS_MAX 20u

/* The requests to one target, all alike but for the seed in the middle. */
struct load_question {
    char before[LOAD_REQUEST_MAX / 2], behind[LOAD_REQUEST_MAX / 2 - LOAD_SEED_DIGITS_MAX];
    uint32_t before_len, behind_len;
    uint64_t body_len;
};

enum load_exchange_phase { LOAD_AT_REST, LOAD_ASKING, LOAD_HEAD, LOAD_BODY };

struct load_exchange {
    enum load_exchange_phase phase;
    bool close_after; /* the answer says that the server closes behind it */
    uint64_t seed, body_at, body_len;
    uint32_t out_len, out_at, head_len;
    char server[LOAD_SERVER_NAME_MAX]; /* whose answer it is; "?" when it does not say */
    char out[LOAD_REQUEST_MAX], head[LOAD_HEAD_MAX];
};

enum load_step {
    LOAD_STEP_WAIT,     /* more is to come */
    LOAD_STEP_ANSWERED, /* the answer is whole and right: at rest again */
    LOAD_STEP_FAILED,   /* *why says how */
};

/* host: as in a Host field. The server is asked to be busy for service_us, and for body_len bytes. */
void load_question_make(struct load_question *q, const char *host, uint64_t service_us,
                        uint64_t body_len);
/* Begins, at rest: the request for pattern stream `seed` is to be sent. */
void load_exchange_begin(struct load_exchange *x, const struct load_question *q, uint64_t seed);
/* So many bytes of out + out_at were sent. */
void load_exchange_sent(struct load_exchange *x, uint32_t len);
/* Bytes that came. */
enum load_step load_exchange_take(struct load_exchange *x, const char *data, size_t len,
                                  struct load_failure *why);

#endif
