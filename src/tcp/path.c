/* Path MTU and ICMP errors (tcp/path.h). */
#include "tcp/path.h"
#include "tcp/open.h"
#include "tcp/position.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/state.h"
#include "tcp/timers.h"

#define TS_OPTION_LEN 12u
/* RFC 1191 §6.3, RFC 8201 §5.3: ten minutes, until more is tried after a router's word. */
#define TOLD_MS 600000u
/* After a suspicion of our own, which may just have been an outage, sooner; each time that fails
 * doubles it. */
#define SUSPECTED_MS 60000u
#define DOUBLINGS_MAX 3u

/* Segment sizes to fall back to, options included: an Ethernet with some tunnel around it, the least
 * that every IPv6 link takes, RFC 4821 §7.2's base, the least that every IPv4 host takes. */
static const uint16_t steps[] = {1360, 1220, 984, 536};

/* The largest step below a size; the size itself when there is none that some link could need. */
static uint32_t step_below(const struct capy_tcp_env *env, uint32_t mss)
{
    for (uint32_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (steps[i] < mss && steps[i] >= env->cfg->mss_default)
            return steps[i];
    return mss;
}

/* The smallest step above a size, or the limit. */
static uint32_t step_above(uint32_t mss, uint32_t limit)
{
    for (uint32_t i = sizeof steps / sizeof *steps; i-- > 0;)
        if (steps[i] > mss && steps[i] < limit)
            return steps[i];
    return limit;
}

/* A segment as it is sent now, options included. */
static uint32_t segment_now(const struct capy_tcp *tcb)
{
    return tcb->snd.mss + (tcb->ts_ok ? TS_OPTION_LEN : 0);
}

static void use(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t mss, uint32_t for_ms)
{
    tcb->snd.mss = (uint16_t)(mss - (tcb->ts_ok ? TS_OPTION_LEN : 0));
    tcb->shrunk = mss < tcb->tune.mss_max;
    tcb->try_at_ms = capy_tcp_clock_ms(env) + for_ms;
}

/* Makes segments smaller. False: they are not larger than that. */
static bool shrink(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t mss,
                   uint32_t for_ms)
{
    mss = capy_max32(mss, CAPY_TCP_MSS_MIN);
    if (mss >= segment_now(tcb))
        return false;
    use(tcb, env, mss, for_ms);
    return true;
}

void capy_tcp_path_known(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t mss)
{
    (void)shrink(tcb, env, mss, TOLD_MS);
}

/* RFC 1191 §5: a router that names no MTU leaves it to us to guess. */
static bool too_big(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t mss)
{
    if (tcb->state < CAPY_TCP_ESTABLISHED ||
        !shrink(tcb, env, mss > 0 ? mss : step_below(env, segment_now(tcb)), TOLD_MS))
        return false;
    tcb->tries = 0;
    capy_tcp_recovery_resend(tcb, env);
    capy_tcp_timers_restart(tcb);
    capy_tcp_timers_changed(tcb, env);
    return true;
}

uint32_t capy_tcp_icmp(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                       const struct capy_icmp_error *e, uint32_t mss, bool *believed)
{
    bool opening = tcb->state == CAPY_TCP_SYN_SENT || tcb->state == CAPY_TCP_SYN_RECEIVED;
    uint64_t pos = capy_tcp_pos_of(tcb->snd.iss, e->seq, tcb->snd.una);
    if (believed)
        *believed = false;
    /* RFC 5927 §4.1: only what is in flight can have met with an error just now. */
    if (tcb->state == CAPY_TCP_CLOSED || pos < tcb->snd.una || pos >= tcb->snd.nxt) {
        env->count->icmp_ignored++;
        return 0;
    }
    switch (e->advice) {
    case CAPY_ICMP_HARD:
        /* RFC 5927 §5.2: once open, a peer that exists is not made to vanish by a message. */
        if (opening) {
            capy_tcp_free(tcb, env);
            return CAPY_TCP_WAS_RESET;
        }
        tcb->unreachable = true;
        break;
    case CAPY_ICMP_SOFT:
        tcb->unreachable = true;
        break;
    case CAPY_ICMP_TOO_BIG: {
        bool shrunk = too_big(tcb, env, mss);
        if (believed)
            *believed = shrunk;
        break;
    }
    case CAPY_ICMP_NOTHING:
        break;
    }
    return 0;
}

void capy_tcp_path_doubt(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    bool full_sized = capy_tcp_flight(tcb) >= tcb->snd.mss;
    uint8_t enough = env->cfg->suspect_timeouts;
    if (enough == 0 || tcb->backoff < enough || !full_sized)
        return;
    if (!tcb->shrunk && (int32_t)(capy_tcp_clock_ms(env) - tcb->try_at_ms) >= 0)
        tcb->tries = 0; /* the whole size has worked since the last time it was tried */
    uint32_t wait = SUSPECTED_MS << capy_min32(tcb->tries, DOUBLINGS_MAX);
    if (!shrink(tcb, env, step_below(env, segment_now(tcb)), wait))
        return;
    env->count->path_suspected++;
}

void capy_tcp_path_try(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    if ((int32_t)(capy_tcp_clock_ms(env) - tcb->try_at_ms) < 0)
        return;
    /* The first time the whole size: most often nothing was wrong with it. */
    uint32_t limit = tcb->tune.mss_max;
    uint32_t mss = tcb->tries == 0 ? limit : step_above(segment_now(tcb), limit);
    if (tcb->tries < DOUBLINGS_MAX)
        tcb->tries++;
    use(tcb, env, mss, SUSPECTED_MS);
}
