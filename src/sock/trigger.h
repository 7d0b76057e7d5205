/* The trigger: over the rack file's threshold a server moves connections away by itself (paper §3.3),
 * to where the switch finds the least load.
 *
 *   CALM --load above load_threshold--> OVER --acts every interval--> OVER
 *     ^                                   |
 *     +---------load at or below load_low-+
 *
 * What keeps it from doing harm: docs/operating.md, "The trigger". Every decision, also that nothing is
 * to be done, has a reason with a name; the last of them are kept for `capy ctl decisions`. */
#ifndef CAPY_SOCK_TRIGGER_H
#define CAPY_SOCK_TRIGGER_H

#include "wire/addr.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct capy;

/* Why the trigger did what it did. Of several reasons not to move, the latest in this list is told:
 * it is the one that came closest. */
enum capy_why {
    CAPY_WHY_OFF,       /* no threshold in the rack file */
    CAPY_WHY_CALM,      /* load is not over it */
    CAPY_WHY_WAITING,   /* over, but not by so much for so long that it is sure */
    CAPY_WHY_FALLING,   /* load goes down by itself */
    CAPY_WHY_BUDGET,    /* as many migrations are under way as may be */
    CAPY_WHY_NO_SWITCH, /* the switch is silent, or still learning */
    CAPY_WHY_NO_TARGET, /* no server takes connections */
    CAPY_WHY_NO_ROOM,   /* the least loaded server has enough to do itself */
    CAPY_WHY_IDLE,      /* no connection was worked for lately */
    CAPY_WHY_BUSY,      /* those that were are not at a quiet point */
    CAPY_WHY_COOLING,   /* those that are have moved lately */
    CAPY_WHY_TOO_HEAVY, /* those that may move would overload where they arrive */
    CAPY_WHY_SETTLING,  /* ... together with what has just been sent there */
    CAPY_WHY_MOVED,     /* a move began */
    CAPY_WHY_REFUSED,   /* it fell through */
    CAPY_WHY_CNT
};
const char *capy_why_name(enum capy_why why);

/* A decision, with what was known then. The same one several times in a row is one record. */
struct capy_decision {
    uint64_t at_ns, last_ns; /* CLOCK_MONOTONIC */
    uint32_t times;
    uint8_t why;             /* enum capy_why */
    uint8_t reason, verdict; /* of REFUSED: as in the counters */
    uint32_t load;           /* ours, in 1/CAPY_LOAD_ONE */
    uint32_t least;        /* the least of any server, likewise; UINT32_MAX: none takes anything */
    uint32_t share;        /* of the connection in our work or queue, in 1/CAPY_WORK_SHARE_ONE */
    struct capy_ip client; /* of MOVED and REFUSED */
    uint16_t client_port;
};

#define CAPY_DECISION_MAX 1024u /* kept; power of two */

struct capy_trigger {
    bool over;
    enum capy_why why; /* of the last decision */
    uint64_t over_since;
    uint64_t excess;     /* load above the threshold, times ns, since then */
    uint64_t stepped_at; /* until when it is summed up */
    uint64_t next_at;    /* the next act; CAPY_NEVER: calm */
    uint64_t last_load;  /* at the last act */
    uint64_t least;      /* the least load of the rack, averaged over an interval */
    uint64_t heard_at;   /* when that was looked at */
    uint64_t given;      /* shares sent away that their targets' loads may not show yet */
    uint64_t given_at;
    uint32_t in_flight;
    uint32_t ramp; /* moves at the next act, at most: one, then more, as long as load stays */
    uint64_t moved_cnt, refused_cnt;
    uint64_t why_cnt[CAPY_WHY_CNT];
    uint64_t decision_cnt; /* decision n is at log[n % CAPY_DECISION_MAX] */
    struct capy_decision log[CAPY_DECISION_MAX];
};

void capy_trigger_init(struct capy *os);
/* Once per turn of the run loop. */
void capy_trigger_step(struct capy *os);
/* When the trigger may have to act; CAPY_NEVER: not by itself. */
uint64_t capy_trigger_next_at(const struct capy *os);
/* A move of this queue ended: it is another server's (`moved`), or stays, for this reason. */
void capy_trigger_ended(struct capy *os, uint32_t queue, bool moved, uint8_t reason,
                        uint8_t verdict);

/* ---- decisions.c: for the control socket ---- */
json_t *capy_trigger_json(const struct capy *os);
/* Decisions from number `since` on: {"decisions": [...], "first", "next", "more"}. */
json_t *capy_decisions_json(const struct capy *os, uint64_t since);

#endif
