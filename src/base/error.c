/* Texts of the result codes (capy/error.h). Static strings; callable from anywhere. */
#include "capy/error.h"

const char *capy_strerror(int err)
{
    switch ((enum capy_err)err) {
    case CAPY_OK:
        return "no error";
    case CAPY_E_AGAIN:
        return "nothing now, try again later";
    case CAPY_E_NOMEM:
        return "a bounded pool is empty, enlarge it in the rack file";
    case CAPY_E_BADQD:
        return "no such queue, or it was closed or migrated away";
    case CAPY_E_INVAL:
        return "an argument is out of its documented range";
    case CAPY_E_INUSE:
        return "address and port already in use";
    case CAPY_E_STATE:
        return "not possible in the queue's present state";
    case CAPY_E_RESET:
        return "connection reset by the peer";
    case CAPY_E_TIMEOUT:
        return "the peer stopped answering";
    case CAPY_E_UNREACHABLE:
        return "the network finds no way to the peer";
    case CAPY_E_FORMAT:
        return "malformed bytes";
    case CAPY_E_REFUSED:
        return "refused by the other end";
    case CAPY_E_SYS:
        return "refused by the operating system";
    case CAPY_E_CONFIG:
        return "the rack file or the options are wrong";
    case CAPY_E_MOVED:
        return "the connection now lives on another server";
    }
    return "unknown error code";
}
