/* ECN (tcp/ecn.h). One reduction per round trip needs no state of its own: snd.recover, which says
 * until where loss recovery lasts, says in phase OPEN until where a reduction counts. */
#include "tcp/ecn.h"
#include "tcp/congestion.h"
#include "tcp/position.h"

#define SETUP (CAPY_TCP_ECE | CAPY_TCP_CWR)

enum { NOT_ECT = 0, ECT_0 = 2, CE = 3 }; /* RFC 3168 §5 */

/* ---- the handshake ---- */

/* RFC 8257 asks for ECN; so who chooses DCTCP asks, too. */
static bool offers(const struct capy_tcp *tcb)
{
    return tcb->tune.ecn == CAPY_TCP_ECN_OFFER ||
           (tcb->tune.ecn == CAPY_TCP_ECN_ACCEPT && tcb->congestion == CAPY_TCP_DCTCP);
}

void capy_tcp_ecn_take_syn(struct capy_tcp *tcb, const struct capy_tcp_segment *seg)
{
    bool answer = seg->flags & CAPY_TCP_ACK;
    bool setup = (seg->flags & SETUP) == (answer ? CAPY_TCP_ECE : SETUP);
    /* We have spoken first, when both open at once as well: what we said binds us. */
    bool asked = tcb->state == CAPY_TCP_SYN_SENT ? tcb->ecn_rcv : tcb->tune.ecn != CAPY_TCP_ECN_OFF;
    tcb->ecn_snd = setup && asked && (tcb->state != CAPY_TCP_SYN_SENT || tcb->ecn_snd);
    tcb->ecn_rcv = setup && asked;
}

void capy_tcp_ecn_syn_again(struct capy_tcp *tcb, const struct capy_tcp_segment *seg)
{
    if ((seg->flags & SETUP) != SETUP)
        tcb->ecn_snd = false;
}

bool capy_tcp_ecn_refused(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    if (!tcb->ecn_snd)
        return false;
    tcb->ecn_snd = false;
    tcb->probe = CAPY_TCP_PROBE_RETRANS;
    env->count->ecn_fallbacks++;
    return true;
}

void capy_tcp_ecn_put_syn(struct capy_tcp *tcb, const struct capy_tcp_env *env, bool first,
                          struct capy_tcp_segment *seg)
{
    if (tcb->state == CAPY_TCP_SYN_RECEIVED) {
        seg->flags |= tcb->ecn_snd ? CAPY_TCP_ECE : 0;
    } else if (first) {
        tcb->ecn_rcv = tcb->ecn_snd = offers(tcb);
        seg->flags |= tcb->ecn_snd ? SETUP : 0;
    } else if (tcb->ecn_snd) { /* §6.1.1.1: no answer; something on the way may mind */
        tcb->ecn_snd = false;
        env->count->ecn_fallbacks++;
    }
    capy_tcp_ecn_put_control(tcb, seg);
}

/* ---- the receiver ---- */

/* RFC 8257 §3.2: ECE says of the acknowledged bytes whether they were marked; so each change is told
 * at once, what arrived before it first. Of several changes between two segments of ours only the
 * first is told exactly. */
static void follow(struct capy_tcp *tcb, uint64_t nxt, bool marked)
{
    if (marked == tcb->ce)
        return;
    if (nxt > capy_tcp_rcv_acked(tcb) && !tcb->ce_changed) {
        tcb->ce_changed = true;
        tcb->ce_from = capy_tcp_near(nxt);
    }
    tcb->ce = marked;
    tcb->ack_now = true;
}

void capy_tcp_ecn_arrived(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                          const struct capy_tcp_arrival *a, uint64_t nxt)
{
    bool marked = a->ecn == CE;
    env->count->ce_segs_in += marked;
    if (tcb->congestion == CAPY_TCP_DCTCP) {
        follow(tcb, nxt, marked);
        return;
    }
    /* §6.1.3: until CWR comes; what is marked itself begins anew. A sender that has cut its window,
     * or is about to, should not wait for its acknowledgment. */
    bool told = a->seg->flags & CAPY_TCP_CWR;
    if (told || (marked && !tcb->ce))
        tcb->ack_now = true;
    tcb->ce = marked || (tcb->ce && !told);
}

uint64_t capy_tcp_ecn_put_echo(struct capy_tcp *tcb, struct capy_tcp_segment *seg)
{
    bool echo = tcb->ce;
    uint64_t ack = tcb->rcv.nxt;
    if (tcb->ce_changed) {
        tcb->ce_changed = false;
        ack = capy_tcp_rcv_ce_from(tcb);
        echo = !echo;
    }
    if (echo && tcb->state != CAPY_TCP_SYN_RECEIVED)
        seg->flags |= CAPY_TCP_ECE;
    return ack;
}

/* ---- the sender ---- */

void capy_tcp_ecn_put_data(struct capy_tcp *tcb, struct capy_tcp_segment *seg)
{
    seg->ecn = ECT_0;
    if (tcb->cwr)
        seg->flags |= CAPY_TCP_CWR;
    tcb->cwr = false;
}

void capy_tcp_ecn_put_control(const struct capy_tcp *tcb, struct capy_tcp_segment *seg)
{
    seg->ecn = tcb->ecn_snd && tcb->congestion == CAPY_TCP_DCTCP ? ECT_0 : NOT_ECT;
}

bool capy_tcp_ecn_told(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                       const struct capy_tcp_arrival *a)
{
    tcb->echo = a->seg->flags & CAPY_TCP_ECE;
    if (!tcb->echo)
        return false;
    env->count->ece_segs_in++;
    /* Until what left after the last reduction is acknowledged, that is the answer. */
    return a->ack > tcb->snd.recover;
}

void capy_tcp_ecn_cut(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t flight)
{
    if (tcb->phase != CAPY_TCP_OPEN)
        return; /* the same ACK told of a loss */
    env->count->ecn_cuts++;
    /* DEVIATION(RFC 3168 §6.1.2): with a window of one segment the next does not wait for the
     * retransmission timer; what says so is not heard yet. */
    (void)capy_tcp_cc_marked(tcb, flight);
    tcb->snd.recover = tcb->snd.nxt;
}
