/* The parts of a scene: the rack (world.c), the servers' application (server.c), the client
 * (client.c). */
#ifndef CAPY_BENCH_TRIGGER_WORLD_H
#define CAPY_BENCH_TRIGGER_WORLD_H

#include "base/hist.h"
#include "base/prng.h"
#include "bench/trigger/scene.h"
#include "sock/os.h"
#include "switch/core/plane.h"

enum { WORLD_PORT = 80, WORLD_MESSAGE = 8 }; /* bytes of a request, and of its answer */

/* A connection at a server. */
struct slot {
    int qd;
    uint32_t avail; /* unread bytes, as last told */
    bool live, queued, released;
    uint32_t next; /* in the server's run queue */
};

struct server {
    struct world *w;
    unsigned id;
    struct capy *os;
    struct capy_drv *wire; /* the switch's end */
    int lqd;
    struct slot slot[SCENE_CONNECTIONS_MAX + 1];
    uint32_t head, tail; /* of the run queue */
    uint32_t serving;    /* a slot; NOBODY: none */
    uint64_t free_at;    /* the core's present request ends */
    uint64_t busy_ns, late_busy_ns;
};

/* A request that was sent: when it was meant to be. */
struct asked {
    uint64_t at;
};

struct link {
    capy_handle conn;
    unsigned home;
    uint64_t weight; /* its part of all requests */
    struct asked *ring;
    uint32_t first, cnt, room; /* outstanding */
    uint32_t unsent;           /* of these, those the send queue had no room for */
    uint32_t sent_seq, heard_seq;
    uint32_t moves, been; /* been: servers, as bits */
    unsigned at;          /* the server that runs it */
};

struct client {
    struct capy_stack *stack;
    struct link link[SCENE_CONNECTIONS_MAX];
    unsigned cnt;
    uint64_t next_at[SCENE_SERVERS_MAX + 2]; /* by group */
    struct capy_hist all, late, window;
};

struct world {
    const struct scene *scene;
    struct scene_outcome *out;
    uint64_t now, began_at, ends_at, half_at;
    struct capy_prng rng;
    struct capy_rack rack;
    struct capy_switch *tor;
    struct server server[SCENE_SERVERS_MAX];
    struct client client;
};

#define NOBODY UINT32_MAX

_Noreturn void world_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* -ln(u) of a uniform u, times mean. */
uint64_t world_exponential(struct world *w, uint64_t mean);

void world_open(struct world *w);
void world_close(struct world *w);
/* A frame into the switch, and on to where it goes. */
void world_frame(struct world *w, unsigned from, uint8_t *data, size_t len);

/* server.c */
void server_open(struct server *s);
void server_turn(struct server *s);

/* client.c */
void client_open(struct world *w);
void client_turn(struct world *w);
void client_close(struct world *w);
/* A connection arrived at a server by migration. */
void client_saw_move(struct world *w, const struct capy_address *peer, unsigned server);

#endif
