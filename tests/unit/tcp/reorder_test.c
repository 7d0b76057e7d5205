/* Bulk transfer over a bottleneck that loses nothing and lets some segments be overtaken: after the
 * reordering window has adapted (RFC 8985 §6.2 step 4) and what was taken for loss was undone
 * (tcp/episode.h), goodput is that of a path in order. Figures are printed. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ONE_WAY CAPY_MS(10)
#define NS_PER_BYTE 80u     /* 100 Mbit/s */
#define WINDOW (512u << 10) /* twice the path's 250 KB: its queue never drops */
#define RUN CAPY_SEC(12)
#define WARM CAPY_SEC(4)  /* after this goodput counts */
#define WIRE_OVERHEAD 66u /* Ethernet, IPv4, TCP with timestamps */
#define FLYING_MAX 2048u

struct flying {
    uint64_t at, order;
    uint32_t to;
    struct capy_tcp_segment seg;
    uint8_t data[1460];
};

/* Of data segments; late ones are overtaken, for at most late_ns. */
struct trouble {
    const char *name;
    uint32_t lost_ppm, late_ppm;
    uint64_t late_ns;
};

/* 0 sends to 1. */
struct path {
    struct end end[2];
    struct flying *flying;
    uint32_t flying_cnt;
    uint64_t now, order, free_at; /* free_at: when the bottleneck has sent all it has */
    const struct trouble *trouble;
    uint8_t strip; /* options that the SYNs lose: not negotiated */
    uint64_t read, read_warm;
    struct capy_prng prng;
};

static void fly(struct path *p, uint32_t to, const struct capy_tcp_segment *seg)
{
    assert_true(p->flying_cnt < FLYING_MAX);
    struct flying *f = &p->flying[p->flying_cnt++];
    f->at = p->now + ONE_WAY;
    if (to == 1) {
        p->free_at = capy_max64(p->free_at, p->now) + (seg->data_len + WIRE_OVERHEAD) * NS_PER_BYTE;
        f->at = p->free_at + ONE_WAY;
    }
    if (seg->data_len > 0 && capy_prng_chance(&p->prng, p->trouble->late_ppm))
        f->at += capy_prng_below(&p->prng, p->trouble->late_ns);
    if (seg->data_len > 0 && capy_prng_chance(&p->prng, p->trouble->lost_ppm))
        p->flying_cnt--;
    f->order = p->order++;
    f->to = to;
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
    turn(p, f.to);
}

static void step(struct path *p)
{
    uint32_t idx = CAPY_NONE;
    for (uint32_t i = 0; i < p->flying_cnt; i++) {
        const struct flying *f = &p->flying[i], *best = &p->flying[idx];
        if (idx == CAPY_NONE || f->at < best->at || (f->at == best->at && f->order < best->order))
            idx = i;
    }
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
    deliver(p, idx);
}

struct outcome {
    uint64_t rate; /* bytes per second that arrived in order once warm */
    uint64_t again, undone;
};

static struct outcome run(const struct trouble *trouble, uint8_t strip)
{
    static struct path p;
    p = (struct path){.now = CAPY_SEC(1), .trouble = trouble, .strip = strip};
    capy_prng_seed(&p.prng, 5);
    p.flying = calloc(FLYING_MAX, sizeof *p.flying);
    assert_non_null(p.flying);
    for (uint32_t i = 0; i < 2; i++) {
        end_init(&p.end[i], 2048);
        p.end[i].cfg.mss_max = 1460;
        p.end[i].cfg.rcv_buf_max = WINDOW;
        p.end[i].cfg.snd_buf_max = 2 * WINDOW;
    }
    struct end *sender = &p.end[0];
    uint64_t end = p.now + RUN, warm = p.now + WARM;
    capy_tcp_open_active(&sender->tcb, &sender->env, (struct capy_seq){OUR_ISS}, 12345);
    assert_true(next_segment(sender));
    fly(&p, 1, &sender->last);
    while (p.now < end) {
        step(&p);
        if (p.now < warm)
            p.read_warm = p.read;
    }
    struct outcome o = {
        .rate = (p.read - p.read_warm) * CAPY_SEC(1) / (RUN - WARM),
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
        {"1% by 4 ms", 0, 10000, CAPY_MS(4)},
        {"1% by 16 ms", 0, 10000, CAPY_MS(16)},
        {"10% by 8 ms", 0, 100000, CAPY_MS(8)},
    };
    for (uint32_t i = 0; i < 2; i++) {
        printf("%s timestamps\n", strips[i] ? "without" : "with");
        uint64_t plain = run(&in_order, strips[i]).rate;
        for (uint32_t k = 0; k < sizeof late / sizeof late[0]; k++) {
            struct outcome o = run(&late[k], strips[i]);
            assert_true(o.rate >= plain / 100 * 97);
            assert_true(o.undone > 0);
        }
    }
}

/* Now and then a delayed ACK is taken for a loss (RFC 8985 §9.3); that is undone, the losses are not.
 */
static void test_real_loss_is_not_undone(void **state)
{
    (void)state;
    static const struct trouble lossy = {"0.1% lost", 1000, 0, 0};
    for (uint32_t i = 0; i < 2; i++) {
        struct outcome o = run(&lossy, strips[i]);
        assert_true(o.again > 20);
        assert_true(o.undone <= o.again / 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reordering_costs_no_goodput),
        cmocka_unit_test(test_real_loss_is_not_undone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
