/* One run of a seed: the rack, its connections, the applications at both ends, and what the oracles
 * have seen. A violation ends the run at once, wherever it is found. */
#ifndef CAPY_SIM_WORLD_H
#define CAPY_SIM_WORLD_H

#include "sim/life.h"
#include "sim/trace.h"
#include <setjmp.h>

enum { SIM_WHY_MAX = 512 };

struct sim_world {
    struct sim_rack r;
    struct sim_plan plan;
    uint64_t seed;
    struct capy_prng rng; /* of applications, policy and acts; the rack has its own */
    struct sim_life life[SIM_LIVES_MAX];
    uint32_t life_cnt;
    uint32_t slot[SIM_SLOTS_MAX];        /* its latest life; SIM_NOBODY: none yet */
    bool calm_now;                       /* the liveness phase: nobody misbehaves any more */
    unsigned draining;                   /* server; SIM_HOSTS_MAX: none */
    uint64_t event;                      /* frames seen so far */
    uint64_t heard_at[SIM_SERVERS_MAX];  /* when the switch was reached by its last HEARTBEAT */
    uint64_t told_at[SIM_SERVERS_MAX];   /* when its last HEARTBEAT_ACK reached it */
    uint64_t silent_at[SIM_SERVERS_MAX]; /* when it was last silent for so long that it is dead */
    uint64_t died_at[SIM_SERVERS_MAX];   /* when it crashed last; 0: never */
    uint64_t troubled_until[SIM_HOSTS_MAX]; /* cut off or stalled */
    uint64_t gave_way_cnt,
        gave_way_at; /* entries of the service address, before they were a connection's */
    struct sim_tally tally;
    struct sim_trace *trace;
    FILE *out;        /* for every event as it happens; NULL: none */
    uint64_t printed; /* of the trace */
    jmp_buf end;
    bool failed;
    char why[SIM_WHY_MAX];
};

/* Ends the run: an invariant does not hold. */
_Noreturn void sim_fail(struct sim_world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A line of the trace about something that is no frame. host: SIM_HOSTS_MAX for none. */
void sim_note(struct sim_world *w, unsigned host, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* To w->out, when there is more in the trace since. */
void sim_print_last(struct sim_world *w);

static inline void sim_count(struct sim_world *w, enum sim_tally_name name)
{
    w->tally.n[name]++;
}

static inline bool sim_is_server(const struct sim_world *w, unsigned host)
{
    return host < w->r.server_cnt;
}

static inline uint64_t sim_below(struct sim_world *w, uint64_t bound)
{
    return capy_prng_below(&w->rng, bound);
}

static inline bool sim_chance(struct sim_world *w, uint32_t ppm)
{
    return capy_prng_chance(&w->rng, ppm);
}

/* ---- lives.c: connections begin, write, read and end ---- */
/* Opens the next life of a slot, when there is none; true when it did. */
bool sim_open(struct sim_world *w, uint32_t slot);
/* What either application can do now: write what is granted, read, close. */
void sim_work_client(struct sim_world *w, uint32_t life);
void sim_work_server(struct sim_world *w, uint32_t life);
/* The stack says that both sides have closed and all is read; the application had not looked yet. */
void sim_finished(struct sim_world *w, uint32_t life, bool client);
/* Lets both sides write more. */
void sim_grant(struct sim_world *w, uint32_t life, uint64_t bytes);
void sim_reset(struct sim_world *w, uint32_t life, bool by_client);
bool sim_life_is_over(const struct sim_life *l);
/* The first eight bytes that came, or SIM_NOBODY when they are not there yet. */
uint32_t sim_who_is(struct sim_world *w, unsigned host, capy_handle conn, unsigned dir);
void sim_apply_settings(struct sim_world *w, unsigned host, capy_handle conn);

/* ---- client.c, server.c: the applications' turn ---- */
void sim_client_turn(struct sim_world *w, unsigned host);
void sim_server_turn(struct sim_world *w, unsigned host);
/* A crash: what it had is gone. */
void sim_server_died(struct sim_world *w, unsigned host);
/* Answers what waits for it: the application lets go, or says no, or worse. */
void sim_answer(struct sim_world *w, uint32_t life);
/* The server asks to move it. target: a server, or CAPY_SERVER_ANY. */
void sim_migrate(struct sim_world *w, uint32_t life, uint16_t target);

/* ---- acts.c, policy.c: what befalls them ---- */
void sim_act(struct sim_world *w);
/* A move has just reached a decisive point at this host: perhaps somebody dies now. */
void sim_worst_moment(struct sim_world *w, unsigned host);
void sim_policy_act(struct sim_world *w);
void sim_end_drain(struct sim_world *w);

/* ---- oracle.c: what is seen on the wire ---- */
sim_watch_fn sim_watch;
/* Has the switch taken the server for dead at any time since? */
bool sim_silent_since(const struct sim_world *w, unsigned server, uint64_t at);
/* May the connection have ended at its client, for reasons that are nobody's fault? */
bool sim_excused(struct sim_world *w, struct sim_life *l);

/* ---- judge.c: what must hold of the whole rack, now and in the end ---- */
void sim_judge_now(struct sim_world *w);
/* No migration is under way anywhere, and every server is up. */
bool sim_is_at_rest(struct sim_world *w);
void sim_judge_owners(struct sim_world *w);
void sim_judge_end(struct sim_world *w);

/* ---- run.c ---- */
struct sim_result {
    bool failed;
    char why[SIM_WHY_MAX];
    uint64_t digest, events, simulated_ns;
    struct sim_tally tally;
};

/* Runs one seed. w: all zero, or used before (memory is used again). trace: where its last events go,
 * also when the process dies in the middle. out: NULL, or where every event is printed. */
void sim_run(struct sim_world *w, uint64_t seed, struct sim_trace *trace, FILE *out,
             struct sim_result *result);
void sim_world_free(struct sim_world *w);

#endif
