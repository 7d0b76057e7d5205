/* A small rack in one process for fuzzers: two servers, a client and the switch, all of production
 * code, on virtual time. Frames take a moment; somebody may lose, repeat, delay or swap any of them,
 * but heartbeats get through, so that no server is taken for dead that is none. Servers crash and
 * come back, the switch reboots. One world at a time. */
#ifndef CAPY_TESTS_FUZZ_WORLD_H
#define CAPY_TESTS_FUZZ_WORLD_H

#include "stack/stack.h"
#include "switch/core/plane.h"

enum { WORLD_SERVERS = 2, WORLD_CLIENT = WORLD_SERVERS, WORLD_HOSTS = WORLD_SERVERS + 1 };
enum { WORLD_VIP = 100 }; /* where a host may be named by its address: the service address */
enum { WORLD_PORT = 80, WORLD_FLYING_MAX = 512, WORLD_MIG_PORT_FIRST = 61440 };

struct world_flying {
    uint64_t at, until, order; /* until: it is there by then, however late */
    bool to_switch, heartbeat;
    uint8_t link; /* the host whose link it is on */
    uint16_t len;
    uint8_t data[CAPY_FRAME_MAX];
};

struct world {
    uint64_t now, order;
    bool ipv6_only; /* of the servers and the switch */
    struct capy_stack_cfg cfg[WORLD_HOSTS];
    struct capy_stack *host[WORLD_HOSTS];
    uint64_t up_at[WORLD_HOSTS]; /* a host that is down starts anew; 0: it runs */
    struct capy_switch_cfg switch_cfg;
    struct capy_switch *plane;
    uint64_t switch_next_at;
    struct world_flying flying[WORLD_FLYING_MAX];
    unsigned flying_cnt;
    /* After a host was fed, or timed: its application's turn. */
    void (*turn)(struct world *w, unsigned host);
    /* A frame was put on a host's link, by it or, for it, by the switch; NULL: nobody cares. */
    void (*sent)(struct world *w, unsigned link, bool to_switch, const uint8_t *frame, size_t len);
};

/* Fills in the configurations; blocks: of each host. */
void world_configure(struct world *w, bool ipv6_only, uint32_t blocks);
/* ... among them a service address for the servers' one service. */
void world_add_vip(struct world *w, bool by_load);

/* Everybody starts, and is heard by the switch. w->sent is kept. */
void world_start(struct world *w, void (*turn)(struct world *w, unsigned host));
struct capy_ip world_ip(unsigned host, bool ipv6);
/* Sends what a host has to send: after calls of its application. */
void world_flush(struct world *w, unsigned host);
/* A frame comes to the switch from a link, now. frame: may be changed. */
void world_inject(struct world *w, unsigned link, uint8_t *frame, size_t len);
/* The next thing to happen, not later than `until`. False: nothing does. */
bool world_step(struct world *w, uint64_t until);
void world_run(struct world *w, uint64_t for_ns);
/* The switch starts, or starts anew: it knows nothing. */
void world_start_switch(struct world *w);
void world_reboot_switch(struct world *w);
/* A server dies, with all that it had, and starts anew after so long. */
void world_crash(struct world *w, unsigned server, uint64_t down_ns);
/* Whoever is down starts now. */
void world_heal(struct world *w);
/* All is over at the hosts: the directory's entries age, and only they. */
void world_age_entries(struct world *w);

/* Of the frames under way, counted from some order: one is lost, sent twice, late by so much. */
void world_lose(struct world *w, unsigned which);
void world_repeat(struct world *w, unsigned which);
void world_delay(struct world *w, unsigned which, uint64_t by_ns);

#endif
