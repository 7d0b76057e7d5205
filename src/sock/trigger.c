/* The trigger; see trigger.h. */
#include "sock/trigger.h"
#include "sock/host.h"
#include "sock/os.h"

/* What happens at another server shows in its next heartbeat, and the switch's word of that reaches us
 * with the answer to one of ours. */
#define BEATS_TO_KNOW 2u
#define SETTLE_INTERVALS 2u
#define LISTENS_PER_INTERVAL 64u
/* The average of the least load: finer than CAPY_LOAD_ONE, so that small steps towards it count. */
#define LEAST_SHIFT 8u

const char *capy_why_name(enum capy_why why)
{
    static const char *const names[CAPY_WHY_CNT] = {
        "off",     "calm", "waiting", "falling",   "budget",   "no_switch", "no_target", "no_room",
        "no_work", "busy", "cooling", "too_heavy", "settling", "moved",     "refused",
    };
    return (unsigned)why < CAPY_WHY_CNT ? names[why] : "?";
}

/* The least load of the rack, as it is now and was lately, in 1/CAPY_LOAD_ONE; UINT32_MAX: nobody takes
 * anything. */
static uint32_t least_known(const struct capy *os, const struct capy_stack_status *st)
{
    uint64_t now = (uint64_t)st->least_load * CAPY_LOAD_ONE;
    uint64_t least = capy_max64(now, os->trigger.least >> LEAST_SHIFT);
    return st->least_load == UINT32_MAX ? UINT32_MAX : (uint32_t)capy_min64(least, UINT32_MAX - 1u);
}

/* What would go with the queue, 0..CAPY_WORK_SHARE_ONE: its part in what is done here, or in what waits,
 * if that is more. Of a connection that asks for more than its turn only the queue tells. */
static uint32_t weight(const struct capy *os, uint32_t queue)
{
    uint32_t share = capy_work_share(os, queue), behind = os->queues[queue].behind;
    if (behind == 0 || os->load.in_hand == 0)
        return share;
    return capy_max32(share, (uint32_t)((uint64_t)behind * CAPY_WORK_SHARE_ONE / os->load.in_hand));
}

/* ---- the record ---- */

/* The decision's own record, or that of the same one just before. */
static struct capy_decision *decide(struct capy *os, enum capy_why why)
{
    struct capy_trigger *t = &os->trigger;
    struct capy_stack_status st;
    struct capy_decision *last = &t->log[(t->decision_cnt - 1) % CAPY_DECISION_MAX];
    bool alone = why == CAPY_WHY_MOVED || why == CAPY_WHY_REFUSED;
    t->why_cnt[why]++;
    if (!alone && t->decision_cnt > 0 && last->why == why) {
        last->times++;
        last->last_ns = os->now;
        t->why = why;
        return last;
    }
    capy_stack_status(os->stack, &st);
    struct capy_decision *d = &t->log[t->decision_cnt++ % CAPY_DECISION_MAX];
    *d = (struct capy_decision){
        .at_ns = os->now,
        .last_ns = os->now,
        .times = 1,
        .why = (uint8_t)why,
        .load = (uint32_t)capy_min64(capy_load_own(os), UINT32_MAX),
        .least = least_known(os, &st),
    };
    t->why = why;
    return d;
}

static void name_client(struct capy *os, uint32_t queue, struct capy_decision *d)
{
    struct capy_stack_conn_info info;
    if (capy_stack_conn_info(os->stack, os->queues[queue].conn, &info) != CAPY_OK)
        return;
    d->client = info.key.client;
    d->client_port = info.key.client_port;
    d->share = weight(os, queue);
}

/* ---- when ---- */

/* By how much the load was over the threshold, times how long (a cumulative sum, as in quality control):
 * the more there is too much, the sooner it is sure. A queue of a well loaded server is long now and
 * then; of an overloaded one it grows and grows. */
static void add_excess(struct capy *os, uint64_t load)
{
    struct capy_trigger *t = &os->trigger;
    uint64_t high = (uint64_t)os->rack.load_threshold * CAPY_LOAD_ONE;
    uint64_t dt = capy_min64(os->now - t->stepped_at, CAPY_SEC(1));
    t->stepped_at = os->now;
    if (t->over && load > high)
        t->excess += capy_min64((load - high) * dt, CAPY_NEVER / 2 - t->excess);
}

/* And before it acts on what it knows of others, all of that must be from after the load came: their
 * heartbeats, and our own that asked the switch for it. */
static bool is_sure(const struct capy *os)
{
    const struct capy_trigger *t = &os->trigger;
    uint64_t unit = (uint64_t)os->rack.load_threshold * CAPY_LOAD_ONE;
    return t->excess / unit >= CAPY_US(os->rack.load_patience_us) &&
           os->now - t->over_since >= BEATS_TO_KNOW * CAPY_US(os->rack.heartbeat_us);
}

/* ---- the choice ---- */

/* What heartbeats say is the least at a moment, of several servers that change by chance: it is lower
 * than any one of them is on average. */
static void listen(struct capy *os)
{
    struct capy_trigger *t = &os->trigger;
    uint64_t span = CAPY_US(os->rack.load_interval_us), dt = os->now - t->heard_at;
    struct capy_stack_status st;
    if (dt < span / LISTENS_PER_INTERVAL)
        return;
    capy_stack_status(os->stack, &st);
    t->heard_at = os->now;
    if (st.least_load == UINT32_MAX)
        return;
    dt = capy_min64(dt, CAPY_SEC(1));
    uint64_t least = (uint64_t)st.least_load * CAPY_LOAD_ONE << LEAST_SHIFT;
    int64_t error = (int64_t)least - (int64_t)t->least;
    t->least = (uint64_t)((int64_t)t->least + error * (int64_t)dt / (int64_t)(dt + span));
}

/* What was given shows little by little in what we hear of the others. */
static void settle(struct capy *os)
{
    struct capy_trigger *t = &os->trigger;
    uint64_t span = capy_max64(BEATS_TO_KNOW * CAPY_US(os->rack.heartbeat_us),
                               SETTLE_INTERVALS * CAPY_US(os->rack.load_interval_us));
    uint64_t dt = capy_min64(os->now - t->given_at, span * CAPY_WORK_SHARE_ONE);
    t->given -= t->given * dt / (dt + span);
    t->given_at = os->now;
}

/* Would a share of our work do good where the least load is? Twice it must fit, so that after the move
 * we are still not below the target: such moves converge, and never turn back.
 *  - By load: what it takes off ours is its share of it.
 *  - By room: a server with N requests in hand on average has about 1/(1+N) of its time left (M/M/1).
 *    A queue says how long one waits, not how much more work there is than time: with hundreds waiting
 *    here, half of our work would pass by load alone. An application's own metric is no queue. */
static bool fits(const struct capy *os, uint64_t share, uint64_t theirs)
{
    uint64_t own = capy_load_own(os);
    if (own <= theirs || 2 * share * own > (own - theirs) * CAPY_WORK_SHARE_ONE)
        return false;
    return os->load.by_app ||
           2 * share * (CAPY_LOAD_ONE + theirs) <= (uint64_t)CAPY_WORK_SHARE_ONE * CAPY_LOAD_ONE;
}

static enum capy_why why_not(const struct capy *os, uint32_t queue, uint64_t least)
{
    const struct capy_queue *q = &os->queues[queue];
    if (!capy_pool_is_taken(&os->pool, queue) || !(q->flags & CAPY_QUEUE_CONN))
        return CAPY_WHY_IDLE;
    if (!capy_migrate_can(os, queue))
        return CAPY_WHY_BUSY;
    if (q->cool_until > os->now)
        return CAPY_WHY_COOLING;
    uint32_t share = weight(os, queue);
    if (!fits(os, share, least))
        return CAPY_WHY_TOO_HEAVY;
    return fits(os, share + os->trigger.given, least) ? CAPY_WHY_MOVED : CAPY_WHY_SETTLING;
}

/* The heaviest connection that fits, among those that worked lately (any other has nothing to take
 * away): the fewest moves take the most off. CAPY_NONE, and why. */
static uint32_t choose(const struct capy *os, uint64_t least, enum capy_why *why)
{
    const struct capy_work *w = &os->work;
    uint32_t best = CAPY_NONE, best_share = 0;
    *why = CAPY_WHY_IDLE;
    for (uint32_t i = 0; i < capy_min32(w->recent_next, CAPY_WORK_RECENT); i++) {
        uint32_t queue = w->recent[i];
        enum capy_why one = why_not(os, queue, least);
        uint32_t share = one == CAPY_WHY_MOVED ? weight(os, queue) : 0;
        if (one > *why)
            *why = one;
        if (share > best_share) {
            best = queue;
            best_share = share;
        }
    }
    return best;
}

/* ---- acting ---- */

static void move(struct capy *os, uint32_t queue)
{
    os->queues[queue].flags |= CAPY_QUEUE_SHED;
    os->trigger.in_flight++;
    os->trigger.given += weight(os, queue);
    name_client(os, queue, decide(os, CAPY_WHY_MOVED));
}

/* What stands in the way of any move at all; MOVED: nothing. */
static enum capy_why obstacle(const struct capy *os, uint64_t *least)
{
    struct capy_stack_status st;
    capy_stack_status(os->stack, &st);
    *least = least_known(os, &st);
    if (os->trigger.in_flight >= os->rack.load_budget)
        return CAPY_WHY_BUDGET;
    if (!st.switch_alive || st.switch_learning)
        return CAPY_WHY_NO_SWITCH;
    if (*least == UINT32_MAX)
        return CAPY_WHY_NO_TARGET;
    return *least > (uint64_t)os->rack.load_low * CAPY_LOAD_ONE ? CAPY_WHY_NO_ROOM : CAPY_WHY_MOVED;
}

static void act(struct capy *os)
{
    struct capy_trigger *t = &os->trigger;
    uint64_t load = capy_load_own(os);
    bool falls = load < t->last_load - t->last_load / 8;
    uint64_t least = 0;
    uint32_t moves = 0;
    t->last_load = load;
    settle(os);
    enum capy_why why = !is_sure(os) ? CAPY_WHY_WAITING
                        : falls      ? CAPY_WHY_FALLING
                                     : obstacle(os, &least);
    while (why == CAPY_WHY_MOVED && t->in_flight < os->rack.load_budget && moves < t->ramp) {
        uint32_t queue = choose(os, least, &why);
        if (queue == CAPY_NONE)
            break;
        if (capy_migrate_queue(os, queue, CAPY_SERVER_ANY) != CAPY_OK) {
            why = CAPY_WHY_BUSY;
            break;
        }
        move(os, queue);
        moves++;
    }
    if (moves == 0)
        (void)decide(os, why);
    else if (t->ramp < os->rack.load_budget)
        t->ramp *= 2;
}

void capy_trigger_init(struct capy *os)
{
    os->work.on = os->rack.load_threshold > 0;
    os->trigger.next_at = CAPY_NEVER;
    os->trigger.why = os->work.on ? CAPY_WHY_CALM : CAPY_WHY_OFF;
}

static void change(struct capy *os, bool over)
{
    struct capy_trigger *t = &os->trigger;
    t->over = over;
    t->excess = 0;
    t->over_since = os->now;
    t->last_load = 0;
    t->ramp = 1;
    t->next_at = over ? os->now + CAPY_US(os->rack.load_interval_us) : CAPY_NEVER;
    (void)decide(os, over ? CAPY_WHY_WAITING : CAPY_WHY_CALM);
}

void capy_trigger_step(struct capy *os)
{
    struct capy_trigger *t = &os->trigger;
    if (os->rack.load_threshold == 0)
        return;
    listen(os);
    uint64_t load = capy_load_own(os);
    uint32_t edge = t->over ? os->rack.load_low : os->rack.load_threshold;
    bool over = load > (uint64_t)edge * CAPY_LOAD_ONE;
    add_excess(os, load);
    if (over != t->over) {
        change(os, over);
    } else if (os->now >= t->next_at) {
        t->next_at = os->now + CAPY_US(os->rack.load_interval_us);
        act(os);
    }
}

uint64_t capy_trigger_next_at(const struct capy *os)
{
    return os->trigger.next_at;
}

void capy_trigger_ended(struct capy *os, uint32_t queue, bool moved, uint8_t reason,
                        uint8_t verdict)
{
    struct capy_trigger *t = &os->trigger;
    struct capy_queue *q = &os->queues[queue];
    if (!(q->flags & CAPY_QUEUE_SHED))
        return;
    q->flags &= (uint32_t)~CAPY_QUEUE_SHED;
    t->in_flight--;
    t->moved_cnt += moved;
    if (moved || (reason == CAPY_REASON_NONE && verdict == CAPY_VERDICT_NONE))
        return; /* there, or it ended on its way */
    t->refused_cnt++;
    /* Nobody else's would find one either, before a heartbeat tells of it. */
    if (verdict == CAPY_VERDICT_NO_TARGET || verdict == CAPY_VERDICT_LEARNING)
        t->next_at = capy_max64(t->next_at, os->now + CAPY_US(os->rack.heartbeat_us));
    struct capy_decision *d = decide(os, CAPY_WHY_REFUSED);
    name_client(os, queue, d);
    d->reason = reason;
    d->verdict = verdict;
}
