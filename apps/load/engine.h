/* The load itself: N keep-alive connections, each with at most one request in flight. */
#ifndef CAPY_APPS_LOAD_ENGINE_H
#define CAPY_APPS_LOAD_ENGINE_H

#include "apps/common/endpoint.h"
#include "apps/common/series.h"
#include "apps/load/response.h"
#include <stdbool.h>
#include <stdio.h>

#define LOAD_TARGET_MAX 64u
#define LOAD_SERVER_MAX 64u /* different X-Capy-Server names; one bit each */
#define LOAD_REQUEST_MAX 256u

struct load_options {
    unsigned target_cnt;
    union capy_endpoint target[LOAD_TARGET_MAX]; /* connection i goes to target i % target_cnt */
    uint32_t connection_cnt;
    uint64_t duration_ns; /* 0: until stopped */
    uint64_t request_max; /* 0: no limit */
    uint64_t rate;        /* requests/s, sent on time whatever the answers do (open loop);
                             0: each connection asks again as soon as it was answered */
    uint64_t service_us, bytes, seed; /* of /synthetic */
    uint64_t timeout_ns;              /* an answer that takes longer is an error */
    uint64_t live_ns; /* a line of progress in JSON on stdout this often; 0: never */
    bool routed;      /* targets may lie behind a router */
    const char *json; /* the result goes there; NULL: nowhere */
};

/* What can go wrong with a request or a connection. */
enum load_error {
    LOAD_ERROR_CONNECT, /* refused, unreachable, or no answer */
    LOAD_ERROR_RESET,   /* RST from the other side */
    LOAD_ERROR_CLOSED,  /* FIN in the middle of an answer, or unasked for */
    LOAD_ERROR_TIMEOUT, /* no whole answer in time */
    LOAD_ERROR_ANSWER,  /* not HTTP, not 200, or not the length asked for */
    LOAD_ERROR_BODY,    /* a byte of the body is wrong */
    LOAD_ERROR_CNT
};

struct load_result {
    double seconds;
    uint64_t requests; /* answered, and right */
    uint64_t error[LOAD_ERROR_CNT];
    char first_error[320];
    uint64_t reconnects;
    uint64_t retransmits; /* TCP_INFO: of this side, all connections */
    struct capy_series latency_ns;
    unsigned server_cnt;
    char server[LOAD_SERVER_MAX][LOAD_SERVER_NAME_MAX];
    uint64_t server_requests[LOAD_SERVER_MAX];
    /* [k]: connections that exactly k servers answered on. */
    uint32_t served_by[LOAD_SERVER_MAX + 1];
};

/* Runs until the duration or the number of requests is over, or SIGINT or SIGTERM comes; answers in
 * flight are still waited for. 0, or -1 with one line in err when it could not even begin. */
int load_run(const struct load_options *opt, struct load_result *result, char *err, size_t err_len);

uint64_t load_errors(const struct load_result *r);
void load_print(const struct load_options *opt, struct load_result *r, FILE *out);
/* 0, or -1 with errno. */
int load_write_json(const struct load_options *opt, struct load_result *r);

#endif
