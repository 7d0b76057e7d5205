/* Send records (tcp/sent.h). Lists are short; all walks are linear. Times are compared by their
 * difference, because ages may exceed the clock of a host that a connection moved to. */
#include "tcp/sent.h"
#include <string.h>

/* Bytes that leave within this part of a round trip share a run. Its time is that of the first of
 * them: what RACK computes is wrong by at most this, a sixth of its smallest reordering window. There are
 * records for more runs than that: recovery has a few of its own. */
#define RUN_PER_RTT 24u

static uint64_t later(uint64_t a, uint64_t b)
{
    return (int64_t)(a - b) > 0 ? a : b;
}

/* Runs i and i + 1 have arrived, all of them: no news will come of them, so it does not matter when
 * they left. During recovery that is most of a flight, which is then longer than a round trip. */
static bool told(const struct capy_tcp_marks *m, uint32_t i)
{
    const struct capy_tcp_sent *l = &m->sent;
    return i > 0 && capy_tcp_ranges_missing(&m->sacked, l->r[i - 1].end, l->r[i + 1].end) == 0;
}

void capy_tcp_sent_squeeze(struct capy_tcp_marks *m)
{
    struct capy_tcp_sent *l = &m->sent;
    uint32_t best = 0;
    uint64_t best_gap = UINT64_MAX;
    for (uint32_t i = 0; i + 1 < l->cnt; i++) {
        const struct capy_tcp_run *a = &l->r[i], *b = &l->r[i + 1];
        uint64_t gap = later(a->at, b->at) == a->at ? a->at - b->at : b->at - a->at;
        if (told(m, i))
            gap = 0;
        else if (a->lost != b->lost || a->again != b->again)
            gap |= UINT64_C(1) << 63; /* only when there is nothing else */
        if (gap < best_gap) {
            best = i;
            best_gap = gap;
        }
    }
    struct capy_tcp_run *a = &l->r[best], *b = &l->r[best + 1];
    /* As if both had left with the later one: loss is found later, never too early. */
    b->at = later(a->at, b->at);
    b->again = a->again || b->again;
    b->lost = a->lost && b->lost;
    memmove(a, b, (l->cnt - best - 1) * sizeof *a);
    l->cnt--;
}

static void push(struct capy_tcp_marks *m, struct capy_tcp_run run, uint64_t share_ns)
{
    struct capy_tcp_sent *l = &m->sent;
    struct capy_tcp_run *last = l->cnt > 0 ? &l->r[l->cnt - 1] : NULL;
    if (last && last->again == run.again && last->lost == run.lost &&
        run.at - last->at <= share_ns) {
        last->end = run.end;
        return;
    }
    if (l->cnt == CAPY_TCP_RUN_MAX)
        capy_tcp_sent_squeeze(m);
    l->r[l->cnt++] = run;
}

bool capy_tcp_sent_split(struct capy_tcp_sent *l, uint32_t i, uint64_t pos)
{
    if (l->cnt == CAPY_TCP_RUN_MAX)
        return false;
    CAPY_ASSERT(pos < l->r[i].end);
    memmove(&l->r[i + 1], &l->r[i], (l->cnt - i) * sizeof l->r[0]);
    l->r[i].end = pos;
    l->cnt++;
    return true;
}

/* The flight as the block itself tells it: retransmitted, lost, and sent once. */
static void from_block(struct capy_tcp *tcb, struct capy_tcp_marks *m)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    m->sent = (struct capy_tcp_sent){.cut_at = tcb->sent_at};
    uint64_t known = snd->una;
    if (snd->rtx_nxt > known)
        push(m, (struct capy_tcp_run){.end = snd->rtx_nxt, .at = tcb->sent_at, .again = true}, 0);
    known = capy_max64(known, snd->rtx_nxt);
    if (snd->lost_end > known)
        push(m, (struct capy_tcp_run){.end = snd->lost_end, .at = tcb->sent_at, .lost = true}, 0);
    known = capy_max64(known, snd->lost_end);
    if (snd->nxt > known)
        push(m, (struct capy_tcp_run){.end = snd->nxt, .at = tcb->sent_at}, 0);
    snd->rtx_nxt = snd->lost_end = snd->una;
}

struct capy_tcp_sent *capy_tcp_sent_need(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    struct capy_tcp_marks *m = capy_tcp_marks_to_send(tcb, env);
    if (!m)
        return NULL;
    if (m->sent.cnt == 0)
        from_block(tcb, m);
    return &m->sent;
}

/* Replaces what is recorded of [left, run.end), which is at most up to the end of the list. */
static void replace(struct capy_tcp_marks *m, uint64_t una, uint64_t left, struct capy_tcp_run run,
                    uint64_t share_ns)
{
    struct capy_tcp_sent *l = &m->sent;
    struct capy_tcp_run was[CAPY_TCP_RUN_MAX];
    uint32_t cnt = l->cnt;
    memcpy(was, l->r, cnt * sizeof was[0]);
    l->cnt = 0;
    uint64_t start = una;
    for (uint32_t i = 0; i < cnt && start < left; i++) {
        struct capy_tcp_run below = was[i];
        below.end = capy_min64(below.end, left);
        push(m, below, 0);
        start = was[i].end;
    }
    push(m, run, share_ns);
    for (uint32_t i = 0; i < cnt; i++)
        if (was[i].end > run.end)
            push(m, was[i], 0);
}

/* For how long what leaves now may share a run: not with one that something else has left behind
 * since. Else its time would say that it left before that, and RACK would take it for lost as soon
 * as that has arrived. */
static uint64_t share_ns(const struct capy_tcp *tcb, const struct capy_tcp_env *env,
                         const struct capy_tcp_sent *l)
{
    uint64_t ns = tcb->rtt.srtt_ns / RUN_PER_RTT;
    if (tcb->phase == CAPY_TCP_OPEN && tcb->snd.tlp_end == 0)
        return ns; /* all in order */
    for (uint32_t i = 0; i < l->cnt; i++)
        ns = capy_min64(ns, env->now - l->r[i].at);
    return ns;
}

bool capy_tcp_sent_went(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t pos,
                        uint64_t end, bool again)
{
    const struct capy_tcp_snd *snd = &tcb->snd;
    if (!tcb->sack_ok)
        return false;
    bool together = snd->una == snd->nxt || (tcb->sent_at == env->now && snd->lost_end <= snd->una);
    if (!again && together && capy_tcp_marks(tcb, env)->sent.cnt == 0)
        return false;
    if (!capy_tcp_sent_need(tcb, env))
        return false;
    struct capy_tcp_marks *m = capy_tcp_marks_need(tcb, env);
    struct capy_tcp_run run = {.end = end, .at = env->now, .again = again};
    uint64_t share = share_ns(tcb, env, &m->sent);
    if (pos == snd->nxt) {
        push(m, run, share);
        return true;
    }
    /* What is SACKed between two retransmissions needs no record of its own. */
    replace(m, snd->una, capy_tcp_ranges_gap_end(&m->sacked, snd->una, pos), run, share);
    return true;
}

void capy_tcp_sent_nothing_lost(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    struct capy_tcp_snd *snd = &tcb->snd;
    snd->rtx_nxt = snd->lost_end = snd->una;
    if (tcb->marks == CAPY_NONE)
        return;
    struct capy_tcp_sent *l = &capy_tcp_marks_need(tcb, env)->sent;
    for (uint32_t i = 0; i < l->cnt; i++)
        l->r[i].lost = false;
}

void capy_tcp_sent_trim(struct capy_tcp *tcb, struct capy_tcp_marks *m)
{
    struct capy_tcp_sent *l = &m->sent;
    uint64_t una = tcb->snd.una;
    uint32_t gone = 0;
    while (gone < l->cnt && l->r[gone].end <= una)
        gone++;
    memmove(&l->r[0], &l->r[gone], (l->cnt - gone) * sizeof l->r[0]);
    l->cnt -= gone;
    if (l->rack_end != 0)
        l->rack_end = capy_max64(l->rack_end, una);
    if (l->dsack_round != 0 && una >= l->dsack_round)
        l->dsack_round = 0;
    bool plain = l->cnt == 1 && !l->r[0].again && !l->r[0].lost && l->r[0].at == tcb->sent_at;
    if (plain && m->sacked.cnt == 0 && tcb->phase == CAPY_TCP_OPEN)
        l->cnt = 0;
}
