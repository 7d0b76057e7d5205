/* Bulk transfer over a bottleneck that loses nothing and lets some segments be overtaken: after the
 * reordering window has adapted (RFC 8985 §6.2 step 4) and what was taken for loss was undone
 * (tcp/episode.h), goodput is that of a path in order. Figures are printed.
 *
 * Two paths: a long one, on which segments are late by a time; and a short fast one on which frames
 * wait for a few later ones, data and ACKs alike (switch/user/fault.h), and whose sender is a program
 * that gets its turn now and then and finds a burst of ACKs. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW (512u << 10) /* more than any path here holds: no queue drops */
#define WIRE_OVERHEAD 66u   /* Ethernet, IPv4, TCP with timestamps */
#define FLYING_MAX 2048u
#define BEHIND_MAX 4u
#define HOLD CAPY_MS(1) /* what waits for later frames waits no longer */

struct shape {
    uint64_t one_way;
    uint32_t ns_per_byte;
    uint64_t turn_ns;   /* ACKs are seen at multiples of this */
    uint64_t run, warm; /* goodput counts after warm */
};
/* 100 Mbit/s */
static const struct shape long_path = {CAPY_MS(10), 80, 1, CAPY_SEC(12), CAPY_SEC(4)};
/* 800 Mbit/s, from the first byte on: a slow start that ends early shows. */
static const struct shape short_path = {CAPY_MS(1), 10, CAPY_US(250), CAPY_MS(50), 0};

struct flying {
    uint64_t at, order;
    uint32_t to, behind; /* behind: later frames that are yet to overtake it */
    struct capy_tcp_segment seg;
    uint8_t data[1460];
};

/* Of data segments: lost, or late and so overtaken, for at most late_ns. Of all: overtaken by a few
 * later ones. */
struct trouble {
    const char *name;
    uint32_t lost_ppm, late_ppm;
    uint64_t late_ns;
    uint32_t overtaken_ppm;
};

/* 0 sends to 1. */
struct path {
    struct end end[2];
    struct flying *flying;
    uint32_t flying_cnt;
    const struct shape *shape;
    uint64_t now, order, free_at; /* free_at: when the bottleneck has sent all it has */
    const struct trouble *trouble;
    uint8_t strip; /* options that the SYNs lose: not negotiated */
    uint64_t read, read_warm;
    struct capy_prng prng;
};

/* One more frame flies, at `at`: those that wait for later ones have one less to wait for. */
static void overtake(struct path *p, uint32_t to, uint64_t at)
{
    for (uint32_t i = 0; i < p->flying_cnt; i++) {
        struct flying *f = &p->flying[i];
        if (f->to != to || f->behind == 0 || --f->behind > 0)
            continue;
        f->at = capy_min64(f->at, at);
        f->order = p->order++;
    }
}

static void fly(struct path *p, uint32_t to, const struct capy_tcp_segment *seg)
{
    const struct shape *shape = p->shape;
    assert_true(p->flying_cnt < FLYING_MAX);
    struct flying *f = &p->flying[p->flying_cnt++];
    f->at = p->now + shape->one_way;
    if (to == 1) {
        uint64_t free_at = capy_max64(p->free_at, p->now);
        p->free_at = free_at + (seg->data_len + WIRE_OVERHEAD) * shape->ns_per_byte;
        f->at = p->free_at + shape->one_way;
    }
    if (seg->data_len > 0 && capy_prng_chance(&p->prng, p->trouble->late_ppm))
        f->at += capy_prng_below(&p->prng, p->trouble->late_ns);
    if (seg->data_len > 0 && capy_prng_chance(&p->prng, p->trouble->lost_ppm))
        p->flying_cnt--;
    if (to == 0)
        f->at = (f->at + shape->turn_ns - 1) / shape->turn_ns * shape->turn_ns;
    f->order = p->order++;
    f->to = to;
    f->behind = 0;
    if (capy_prng_chance(&p->prng, p->trouble->overtaken_ppm)) {
        f->behind = 1 + (uint32_t)capy_prng_below(&p->prng, BEHIND_MAX);
        f->at += HOLD;
    } else {
        overtake(p, to, f->at);
    }
    f->seg = *seg;
    if (seg->flags & S)
        f->seg.opts &= (uint8_t)~p->strip;
    if (seg->data_len > 0)
        memcpy(f->data, seg->data, seg->data_len);
}

static void turn(struct path *p, uint32_t who)
{
    struct end *e = &p->end[who];
    uint32_t got;
    while (who == 1 && capy_tcp_read_span(&e->tcb, &e->env, 0, &got)) {
        p->read += got;
        end_consume(e, got);
    }
    static const uint8_t zeros[4096];
    while (who == 0 && end_write(e, zeros, sizeof zeros) == sizeof zeros)
        ;
    while (next_segment(e))
        fly(p, 1 - who, &e->last);
}

static void deliver(struct path *p, uint32_t idx)
{
    struct flying f = p->flying[idx];
    p->flying[idx] = p->flying[--p->flying_cnt];
    struct end *e = &p->end[f.to];
    end_set_now(e, p->now);
    f.seg.data = f.data;
    if (e->tcb.state == CAPY_TCP_CLOSED)
        capy_tcp_open_passive(&e->tcb, &e->env, &f.seg, (struct capy_seq){PEER_ISS}, 777);
    else
        end_input(e, &f.seg);
}

static uint32_t next_flying(const struct path *p)
{
    uint32_t idx = CAPY_NONE;
    for (uint32_t i = 0; i < p->flying_cnt; i++) {
        const struct flying *f = &p->flying[i], *best = &p->flying[idx];
        if (idx == CAPY_NONE || f->at < best->at || (f->at == best->at && f->order < best->order))
            idx = i;
    }
    return idx;
}

static void step(struct path *p)
{
    uint32_t idx = next_flying(p);
    uint64_t at = idx == CAPY_NONE ? CAPY_NEVER : p->flying[idx].at;
    for (uint32_t who = 0; who < 2; who++) {
        struct end *e = &p->end[who];
        if (capy_tcp_next_at(&e->tcb) >= at)
            continue;
        p->now = capy_max64(p->now, capy_tcp_next_at(&e->tcb));
        end_set_now(e, p->now);
        end_expire(e);
        turn(p, who);
        return;
    }
    assert_true(idx != CAPY_NONE);
    p->now = at;
    uint32_t who = p->flying[idx].to;
    deliver(p, idx);
    idx = next_flying(p);
    if (who == 1 || idx == CAPY_NONE || p->flying[idx].at > at || p->flying[idx].to != who)
        turn(p, who);
}

struct outcome {
    uint64_t rate; /* bytes per second that arrived in order once warm */
    uint64_t again, undone;
};

static struct outcome run(const struct shape *shape, const struct trouble *trouble, uint8_t strip,
                          uint64_t seed)
{
    static struct path p;
    p = (struct path){.now = CAPY_SEC(1), .shape = shape, .trouble = trouble, .strip = strip};
    capy_prng_seed(&p.prng, seed);
    p.flying = calloc(FLYING_MAX, sizeof *p.flying);
    assert_non_null(p.flying);
    for (uint32_t i = 0; i < 2; i++) {
        end_init(&p.end[i], 2048);
        p.end[i].cfg.mss_max = 1460;
        p.end[i].cfg.rcv_buf_max = WINDOW;
        p.end[i].cfg.snd_buf_max = 2 * WINDOW;
    }
    struct end *sender = &p.end[0];
    uint64_t end = p.now + shape->run, warm = p.now + shape->warm;
    capy_tcp_open_active(&sender->tcb, &sender->env, (struct capy_seq){OUR_ISS}, 12345);
    assert_true(next_segment(sender));
    fly(&p, 1, &sender->last);
    while (p.now < end) {
        step(&p);
        if (p.now < warm)
            p.read_warm = p.read;
    }
    struct outcome o = {
        .rate = (p.read - p.read_warm) * CAPY_SEC(1) / (shape->run - shape->warm),
        .again = sender->count.retrans_segs,
        .undone = sender->count.spurious_losses,
    };
    printf("  %-12s %6.2f MB/s, %3u sent again, %3u recoveries, %3u undone, %u timeouts\n",
           trouble->name, (double)o.rate / 1e6, (unsigned)o.again,
           (unsigned)sender->count.fast_retrans, (unsigned)o.undone,
           (unsigned)sender->count.rto_fired);
    end_done(&p.end[0]);
    end_done(&p.end[1]);
    free(p.flying);
    return o;
}

/* With timestamps and without, Eifel detection and DSACKs. */
static const uint8_t strips[] = {0, CAPY_TCP_OPT_TS};
static const struct trouble in_order = {.name = "in order"};

static void test_reordering_costs_no_goodput(void **state)
{
    (void)state;
    static const struct trouble late[] = {
        {"1% by 4 ms", 0, 10000, CAPY_MS(4), 0},
        {"1% by 16 ms", 0, 10000, CAPY_MS(16), 0},
        {"10% by 8 ms", 0, 100000, CAPY_MS(8), 0},
    };
    for (uint32_t i = 0; i < 2; i++) {
        printf("%s timestamps\n", strips[i] ? "without" : "with");
        uint64_t plain = run(&long_path, &in_order, strips[i], 5).rate;
        for (uint32_t k = 0; k < sizeof late / sizeof late[0]; k++) {
            struct outcome o = run(&long_path, &late[k], strips[i], 5);
            assert_true(o.rate >= plain / 100 * 97);
            assert_true(o.undone > 0);
        }
    }
}

/* Slow start, too, is what it would have been. */
static void test_a_fast_start_among_overtaking_frames(void **state)
{
    (void)state;
    static const struct trouble overtaken = {.name = "2% overtaken", .overtaken_ppm = 20000};
    for (uint32_t i = 0; i < 2; i++) {
        printf("%s timestamps\n", strips[i] ? "without" : "with");
        uint64_t plain = run(&short_path, &in_order, strips[i], 1).rate;
        for (uint64_t seed = 1; seed <= 32; seed++)
            assert_true(run(&short_path, &overtaken, strips[i], seed).rate >= plain / 100 * 90);
    }
}

/* Now and then a delayed ACK is taken for a loss (RFC 8985 §9.3); that is undone, the losses are not.
 */
static void test_real_loss_is_not_undone(void **state)
{
    (void)state;
    static const struct trouble lossy = {"0.1% lost", 1000, 0, 0, 0};
    for (uint32_t i = 0; i < 2; i++) {
        struct outcome o = run(&long_path, &lossy, strips[i], 5);
        assert_true(o.again > 20);
        assert_true(o.undone <= o.again / 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reordering_costs_no_goodput),
        cmocka_unit_test(test_a_fast_start_among_overtaking_frames),
        cmocka_unit_test(test_real_loss_is_not_undone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
