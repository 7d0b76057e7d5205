/* Two endpoints and the network between them, driven by one seed and an explicit clock. */
#ifndef TESTS_UNIT_TCP_PAIR_H
#define TESTS_UNIT_TCP_PAIR_H

#include "harness.h"

#define PAIR_FLIGHT_MAX 4096u

struct flying {
    uint64_t at, order; /* delivery time; ties are broken by order */
    uint32_t to;
    struct capy_tcp_segment seg;
    uint8_t data[1500];
};

struct side {
    struct end e;
    uint64_t wrote, read; /* bytes of its own stream and of the other's */
    bool opened, shut, saw_fin, over;
    uint32_t read_max; /* bytes read at a time; 0: all there is */
    uint64_t read_at;  /* when a reader that lags reads again */
};

struct pair {
    struct side side[2]; /* 0 opens, 1 listens */
    struct flying *flying;
    uint32_t flying_cnt;
    uint64_t now, order, len;
    uint32_t loss_ppm, repeat_ppm, reorder_ppm, steps;
    uint32_t mark_ppm; /* of what is ECN-capable */
    bool no_sack;
    struct capy_prng prng;
    /* Called for each endpoint before time moves on; may replace its control block. */
    void (*between)(struct pair *p, uint32_t who);
    /* Called with each segment that a side sent. */
    void (*sent)(struct pair *p, uint32_t who);
    void *ctx;
};

void pair_init(struct pair *p, uint64_t seed, uint64_t len);
void pair_init_blocks(struct pair *p, uint64_t seed, uint64_t len, uint32_t block_cnt);
/* Sends the SYN of side 0. */
void pair_open(struct pair *p);
/* One delivery or timer. False when both sides are over. Asserts that it ends. */
bool pair_step(struct pair *p);
/* Asserts that both read all the other wrote. */
void pair_check(struct pair *p);
void pair_done(struct pair *p);

#endif
