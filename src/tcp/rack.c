/* RACK (tcp/rack.h), step by step as in RFC 8985 §6.2.
 *
 * DEVIATION(RFC 8985 §6.2 step 1): RACK.min_RTT is no windowed minimum; it begins anew at each RTO,
 * which is when a path that became longer would show. Until then too small a minimum costs spurious
 * retransmissions, and their DSACKs widen the window. */
#include "tcp/rack.h"
#include "tcp/rtt.h"
#include "tcp/scoreboard.h"

#define REO_PERSIST 16u /* recoveries, §6.2 step 4 */

static bool before(uint64_t a, uint64_t b)
{
    return (int64_t)(a - b) < 0;
}

/* ---- steps 1 to 3 ---- */

/* No round trip is shorter, as far as is known. Never 0: a segment that leaves now cannot have
 * arrived, else what goes again could be lost again at once, for ever. */
static uint64_t shortest_rtt(const struct capy_tcp *tcb)
{
    return capy_max64(tcb->snd.min_rtt_ns ? tcb->snd.min_rtt_ns : tcb->rtt.srtt_ns, 1);
}

/* Step 2: an ACK that comes too early for a retransmission is for the original. */
static bool ambiguous(const struct capy_tcp *tcb, const struct capy_tcp_env *env,
                      const struct capy_tcp_segment *seg, const struct capy_tcp_run *run)
{
    if (!run->again)
        return false;
    if (tcb->ts_ok && seg->opts & CAPY_TCP_OPT_TS &&
        (int32_t)(seg->ts_ecr - capy_tcp_ts_at(tcb, env, run->at)) < 0)
        return true;
    return env->now - run->at < shortest_rtt(tcb);
}

bool capy_tcp_rack_delivered(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                             const struct capy_tcp_segment *seg, uint64_t left, uint64_t right,
                             uint64_t fack)
{
    const struct capy_tcp_marks *known = capy_tcp_marks(tcb, env);
    bool late = false;
    if (known->sent.cnt == 0)
        return late;
    struct capy_tcp_sent *l = capy_tcp_sent_need(tcb, env);
    uint64_t start = tcb->snd.una;
    for (uint32_t i = 0; i < l->cnt && start < right; start = l->r[i++].end) {
        const struct capy_tcp_run *run = &l->r[i];
        uint64_t from = capy_max64(left, start), to = capy_min64(right, run->end);
        if (from >= to)
            continue;
        uint64_t end = capy_tcp_ranges_gap_end(&known->sacked, from, to);
        if (end == from)
            continue; /* no news */
        late |= run->lost;
        /* Step 3: sent once, and behind what left after it. */
        if (!run->again && from < fack &&
            capy_tcp_ranges_gap_end(&known->sacked, from, capy_min64(to, fack)) > from)
            tcb->reordering = true;
        if (ambiguous(tcb, env, seg, run))
            continue;
        l->rack_rtt = capy_max64(env->now - run->at, shortest_rtt(tcb));
        if (l->rack_end == 0 || before(l->rack_at, run->at) ||
            (l->rack_at == run->at && l->rack_end < end)) {
            l->rack_at = run->at;
            l->rack_end = end;
        }
    }
    return late;
}

/* ---- step 4 ---- */

void capy_tcp_rack_dsack(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    struct capy_tcp_sent *l =
        capy_tcp_marks(tcb, env)->sent.cnt ? capy_tcp_sent_need(tcb, env) : NULL;
    if (l && l->dsack_round != 0)
        return; /* once per round trip */
    if (l)
        l->dsack_round = tcb->snd.nxt;
    if (tcb->reo_mult < UINT8_MAX)
        tcb->reo_mult++;
    tcb->reo_persist = REO_PERSIST;
}

void capy_tcp_rack_recovered(struct capy_tcp *tcb)
{
    if (tcb->reo_persist > 0 && --tcb->reo_persist == 0)
        tcb->reo_mult = 0;
}

/* Until reordering was seen, three segments prove loss as they always did (RFC 6675). */
static uint64_t reo_wnd(const struct capy_tcp *tcb, const struct capy_tcp_marks *m)
{
    bool proven = m->sacked.cnt >= CAPY_TCP_DUP_THRESH ||
                  tcb->snd.sacked > (CAPY_TCP_DUP_THRESH - 1u) * tcb->snd.mss;
    if (!tcb->reordering && (tcb->phase != CAPY_TCP_OPEN || proven))
        return 0;
    return capy_min64((tcb->reo_mult + UINT64_C(1)) * shortest_rtt(tcb) / 4, tcb->rtt.srtt_ns);
}

/* ---- step 5 ---- */

/* Behind the bytes of a run that left before RACK's; start when there are none still missing. */
static uint64_t suspect_end(const struct capy_tcp_marks *m, uint32_t i, uint64_t start)
{
    const struct capy_tcp_sent *l = &m->sent;
    const struct capy_tcp_run *run = &l->r[i];
    uint64_t end = start;
    if (before(run->at, l->rack_at))
        end = run->end;
    else if (run->at == l->rack_at)
        end = capy_max64(start, capy_min64(run->end, l->rack_end));
    bool missing = !run->lost && capy_tcp_ranges_gap_end(&m->sacked, start, end) > start;
    return missing ? end : start;
}

enum capy_tcp_rack_found capy_tcp_rack_detect(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    const struct capy_tcp_marks *m = capy_tcp_marks(tcb, env);
    enum capy_tcp_rack_found found = CAPY_TCP_RACK_NOTHING;
    if (m->sent.cnt == 0 || m->sent.rack_end == 0)
        return found;
    struct capy_tcp_sent *l = capy_tcp_sent_need(tcb, env);
    uint64_t patience = l->rack_rtt + reo_wnd(tcb, m);
    if (l->cnt == CAPY_TCP_RUN_MAX)
        capy_tcp_sent_squeeze(capy_tcp_marks_need(tcb, env));
    uint64_t start = tcb->snd.una;
    for (uint32_t i = 0; i < l->cnt; start = l->r[i++].end) {
        struct capy_tcp_run *run = &l->r[i];
        uint64_t end = suspect_end(m, i, start);
        if (end == start || env->now - run->at < patience)
            continue;
        if (end < run->end && !capy_tcp_sent_split(l, i, end))
            continue;
        run->lost = true;
        if (found == CAPY_TCP_RACK_NOTHING)
            found = CAPY_TCP_RACK_LOSS;
        if (run->again && !before(run->at, l->cut_at))
            found = CAPY_TCP_RACK_LOST_AGAIN;
    }
    return found;
}

bool capy_tcp_rack_waits(const struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t *ns)
{
    const struct capy_tcp_marks *m = capy_tcp_marks(tcb, env);
    if (m->sent.cnt == 0 || m->sent.rack_end == 0)
        return false;
    uint64_t patience = m->sent.rack_rtt + reo_wnd(tcb, m), start = tcb->snd.una;
    bool waits = false;
    *ns = 0;
    for (uint32_t i = 0; i < m->sent.cnt; start = m->sent.r[i++].end) {
        if (suspect_end(m, i, start) == start)
            continue;
        uint64_t age = env->now - m->sent.r[i].at;
        if (age < patience)
            *ns = capy_max64(*ns, patience - age);
        waits = true;
    }
    return waits;
}
