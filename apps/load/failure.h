/* What can go wrong with a request or a connection. */
#ifndef CAPY_APPS_LOAD_FAILURE_H
#define CAPY_APPS_LOAD_FAILURE_H

#include <stdio.h>

enum load_error {
    LOAD_ERROR_CONNECT, /* refused, unreachable, or no answer */
    LOAD_ERROR_RESET,   /* RST from the other side */
    LOAD_ERROR_CLOSED,  /* FIN in the middle of an answer, or unasked for */
    LOAD_ERROR_TIMEOUT, /* no whole answer in time */
    LOAD_ERROR_ANSWER,  /* not HTTP, not 200, or not the length asked for */
    LOAD_ERROR_BODY,    /* a byte of the body is wrong */
    LOAD_ERROR_CNT
};

struct load_failure {
    enum load_error error;
    char why[160];
};

static inline void load_failure_set(struct load_failure *f, enum load_error error, const char *why)
{
    f->error = error;
    snprintf(f->why, sizeof f->why, "%s", why);
}

#endif
