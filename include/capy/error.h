/* Named results. Every fallible call of Capybara returns CAPY_OK (0), a count (>= 0), or one of
 * these negative codes. A code names whose fault it is; the text names the remedy. */
#ifndef CAPY_ERROR_H
#define CAPY_ERROR_H

enum capy_err {
    CAPY_OK = 0,
    CAPY_E_AGAIN = -1,        /* nothing now; a completion or a later call will bring it */
    CAPY_E_NOMEM = -2,        /* a bounded pool is empty; its size is a configuration key */
    CAPY_E_BADQD = -3,        /* no such queue, or it was closed or migrated away */
    CAPY_E_INVAL = -4,        /* an argument is out of its documented range */
    CAPY_E_INUSE = -5,        /* address and port already listened on, or a program already runs */
    CAPY_E_STATE = -6,        /* not possible in the queue's present state */
    CAPY_E_RESET = -7,        /* the peer reset the connection */
    CAPY_E_TIMEOUT = -8,      /* the peer stopped answering */
    CAPY_E_FORMAT = -9,       /* bytes that should decode do not */
    CAPY_E_REFUSED = -10,     /* the peer, the switch or another server said no */
    CAPY_E_SYS = -11,         /* the operating system said no; errno holds why */
    CAPY_E_CONFIG = -12,      /* the rack file or the options are wrong */
    CAPY_E_MOVED = -13,       /* the connection now lives on another server */
    CAPY_E_UNREACHABLE = -14, /* no way to the peer, or it stopped answering and this is why */
};

/* Text for a code: one static, lower-case phrase; never NULL. */
const char *capy_strerror(int err);

#endif
