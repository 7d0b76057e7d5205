/* HyStart++ (tcp/hystart.h), as RFC 9406 §4.2 has it, with the constants of §4.3.
 *
 *                     round trips longer                    CSS_ROUNDS over
 *   slow start  ---------------------------> CSS ----------------------------> avoidance
 *        ^                                    |
 *        +------------------------------------+
 *               no, they are short again
 *
 * Samples come from the send records (tcp/sent.h), one per ACK; bytes of one run share its time,
 * which is wrong by 1/24 of a round trip at most, a third of the smallest threshold. Without SACK
 * there are no records, so no samples: slow start is then the standard one. */
#include "tcp/hystart.h"
#include "tcp/position.h"
#include "tcp/ranges.h"

#define NONE UINT32_MAX
#define THRESH_MIN_NS (4u * 1000000u)
#define THRESH_MAX_NS (16u * 1000000u)
#define RTT_DIVISOR 8u
#define SAMPLES_MIN 8u
#define CSS_GROWTH_DIVISOR 4u
#define CSS_ROUNDS 5u
/* L, in segments: what one ACK may add when sending is not paced; then there is no limit. */
#define BURST_SEGMENTS 8u

static void start_round(struct capy_tcp *tcb)
{
    struct capy_tcp_hystart *h = &tcb->cc.hystart;
    h->last_min_ns = h->min_ns;
    h->min_ns = NONE;
    h->samples = 0;
    h->round_end = (uint32_t)tcb->snd.nxt;
}

void capy_tcp_hystart_start(struct capy_tcp *tcb)
{
    tcb->cc.hystart = (struct capy_tcp_hystart){.min_ns = NONE, .base_ns = NONE};
    start_round(tcb);
}

/* How long ago the newest bytes left that an ACK up to ack acknowledges; NONE when that is not
 * known, because they were sent twice or others behind them arrived before. */
static uint32_t sample(const struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t ack)
{
    if (!tcb->sack_ok || tcb->phase != CAPY_TCP_OPEN)
        return NONE;
    const struct capy_tcp_sent *sent = &capy_tcp_marks(tcb, env)->sent;
    uint64_t at = tcb->sent_at;
    if (sent->cnt > 0) {
        if (sent->rack_end != ack)
            return NONE;
        at = sent->rack_at;
    }
    return (uint32_t)capy_min64(env->now - at, NONE - 1);
}

static bool round_is_over(const struct capy_tcp *tcb, uint64_t ack)
{
    /* The end lies in the flight, or was passed. */
    uint32_t left = tcb->cc.hystart.round_end - (uint32_t)tcb->snd.una;
    return left > capy_tcp_flight(tcb) || ack - tcb->snd.una > left;
}

static bool longer(const struct capy_tcp_hystart *h)
{
    if (h->samples < SAMPLES_MIN || h->min_ns == NONE || h->last_min_ns == NONE)
        return false;
    uint32_t thresh = capy_min32(h->last_min_ns / RTT_DIVISOR, THRESH_MAX_NS);
    return h->min_ns - capy_min32(h->min_ns, h->last_min_ns) >= capy_max32(thresh, THRESH_MIN_NS);
}

bool capy_tcp_hystart_watch(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint64_t ack)
{
    struct capy_tcp_hystart *h = &tcb->cc.hystart;
    if (round_is_over(tcb, ack)) {
        start_round(tcb);
        /* The round in which CSS began counts as one. */
        if (h->base_ns != NONE && ++h->css_rounds >= CSS_ROUNDS)
            return true;
    }
    uint32_t rtt = sample(tcb, env, ack);
    if (rtt != NONE) {
        h->min_ns = capy_min32(h->min_ns, rtt);
        if (h->samples < SAMPLES_MIN)
            h->samples++;
    }
    if (h->base_ns != NONE) {
        if (h->samples >= SAMPLES_MIN && h->min_ns < h->base_ns)
            h->base_ns = NONE;
    } else if (longer(h)) {
        h->base_ns = h->min_ns;
        h->css_rounds = 0;
    }
    return false;
}

uint32_t capy_tcp_hystart_growth(const struct capy_tcp *tcb, uint32_t acked)
{
    uint32_t n = tcb->tune.pacing > 0 ? acked : capy_min32(acked, BURST_SEGMENTS * tcb->snd.mss);
    return tcb->cc.hystart.base_ns == NONE ? n : n / CSS_GROWTH_DIVISOR;
}
