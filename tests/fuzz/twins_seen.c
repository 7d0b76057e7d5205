/* What a connection is like at the moment it moves (twins.h). */
#include "tcp/arrival.h"
#include "tcp/congestion.h"
#include "tcp/position.h"
#include "twins.h"

static void count(struct twins_seen *seen, enum twins_feature feature, bool is)
{
    seen->feature[feature] += is;
}

static void note_timer(struct twins_seen *seen, const struct capy_tcp *tcb)
{
    static const uint8_t features[CAPY_TCP_TIMER_CNT] = {
        [CAPY_TCP_TIMER_RTO] = TWINS_TIMER_RTO,
        [CAPY_TCP_TIMER_TLP] = TWINS_TIMER_TLP,
        [CAPY_TCP_TIMER_REORDER] = TWINS_TIMER_REORDER,
        [CAPY_TCP_TIMER_PERSIST] = TWINS_TIMER_PERSIST,
        [CAPY_TCP_TIMER_KEEPALIVE] = TWINS_TIMER_KEEPALIVE,
        [CAPY_TCP_TIMER_FIN_WAIT_2] = TWINS_TIMER_FIN_WAIT_2,
        [CAPY_TCP_TIMER_END] = TWINS_TIMER_END,
    };
    count(seen, (enum twins_feature)features[tcb->timer], tcb->timer != CAPY_TCP_TIMER_NONE);
}

static void note_congestion(struct twins_seen *seen, const struct capy_tcp *tcb,
                            const struct capy_tcp_marks *marks)
{
    count(seen, TWINS_CUBIC, tcb->congestion == CAPY_TCP_CUBIC);
    count(seen, TWINS_NEWRENO, tcb->congestion == CAPY_TCP_NEWRENO);
    count(seen, TWINS_DCTCP, tcb->congestion == CAPY_TCP_DCTCP);
    count(seen, TWINS_SLOW_START, tcb->cc.cwnd < tcb->cc.ssthresh);
    count(seen, TWINS_AVOIDANCE, tcb->cc.cwnd >= tcb->cc.ssthresh);
    count(seen, TWINS_RECOVERY, tcb->phase == CAPY_TCP_RECOVERY);
    count(seen, TWINS_LOSS, tcb->phase == CAPY_TCP_LOSS);
    count(seen, TWINS_FRTO, tcb->phase == CAPY_TCP_FRTO);
    count(seen, TWINS_DOUBT, marks->episode.doubt != CAPY_TCP_DOUBT_NONE);
    count(seen, TWINS_REDUCTION, marks->episode.prr.flight > 0);
    count(seen, TWINS_BACKED_OFF, tcb->backoff > 0);
    count(seen, TWINS_SHRUNK, tcb->shrunk);
    count(seen, TWINS_PACED, tcb->tune.pacing > 0);
    count(seen, TWINS_PACED_OUT, tcb->paced_out);
}

static void note_queues(struct twins_seen *seen, const struct capy_tcp *tcb,
                        const struct capy_tcp_marks *marks)
{
    count(seen, TWINS_ZERO_WINDOW, tcb->snd.wnd == 0);
    count(seen, TWINS_CLOSED_WINDOW, capy_tcp_rcv_edge(tcb) == tcb->rcv.nxt);
    count(seen, TWINS_UNREAD, capy_tcp_readable(tcb) > 0);
    count(seen, TWINS_UNACKED, tcb->snd.una < tcb->snd.nxt);
    count(seen, TWINS_UNSENT, tcb->snd.nxt < tcb->snd.end);
    count(seen, TWINS_OUT_OF_ORDER, marks->ooo.cnt > 0);
    count(seen, TWINS_EARLY_FIN, tcb->rcv.fin_seen && tcb->rcv.nxt <= capy_tcp_fin_pos(tcb));
    count(seen, TWINS_SACKED, marks->sacked.cnt > 0);
    count(seen, TWINS_DUPLICATE, marks->dup.left != 0);
}

void twins_note(struct twins_seen *seen, const struct capy_stack *s, const struct capy_conn *c)
{
    const struct capy_tcp *tcb = &c->tcb;
    seen->moves++;
    seen->state[tcb->state]++;
    count(seen, TWINS_IPV4, capy_ip_is_v4(&c->remote));
    count(seen, TWINS_IPV6, !capy_ip_is_v4(&c->remote));
    if (tcb->state < CAPY_TCP_ESTABLISHED) /* nothing is agreed on yet */
        return;
    const struct capy_tcp_marks *marks = capy_tcp_marks_in(tcb, &s->blocks);
    count(seen, TWINS_SACK, tcb->sack_ok);
    count(seen, TWINS_NO_SACK, !tcb->sack_ok);
    count(seen, TWINS_TIMESTAMPS, tcb->ts_ok);
    count(seen, TWINS_NO_TIMESTAMPS, !tcb->ts_ok);
    count(seen, TWINS_WINDOW_SCALE, tcb->wscale_ok);
    count(seen, TWINS_ECN, tcb->ecn_snd);
    count(seen, TWINS_ECN_TO_TELL, tcb->ce || tcb->ce_changed || tcb->cwr);
    count(seen, TWINS_DELAYED_ACK, tcb->delack_at != CAPY_NEVER);
    count(seen, TWINS_CHALLENGED,
          tcb->challenge_ms - (uint32_t)(s->now / CAPY_MS(1)) - 1 < CAPY_TCP_CHALLENGE_MS);
    count(seen, TWINS_CORKED, tcb->tune.cork || tcb->more);
    count(seen, TWINS_PROBING, tcb->keep_sent > 0);
    count(seen, TWINS_ORPHAN, tcb->app_gone);
    note_timer(seen, tcb);
    note_congestion(seen, tcb, marks);
    note_queues(seen, tcb, marks);
}

const char *twins_feature_name(enum twins_feature feature)
{
    static const char *const names[TWINS_FEATURE_CNT] = {
        [TWINS_IPV4] = "IPv4",
        [TWINS_IPV6] = "IPv6",
        [TWINS_SACK] = "SACK",
        [TWINS_NO_SACK] = "no SACK",
        [TWINS_TIMESTAMPS] = "timestamps",
        [TWINS_NO_TIMESTAMPS] = "no timestamps",
        [TWINS_WINDOW_SCALE] = "window scale",
        [TWINS_ECN] = "ECN",
        [TWINS_ECN_TO_TELL] = "a mark or a cut to tell of",
        [TWINS_CUBIC] = "CUBIC",
        [TWINS_NEWRENO] = "NewReno",
        [TWINS_DCTCP] = "DCTCP",
        [TWINS_SLOW_START] = "slow start",
        [TWINS_AVOIDANCE] = "congestion avoidance",
        [TWINS_RECOVERY] = "fast recovery",
        [TWINS_LOSS] = "loss by timeout",
        [TWINS_FRTO] = "F-RTO",
        [TWINS_DOUBT] = "an episode in doubt",
        [TWINS_REDUCTION] = "rate reduction",
        [TWINS_TIMER_RTO] = "timer RTO",
        [TWINS_TIMER_TLP] = "timer TLP",
        [TWINS_TIMER_REORDER] = "timer REORDER",
        [TWINS_TIMER_PERSIST] = "timer PERSIST",
        [TWINS_TIMER_KEEPALIVE] = "timer KEEPALIVE",
        [TWINS_TIMER_FIN_WAIT_2] = "timer FIN_WAIT_2",
        [TWINS_TIMER_END] = "timer END",
        [TWINS_BACKED_OFF] = "backed off",
        [TWINS_DELAYED_ACK] = "delayed ACK",
        [TWINS_CHALLENGED] = "a challenge sent",
        [TWINS_ZERO_WINDOW] = "the peer's window closed",
        [TWINS_CLOSED_WINDOW] = "our window closed",
        [TWINS_UNREAD] = "unread bytes",
        [TWINS_UNACKED] = "unacknowledged bytes",
        [TWINS_UNSENT] = "unsent bytes",
        [TWINS_OUT_OF_ORDER] = "bytes out of order",
        [TWINS_EARLY_FIN] = "a FIN beyond a hole",
        [TWINS_SACKED] = "SACKed bytes",
        [TWINS_DUPLICATE] = "a duplicate to tell of",
        [TWINS_CORKED] = "corked",
        [TWINS_PROBING] = "keep-alive probing",
        [TWINS_ORPHAN] = "no application",
        [TWINS_SHRUNK] = "smaller segments",
        [TWINS_PACED] = "paced",
        [TWINS_PACED_OUT] = "a quantum that has left",
    };
    return names[feature];
}
