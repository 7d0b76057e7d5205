/* Two plain hosts back to back on virtual time, for the stack's unit tests: a one-way delay, and a
 * filter that may drop frames. Header only; one pair per test. */
#ifndef CAPY_TESTS_STACK_PAIR_H
#define CAPY_TESTS_STACK_PAIR_H

#include "stack/host.h"
#include <stdlib.h>

#define PAIR_DELAY_NS CAPY_US(10)
#define PAIR_FRAMES 4096u

struct pair_frame {
    uint64_t at;
    size_t len;
    unsigned to;
    uint8_t data[CAPY_FRAME_MAX];
};

struct pair {
    struct capy_stack *host[2];
    void *mem[2];
    uint64_t now;
    struct pair_frame *wire; /* ring in order of arrival: the delay is constant */
    uint32_t first, cnt;
    bool (*pass)(struct pair *p, unsigned from, const uint8_t *frame, size_t len); /* NULL: all */
    uint32_t seen; /* for filters: frames so far */
    /* The hosts' devices take large segments; between them is the wire, where these are cut. */
    bool offload;
    uint32_t large; /* that were */
};

/* Which version the tests' connections use; hosts have an address of both. */
static bool pair_over_ipv6;

static inline struct capy_ip pair_ip4(unsigned host)
{
    return capy_ip_from_v4(0x0a000001u + host);
}

static inline struct capy_ip pair_ip6(unsigned host)
{
    struct capy_ip ip = {{0x20, 0x01, 0x0d, 0xb8}};
    ip.b[15] = (uint8_t)(1 + host);
    return ip;
}

static inline struct capy_ip pair_ip(unsigned host)
{
    return pair_over_ipv6 ? pair_ip6(host) : pair_ip4(host);
}

static inline struct capy_mac pair_mac(unsigned host)
{
    return (struct capy_mac){{2, 0, 0, 0, 0, (uint8_t)(host + 1)}};
}

static inline struct capy_stack_cfg pair_cfg(unsigned host)
{
    struct capy_stack_cfg cfg;
    capy_stack_cfg_default(&cfg);
    cfg.conn_max = 64;
    cfg.block_cnt = 1024;
    cfg.mac = pair_mac(host);
    cfg.ip = pair_ip4(host);
    cfg.netmask = capy_ip_from_v4(0xffffff00u);
    cfg.ip6 = pair_ip6(host);
    cfg.prefix6_len = 64;
    cfg.hash_key = (struct capy_key){host + 1, 77};
    return cfg;
}

static inline void pair_open(struct pair *p, const struct capy_stack_cfg *a,
                             const struct capy_stack_cfg *b)
{
    const struct capy_stack_cfg *cfg[2] = {a, b};
    *p = (struct pair){.now = CAPY_SEC(5)};
    p->wire = calloc(PAIR_FRAMES, sizeof *p->wire);
    for (unsigned h = 0; h < 2; h++) {
        p->mem[h] = aligned_alloc(64, (capy_stack_size(cfg[h]) + 63) & ~(size_t)63);
        p->host[h] = capy_stack_init(p->mem[h], cfg[h], p->now);
    }
}

static inline void pair_close(struct pair *p)
{
    for (unsigned h = 0; h < 2; h++)
        free(p->mem[h]);
    free(p->wire);
}

static inline void pair_carry(struct pair *p, unsigned from, const uint8_t *frame, size_t len)
{
    p->seen++;
    if (p->pass && !p->pass(p, from, frame, len))
        return;
    CAPY_ASSERT(p->cnt < PAIR_FRAMES);
    struct pair_frame *f = &p->wire[(p->first + p->cnt++) % PAIR_FRAMES];
    f->at = p->now + PAIR_DELAY_NS;
    f->to = 1 - from;
    f->len = len;
    memcpy(f->data, frame, len);
}

static inline void pair_send(struct pair *p, unsigned from)
{
    static uint8_t large[CAPY_LARGE_FRAME_MAX];
    uint8_t frame[CAPY_FRAME_MAX];
    size_t len;
    for (;;) {
        struct capy_offload how = {.partial = p->offload, .segment = p->offload};
        struct capy_cutter c;
        len = capy_stack_output_offloaded(p->host[from], large, &how, p->now);
        if (len == 0)
            return;
        p->large += how.segment > 0;
        if (how.partial && capy_cutter_begin(&c, large, len, &how))
            while ((len = capy_cutter_next(&c, frame)) > 0)
                pair_carry(p, from, frame, len);
        else
            pair_carry(p, from, large, len);
    }
}

/* The next thing that happens, unless that is after `until`. */
static inline bool pair_step(struct pair *p, uint64_t until)
{
    pair_send(p, 0);
    pair_send(p, 1);
    uint64_t at = p->cnt > 0 ? p->wire[p->first].at : CAPY_NEVER;
    for (unsigned h = 0; h < 2; h++)
        at = capy_min64(at, capy_stack_next_at(p->host[h]));
    if (at > until)
        return false;
    p->now = capy_max64(p->now, at);
    while (p->cnt > 0 && p->wire[p->first].at <= p->now) {
        struct pair_frame *f = &p->wire[p->first];
        capy_stack_input(p->host[f->to], f->data, f->len, p->now);
        p->first = (p->first + 1) % PAIR_FRAMES;
        p->cnt--;
    }
    for (unsigned h = 0; h < 2; h++)
        if (capy_stack_next_at(p->host[h]) <= p->now)
            capy_stack_expire(p->host[h], p->now);
    return true;
}

static inline void pair_run(struct pair *p, uint64_t for_ns)
{
    uint64_t until = p->now + for_ns;
    while (pair_step(p, until))
        ;
    p->now = until;
}

#endif
