/* Two endpoints over a bad network (pair.h). */
#include "pair.h"

#include <stdlib.h>
#include <string.h>

#define ONE_WAY_NS CAPY_US(50)
#define STEPS_MAX 2000000u /* far beyond any honest run: a livelock fails here */

void pair_init_blocks(struct pair *p, uint64_t seed, uint64_t len, uint32_t block_cnt)
{
    *p = (struct pair){.len = len, .now = CAPY_SEC(1)};
    capy_prng_seed(&p->prng, seed);
    for (uint32_t i = 0; i < 2; i++) {
        end_init(&p->side[i].e, block_cnt);
        p->side[i].e.cfg.mss_max = 1460;
        p->side[i].e.cfg.rcv_buf_max = 64u << 10;
        p->side[i].e.cfg.user_timeout_ns = CAPY_SEC(100000); /* an unlucky seed is not a failure */
        p->side[i].e.cfg.syn_retries = 100;
        p->side[i].read_at = CAPY_NEVER;
    }
    p->flying = calloc(PAIR_FLIGHT_MAX, sizeof *p->flying);
    assert_non_null(p->flying);
}

void pair_init(struct pair *p, uint64_t seed, uint64_t len)
{
    pair_init_blocks(p, seed, len, 2048);
}

static void fly(struct pair *p, uint32_t to, const struct capy_tcp_segment *seg)
{
    if (p->flying_cnt == PAIR_FLIGHT_MAX)
        return; /* one more loss */
    struct flying *f = &p->flying[p->flying_cnt++];
    f->at = p->now + ONE_WAY_NS;
    if (capy_prng_chance(&p->prng, p->reorder_ppm))
        f->at += capy_prng_below(&p->prng, 4 * ONE_WAY_NS);
    f->order = p->order++;
    f->to = to;
    f->seg = *seg;
    if (seg->ecn == ECT_0 && capy_prng_chance(&p->prng, p->mark_ppm))
        f->seg.ecn = CE;
    memcpy(f->data, seg->data_len ? seg->data : f->data, seg->data_len);
    if (p->no_sack)
        f->seg.opts &= (uint8_t)~CAPY_TCP_OPT_SACK_OK;
}

static void transmit(struct pair *p, uint32_t who)
{
    struct side *s = &p->side[who];
    while (next_segment(&s->e)) {
        if (p->sent)
            p->sent(p, who);
        if (capy_prng_chance(&p->prng, p->loss_ppm))
            continue;
        fly(p, 1 - who, &s->e.last);
        if (capy_prng_chance(&p->prng, p->repeat_ppm))
            fly(p, 1 - who, &s->e.last);
    }
}

/* The application: reads and checks, writes as long as there is room, closes when done. */
static void use(struct pair *p, uint32_t who)
{
    struct side *s = &p->side[who];
    struct end *e = &s->e;
    s->read_at = CAPY_NEVER;
    uint32_t left = s->read_max ? s->read_max : UINT32_MAX, got;
    const uint8_t *span;
    while (left > 0 && (span = capy_tcp_read_span(&e->tcb, &e->env, 0, &got))) {
        got = capy_min32(got, left);
        for (uint32_t i = 0; i < got; i++)
            assert_int_equal(span[i], pattern(1 - who, s->read + i));
        s->read += got;
        left -= got;
        end_consume(e, got);
    }
    if (capy_tcp_at_fin(&e->tcb) && capy_tcp_readable(&e->tcb) == 0)
        s->saw_fin = true;
    if (capy_tcp_readable(&e->tcb) > 0)
        s->read_at = p->now + ONE_WAY_NS;
    while (s->wrote < p->len && e->tcb.state != CAPY_TCP_CLOSED) {
        uint8_t data[1000];
        uint32_t n =
            (uint32_t)capy_min64(1 + capy_prng_below(&p->prng, sizeof data), p->len - s->wrote);
        for (uint32_t i = 0; i < n; i++)
            data[i] = pattern(who, s->wrote + i);
        int64_t took = end_write(e, data, n);
        assert_true(took >= 0);
        s->wrote += (uint64_t)took;
        if (took < n)
            break;
    }
    if (s->wrote == p->len && !s->shut) {
        s->shut = true;
        end_shutdown(e);
    }
}

static void settle(struct pair *p, uint32_t who)
{
    struct side *s = &p->side[who];
    if (s->e.events & (CAPY_TCP_WAS_RESET | CAPY_TCP_TIMED_OUT))
        fail_msg("side %u: events %x, state %s", who, s->e.events,
                 capy_tcp_state_name(s->e.tcb.state));
    if (s->e.events & CAPY_TCP_FINISHED)
        s->over = true;
    if (s->over)
        return;
    use(p, who);
    if (p->between)
        p->between(p, who);
    transmit(p, who);
}

void pair_open(struct pair *p)
{
    struct end *e = &p->side[0].e;
    e->env.now = p->now;
    capy_tcp_open_active(&e->tcb, &e->env, (struct capy_seq){OUR_ISS}, 12345);
    transmit(p, 0);
}

static uint32_t next_flying(const struct pair *p)
{
    uint32_t best = CAPY_NONE;
    for (uint32_t i = 0; i < p->flying_cnt; i++) {
        const struct flying *f = &p->flying[i];
        if (best == CAPY_NONE || f->at < p->flying[best].at ||
            (f->at == p->flying[best].at && f->order < p->flying[best].order))
            best = i;
    }
    return best;
}

static void deliver(struct pair *p, uint32_t idx)
{
    struct flying f = p->flying[idx];
    p->flying[idx] = p->flying[--p->flying_cnt];
    struct side *s = &p->side[f.to];
    f.seg.data = f.data;
    end_set_now(&s->e, p->now);
    if (s->over)
        return;
    if (f.to == 1 && !s->opened) {
        if (!(f.seg.flags & CAPY_TCP_SYN))
            return;
        s->opened = true;
        capy_tcp_open_passive(&s->e.tcb, &s->e.env, &f.seg, (struct capy_seq){PEER_ISS}, 777);
    } else {
        s->e.events = end_input(&s->e, &f.seg);
    }
    settle(p, f.to);
}

bool pair_step(struct pair *p)
{
    assert_true(p->steps++ < STEPS_MAX);
    uint32_t idx = next_flying(p);
    uint64_t at = idx == CAPY_NONE ? CAPY_NEVER : p->flying[idx].at;
    uint32_t who = CAPY_NONE;
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t wake = capy_min64(capy_tcp_next_at(&p->side[i].e.tcb), p->side[i].read_at);
        if (!p->side[i].over && wake < at) {
            at = wake;
            who = i;
        }
    }
    if (at == CAPY_NEVER)
        return false;
    p->now = capy_max64(p->now, at);
    if (who == CAPY_NONE) {
        deliver(p, idx);
    } else {
        struct end *e = &p->side[who].e;
        end_set_now(e, p->now);
        e->events = end_expire(e);
        settle(p, who);
    }
    return true;
}

void pair_check(struct pair *p)
{
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(p->side[i].saw_fin);
        assert_true(p->side[i].over);
        assert_int_equal(p->side[i].read, p->len);
    }
}

void pair_done(struct pair *p)
{
    end_done(&p->side[0].e);
    end_done(&p->side[1].e);
    free(p->flying);
}
