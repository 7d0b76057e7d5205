/* Senders that share one link (bottleneck.h). */
#include "bottleneck.h"

#include "tcp/congestion.h"

#include <stdlib.h>

#define RING 4096u
#define BUFFER (4u << 20) /* of senders and receivers: never what limits */
#define HEADERS 52u       /* IP and TCP with timestamps */

static const uint8_t zeros[65536];

static void ring_init(struct passings *q)
{
    *q = (struct passings){.p = calloc(RING, sizeof *q->p)};
    assert_non_null(q->p);
}

static void push(struct passings *q, uint64_t at, uint32_t flow, const struct capy_tcp_segment *seg)
{
    assert_true(q->cnt < RING);
    q->p[(q->head + q->cnt++) % RING] = (struct passing){at, flow, *seg};
}

void bottleneck_init(struct bottleneck *b, uint32_t mbit, uint64_t rtt_ns, uint32_t flow_cnt,
                     enum capy_tcp_congestion algorithm, uint64_t later_ns)
{
    *b = (struct bottleneck){.byte_ns = 8000 / mbit,
                             .delay_ns = rtt_ns / 2,
                             .queue_max = UINT64_MAX,
                             .now = CAPY_SEC(1),
                             .flow_cnt = flow_cnt};
    b->free_at = b->now;
    for (uint32_t i = 0; i < flow_cnt; i++) {
        struct flow *f = &b->flow[i];
        f->start_at = b->now + i * later_ns;
        end_init(&f->sender, BUFFER / CAPY_BLOCK_LEN * 2);
        end_init(&f->receiver, BUFFER / CAPY_BLOCK_LEN * 2);
        for (int k = 0; k < 2; k++) {
            struct capy_tcp_cfg *cfg = k ? &f->sender.cfg : &f->receiver.cfg;
            cfg->mss_max = 1460;
            cfg->snd_buf_max = cfg->rcv_buf_max = BUFFER;
            cfg->rcv_buf_start = 0;
            cfg->congestion = (uint8_t)algorithm;
        }
    }
    ring_init(&b->data);
    ring_init(&b->acks);
}

void bottleneck_done(struct bottleneck *b)
{
    for (uint32_t i = 0; i < b->flow_cnt; i++) {
        end_done(&b->flow[i].sender);
        end_done(&b->flow[i].receiver);
    }
    free(b->data.p);
    free(b->acks.p);
}

/* ---- the link ---- */

static void enqueue(struct bottleneck *b, uint32_t who, struct capy_tcp_segment seg)
{
    struct flow *f = &b->flow[who];
    uint64_t waits_ns = b->free_at > b->now ? b->free_at - b->now : 0;
    uint64_t queue = waits_ns / b->byte_ns, len = seg.data_len + HEADERS;
    b->packet_cnt++;
    f->sent_cnt++;
    b->queue_sum += queue;
    if (queue + len > b->queue_max || b->packet_cnt == b->drop_next) {
        b->drop_cnt++;
        f->drop_cnt++;
        return;
    }
    b->peak = capy_max64(b->peak, queue + len);
    if (b->mark_at > 0 && queue > b->mark_at && seg.ecn == ECT_0) {
        seg.ecn = CE;
        f->mark_cnt++;
    }
    if (b->free_at < b->now) {
        b->idle_ns += b->now - b->free_at;
        b->free_at = b->now;
    }
    b->free_at += len * b->byte_ns;
    push(&b->data, b->free_at + b->delay_ns, who, &seg);
}

/* ---- the ends ---- */

static void send_all(struct bottleneck *b, uint32_t who)
{
    struct flow *f = &b->flow[who];
    struct end *e = &f->sender;
    while (e->tcb.state == CAPY_TCP_ESTABLISHED &&
           (f->write_max == 0 || f->written < f->write_max)) {
        uint64_t left = f->write_max == 0 ? sizeof zeros : f->write_max - f->written;
        int64_t n = end_write(e, zeros, (uint32_t)capy_min64(left, sizeof zeros));
        assert_true(n >= 0);
        f->written += (uint64_t)n;
        if (n < (int64_t)capy_min64(left, sizeof zeros))
            break;
    }
    while (next_segment(e)) {
        e->last.data = zeros;
        enqueue(b, who, e->last);
    }
}

static void answer(struct bottleneck *b, uint32_t who)
{
    struct end *e = &b->flow[who].receiver;
    uint32_t n = capy_tcp_readable(&e->tcb);
    b->flow[who].read += n;
    if (n > 0)
        end_consume(e, n);
    while (next_segment(e))
        push(&b->acks, b->now + b->delay_ns, who, &e->last);
}

static void to_receiver(struct bottleneck *b, const struct passing *p)
{
    struct end *e = &b->flow[p->flow].receiver;
    end_set_now(e, b->now);
    if (p->seg.flags & S)
        capy_tcp_open_passive(&e->tcb, &e->env, &p->seg, (struct capy_seq){PEER_ISS}, 7);
    else
        end_input(e, &p->seg);
    answer(b, p->flow);
}

static void to_sender(struct bottleneck *b, const struct passing *p)
{
    struct end *e = &b->flow[p->flow].sender;
    end_set_now(e, b->now);
    if (b->plain_slow_start && e->tcb.cc.ssthresh == CAPY_TCP_CWND_MAX)
        e->tcb.cc.hystart.last_min_ns = UINT32_MAX;
    end_input(e, &p->seg);
    send_all(b, p->flow);
}

static void open_flow(struct bottleneck *b, uint32_t who)
{
    struct end *e = &b->flow[who].sender;
    b->flow[who].opened = true;
    end_set_now(e, b->now);
    capy_tcp_open_active(&e->tcb, &e->env, (struct capy_seq){OUR_ISS}, 3);
    send_all(b, who);
}

/* ---- time ---- */

static uint64_t first_at(const struct passings *q)
{
    return q->cnt > 0 ? q->p[q->head].at : CAPY_NEVER;
}

static struct passing pop(struct passings *q)
{
    struct passing p = q->p[q->head];
    q->head = (q->head + 1) % RING;
    q->cnt--;
    return p;
}

/* What of flow i itself happens next, and when. */
enum what { OPENS, SENDER_WAKES, RECEIVER_WAKES };

static uint64_t own_at(const struct flow *f, enum what *what)
{
    if (!f->opened) {
        *what = OPENS;
        return f->start_at;
    }
    uint64_t sender = capy_tcp_next_at(&f->sender.tcb);
    uint64_t receiver = capy_tcp_next_at(&f->receiver.tcb);
    *what = sender <= receiver ? SENDER_WAKES : RECEIVER_WAKES;
    return capy_min64(sender, receiver);
}

static void wake(struct bottleneck *b, uint32_t who, enum what what)
{
    struct flow *f = &b->flow[who];
    struct end *e = what == RECEIVER_WAKES ? &f->receiver : &f->sender;
    if (what == OPENS) {
        open_flow(b, who);
        return;
    }
    end_set_now(e, b->now);
    assert_false(end_expire(e) & CAPY_TCP_TIMED_OUT);
    if (what == SENDER_WAKES)
        send_all(b, who);
    else
        answer(b, who);
}

static bool step(struct bottleneck *b, uint64_t until)
{
    uint64_t data = first_at(&b->data), acks = first_at(&b->acks), at = capy_min64(data, acks);
    uint32_t who = b->flow_cnt;
    enum what what = OPENS;
    for (uint32_t i = 0; i < b->flow_cnt; i++) {
        enum what its;
        uint64_t own = own_at(&b->flow[i], &its);
        if (own < at) {
            at = own;
            who = i;
            what = its;
        }
    }
    if (at > until)
        return false;
    b->now = capy_max64(b->now, at);
    if (who < b->flow_cnt) {
        wake(b, who, what);
    } else {
        struct passing p = pop(data <= acks ? &b->data : &b->acks);
        if (data <= acks)
            to_receiver(b, &p);
        else
            to_sender(b, &p);
    }
    return true;
}

void bottleneck_run(struct bottleneck *b, uint64_t ns)
{
    uint64_t until = b->now + ns;
    while (step(b, until))
        ;
    b->now = until;
}

void bottleneck_count_anew(struct bottleneck *b)
{
    b->packet_cnt = b->drop_cnt = b->peak = b->queue_sum = b->idle_ns = 0;
    for (uint32_t i = 0; i < b->flow_cnt; i++)
        b->flow[i].sent_cnt = b->flow[i].drop_cnt = b->flow[i].mark_cnt = 0;
}

uint64_t bottleneck_bdp(const struct bottleneck *b)
{
    return 2 * b->delay_ns / b->byte_ns;
}

uint32_t bottleneck_busy(const struct bottleneck *b, uint64_t ns)
{
    uint64_t idle = b->idle_ns + (b->now > b->free_at ? b->now - b->free_at : 0);
    return (uint32_t)(1000 - 1000 * idle / ns);
}
