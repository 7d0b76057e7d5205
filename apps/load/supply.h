/* The requests of an open loop: when each is due, for which connection, and those that wait for theirs.
 * Times are ns since the load began. */
#ifndef CAPY_APPS_LOAD_SUPPLY_H
#define CAPY_APPS_LOAD_SUPPLY_H

#include "apps/load/backlog.h"
#include "apps/load/options.h"
#include "apps/load/skew.h"

#define LOAD_ANYBODY UINT32_MAX

struct load_supply {
    const struct load_options *opt;
    struct load_arrivals arrivals;
    struct load_skew skew[LOAD_PHASE_MAX]; /* LOAD_SPREAD_WEIGHTS only */
    struct load_backlog backlog;
    struct capy_prng rng;
    unsigned phase;
    uint64_t next_at, due_cnt;
    uint64_t end_at; /* what would be due from here on is not */
};

/* 0, or -1 with one line in err. load_supply_free frees. */
int load_supply_init(struct load_supply *s, const struct load_options *opt, char *err,
                     size_t err_len);
/* When the next request is due; LOAD_NEVER: none any more. */
uint64_t load_supply_next_at(const struct load_supply *s);
/* True when as many were drawn as were asked for, or, in a run without an end, as there are. */
bool load_supply_all_drawn(const struct load_supply *s);
/* Takes the next request when it is due by now and there is room to keep it waiting; *conn is whom it is
 * for, or LOAD_ANYBODY. */
bool load_supply_due(struct load_supply *s, uint64_t now, uint64_t *at_ns, uint32_t *conn);
/* The same, whether there is room or not. */
bool load_supply_draw(struct load_supply *s, uint64_t now, uint64_t *at_ns, uint32_t *conn);
/* Passes over those that are due by now, to be counted and not sent: how many, on average. */
uint64_t load_supply_pass(struct load_supply *s, uint64_t now);
/* Keeps it until load_supply_waiting; load_supply_due has seen to the room. */
void load_supply_keep(struct load_supply *s, uint64_t at_ns, uint32_t conn);
/* What waits for a connection, in order. False: nothing. */
bool load_supply_waiting(struct load_supply *s, uint32_t conn, uint64_t *at_ns);
void load_supply_free(struct load_supply *s);

#endif
