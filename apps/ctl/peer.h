/* The programs of a rack as `capy ctl` sees them: one question, one answer, over the sockets
 * <run_dir>/<server>.sock and <run_dir>/switch.sock. */
#ifndef CAPY_APPS_CTL_PEER_H
#define CAPY_APPS_CTL_PEER_H

#include "capy/rack.h"
#include <jansson.h>

#define CTL_SWITCH "switch"
#define CTL_WIRE "wire" /* the cables of a rack that has its own program for them */
#define CTL_EXIT_FAILED 1
#define CTL_EXIT_USAGE 2

/* The options of a command line, and the rack they are about. */
struct ctl {
    struct capy_rack rack;
    bool json, wait;
    const char *from, *to; /* server names, NULL: not given */
    uint64_t count;        /* of -n, 0: not given */
};

/* Asks a server, or CTL_SWITCH. The answer (a new reference), or NULL after one line on stderr when
 * it does not answer or refuses. Steals question. */
json_t *ctl_ask(const struct ctl *ctl, const char *name, json_t *question);
/* The same without a word: NULL also for an answer that is an error. */
json_t *ctl_try(const struct ctl *ctl, const char *name, json_t *question);
/* {"cmd": cmd} */
json_t *ctl_question(const char *cmd);
/* False, after one line on stderr, when the rack file has no such server. */
bool ctl_know(const struct ctl *ctl, const char *server);
/* False, after one line on stderr, when no program of the rack answers. */
bool ctl_anybody(const struct ctl *ctl);
/* "capy ctl: " and the text on stderr; returns status. */
int ctl_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Members of an answer; 0, "" or "-" when they are not there. */
uint64_t ctl_number(const json_t *at, const char *key);
const char *ctl_text(const json_t *at, const char *key);
bool ctl_flag(const json_t *at, const char *key);
/* One line of JSON on stdout; steals value. Returns 0. */
int ctl_print_json(json_t *value);

#endif
