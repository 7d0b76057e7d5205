/* The repeat interval, measured (pace.h; RFC 6298 §2, §3, §5; docs/protocol.md, "Timers"). Integer
 * nanoseconds; plain values of the stack and of its slots; called by origin.c and target.c. */
#include "mig/pace.h"

/* RFC 6298 §2.3: alpha 1/8, beta 1/4; §2.2: K 4. */
#define SMOOTH_SHIFT 3u
#define VAR_SHIFT 2u
#define VAR_TIMES 4u

void capy_mig_pace_init(struct capy_mig_pace *pace, const struct capy_mig_cfg *cfg)
{
    *pace = (struct capy_mig_pace){.interval_ns = cfg->rto_ns};
}

static void smooth(struct capy_mig_pace *p, uint64_t took_ns)
{
    if (p->smooth_ns == 0) {
        p->smooth_ns = took_ns;
        p->var_ns = took_ns / 2u;
        return;
    }
    uint64_t off = took_ns > p->smooth_ns ? took_ns - p->smooth_ns : p->smooth_ns - took_ns;
    p->var_ns += (off >> VAR_SHIFT) - (p->var_ns >> VAR_SHIFT);
    p->smooth_ns += (took_ns >> SMOOTH_SHIFT) - (p->smooth_ns >> SMOOTH_SHIFT);
}

/* Migrations in flight answer in bursts of dozens, all alike, and with each counted alone the estimate
 * would know the last burst and nothing else (RFC 7323 appendix G has the same trouble with a window of segments).
 * So the slowest answer of a round trip counts, once: a round is over with the first answer to a message
 * that left after the round began. */
static void measure(struct capy_mig_pace *p, uint64_t sent_at, uint64_t now)
{
    if (p->smooth_ns > 0 && sent_at < p->round_at) {
        p->slowest_ns = capy_max64(p->slowest_ns, now - sent_at);
        return;
    }
    smooth(p, capy_max64(p->slowest_ns, now - sent_at));
    p->slowest_ns = 0;
    p->round_at = now;
}

void capy_mig_repeat_begin(struct capy_mig_repeat *r, const struct capy_mig_env *env,
                           const struct capy_mig_pace *pace)
{
    *r = (struct capy_mig_repeat){.send_at = env->now, .interval_ns = pace->interval_ns};
}

/* §5.5 to §5.7: a timer that fired says that the interval is too short, and with Karn's rule only
 * that can say so: the doubled interval holds for all messages until an answer says that it need not be so long. */
void capy_mig_repeat_sent(struct capy_mig_repeat *r, const struct capy_mig_env *env,
                          struct capy_mig_pace *pace)
{
    if (r->copies > 0 && !r->asked)
        pace->interval_ns = capy_max64(pace->interval_ns, r->interval_ns);
    r->asked = false;
    r->last_at = env->now;
    if (r->copies++ == 0)
        r->first_at = env->now;
    r->send_at = env->now + r->interval_ns;
    r->interval_ns = capy_min64(r->interval_ns * 2u, env->cfg->rto_max_ns);
}

void capy_mig_repeat_asked(struct capy_mig_repeat *r, const struct capy_mig_env *env)
{
    r->asked = r->copies > 0;
    r->send_at = env->now;
}

void capy_mig_repeat_answered(const struct capy_mig_repeat *r, const struct capy_mig_env *env,
                              struct capy_mig_pace *pace)
{
    uint64_t took_ns = env->now - r->first_at, rto;
    if (r->copies == 0)
        return;
    if (r->copies == 1) {
        measure(pace, r->first_at, env->now);
        rto = pace->smooth_ns + VAR_TIMES * pace->var_ns;
    } else { /* sooner than half a trip after the last copy: an earlier one was answered, late */
        pace->lost += pace->smooth_ns > 0 && env->now - r->last_at >= pace->smooth_ns / 2u;
        /* at most: where messages are lost, what the timer learned is undone */
        rto = capy_min64(took_ns, pace->interval_ns);
    }
    pace->interval_ns = capy_min64(capy_max64(rto, env->cfg->rto_ns), env->cfg->rto_max_ns);
}

uint64_t capy_mig_patience(const struct capy_mig_pace *pace, uint64_t at_least_ns)
{
    return capy_max64(at_least_ns, CAPY_MIG_PATIENCE * pace->interval_ns);
}
