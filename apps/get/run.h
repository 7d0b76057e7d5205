/* The loop of `capy get`: its connections, what arrives from other servers, and the result. */
#ifndef CAPY_APPS_GET_RUN_H
#define CAPY_APPS_GET_RUN_H

#include "apps/common/series.h"
#include "apps/get/transfer.h"

#define GET_CONNECTION_MAX 4096u

struct get_options {
    struct capy_options os;
    struct capy_address target;
    struct get_transfer request; /* what every connection begins with */
    struct get_files files;
    uint32_t connection_cnt; /* 0: none of our own, only those that arrive */
    uint32_t arrival_cnt;    /* transfers that other servers began, to wait for */
    uint64_t timeout_ns;     /* an answer that takes longer is an error */
    const char *json;
};

struct get_result {
    uint64_t answers, errors, bytes;
    uint32_t moved_out, moved_in;
    double seconds; /* from the first CONNECT asked for to the last byte */
    char first_error[160];
    struct capy_series latency_ns; /* of each request: from its first byte out to its last one in */
    bool one_digest;               /* all bodies had the same */
    char digest[2 * crypto_hash_sha256_BYTES + 1];
    char driver[96];
};

/* 0; -1 with one line in err when it could not begin. */
int get_run(const struct get_options *opt, struct get_result *result, char *err, size_t err_len);

#endif
