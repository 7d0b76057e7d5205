/* The application's calls: read, write, close, abort, and figures (RFC 9293 §3.10.2 to §3.10.6). */
#include "tcp/ecn.h"
#include "tcp/position.h"
#include "tcp/reserve.h"
#include "tcp/rightsize.h"
#include "tcp/rtt.h"
#include "tcp/state.h"
#include "tcp/timers.h"

uint32_t capy_tcp_readable(const struct capy_tcp *tcb)
{
    return (uint32_t)(capy_tcp_rcv_last(tcb) - tcb->rcv.queue.start);
}

bool capy_tcp_at_fin(const struct capy_tcp *tcb)
{
    return tcb->rcv.nxt > capy_tcp_fin_pos(tcb);
}

const uint8_t *capy_tcp_read_span(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                                  uint32_t skip, uint32_t *got)
{
    uint32_t readable = capy_tcp_readable(tcb);
    *got = 0;
    if (skip >= readable)
        return NULL;
    return capy_stream_span(&tcb->rcv.queue, env->blocks, tcb->rcv.queue.start + skip,
                            readable - skip, got);
}

void capy_tcp_consume(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t n)
{
    CAPY_ASSERT(n <= capy_tcp_readable(tcb));
    capy_stream_trim(&tcb->rcv.queue, env->blocks, tcb->rcv.queue.start + n);
    if (tcb->rcv.buf_kib != 0)
        capy_tcp_rightsize_read(tcb, env);
    if (capy_tcp_readable(tcb) > 0)
        return;
    if (tcb->rcv.ooo == 0)
        capy_stream_clear(&tcb->rcv.queue, env->blocks);
    if (tcb->state == CAPY_TCP_CLOSED) /* only this was left to do */
        capy_tcp_timers_end_at(tcb, env->now);
}

/* Bytes that the configured size and the pool's reserve leave. */
static uint32_t quota(const struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    uint32_t used = capy_tcp_unacked(tcb);
    if (tcb->state == CAPY_TCP_CLOSED || tcb->fin_queued || used >= tcb->tune.snd_buf)
        return 0;
    uint64_t spare = (uint64_t)capy_tcp_blocks_to_send(env->blocks) * CAPY_BLOCK_LEN;
    if (spare == 0)
        spare = capy_tcp_share_left(env->blocks, used);
    return (uint32_t)capy_min64(spare, tcb->tune.snd_buf - used);
}

uint32_t capy_tcp_room(const struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    return capy_stream_room(&tcb->snd.queue, env->blocks, tcb->snd.end, quota(tcb, env));
}

int64_t capy_tcp_write(struct capy_tcp *tcb, const struct capy_tcp_env *env, const uint8_t *data,
                       uint32_t len)
{
    if (tcb->state == CAPY_TCP_CLOSED || tcb->fin_queued)
        return CAPY_E_STATE;
    uint32_t n = capy_min32(len, quota(tcb, env));
    if (capy_stream_write(&tcb->snd.queue, env->blocks, tcb->snd.end, data, n) != CAPY_OK) {
        n = capy_stream_room(&tcb->snd.queue, env->blocks, tcb->snd.end, n);
        int fits = capy_stream_write(&tcb->snd.queue, env->blocks, tcb->snd.end, data, n);
        CAPY_ASSERT(fits == CAPY_OK);
    }
    tcb->snd.end += n;
    tcb->more = false;
    capy_tcp_timers_changed(tcb, env);
    return n;
}

int64_t capy_tcp_write_more(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                            const uint8_t *data, uint32_t len)
{
    int64_t n = capy_tcp_write(tcb, env, data, len);
    tcb->more = n == len;
    capy_tcp_timers_changed(tcb, env);
    return n;
}

uint32_t capy_tcp_unacked(const struct capy_tcp *tcb)
{
    return (uint32_t)(tcb->snd.end - tcb->snd.queue.start);
}

void capy_tcp_shutdown(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    if (tcb->state == CAPY_TCP_CLOSED || tcb->fin_queued)
        return;
    tcb->fin_queued = true;
    if (tcb->state == CAPY_TCP_ESTABLISHED)
        capy_tcp_set_state(tcb, CAPY_TCP_FIN_WAIT_1);
    else if (tcb->state == CAPY_TCP_CLOSE_WAIT)
        capy_tcp_set_state(tcb, CAPY_TCP_LAST_ACK);
    capy_tcp_timers_changed(tcb, env);
}

void capy_tcp_close(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    tcb->app_gone = true;
    if (tcb->state == CAPY_TCP_SYN_SENT || tcb->state == CAPY_TCP_CLOSED) {
        capy_tcp_free(tcb, env); /* RFC 9293 §3.10.4: nothing to close, or nothing any more */
        capy_tcp_timers_end_at(tcb, env->now);
        return;
    }
    bool unread = capy_tcp_readable(tcb) > 0 || tcb->rcv.ooo > 0;
    if (unread && tcb->state != CAPY_TCP_TIME_WAIT) {
        tcb->probe = CAPY_TCP_PROBE_RESET; /* the peer must learn that bytes were lost */
        tcb->delack_at = CAPY_NEVER;
    }
    capy_tcp_shutdown(tcb, env);
    capy_tcp_timers_changed(tcb, env);
}

bool capy_tcp_abort(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                    struct capy_tcp_segment *rst)
{
    bool told = false;
    switch (capy_tcp_state_of(tcb)) {
    case CAPY_TCP_SYN_RECEIVED:
    case CAPY_TCP_ESTABLISHED:
    case CAPY_TCP_FIN_WAIT_1:
    case CAPY_TCP_FIN_WAIT_2:
    case CAPY_TCP_CLOSE_WAIT:
        told = true;
        *rst = (struct capy_tcp_segment){
            .seq = capy_tcp_seq_at(tcb->snd.iss, tcb->snd.nxt),
            .ack = capy_tcp_seq_at(tcb->rcv.irs, tcb->rcv.nxt),
            .flags = CAPY_TCP_RST | CAPY_TCP_ACK,
        };
        if (tcb->ts_ok) { /* RFC 7323 §3.2 */
            rst->opts = CAPY_TCP_OPT_TS;
            rst->ts_val = capy_tcp_ts_now(tcb, env);
            rst->ts_ecr = tcb->rcv.ts_recent;
        }
        capy_tcp_ecn_put_control(tcb, rst);
        env->count->resets_out++;
        env->count->segs_out++;
        break;
    case CAPY_TCP_CLOSED:
    case CAPY_TCP_SYN_SENT:
    case CAPY_TCP_CLOSING:
    case CAPY_TCP_LAST_ACK:
    case CAPY_TCP_TIME_WAIT:
    case CAPY_TCP_STATE_CNT:
        break;
    }
    capy_tcp_free(tcb, env);
    return told;
}

void capy_tcp_free(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    capy_stream_clear(&tcb->snd.queue, env->blocks);
    capy_stream_clear(&tcb->rcv.queue, env->blocks);
    if (tcb->marks != CAPY_NONE)
        capy_pool_give(&env->blocks->pool, tcb->marks);
    tcb->marks = CAPY_NONE;
    tcb->rcv.ooo = tcb->snd.sacked = 0;
    tcb->snd.end = tcb->snd.queue.start; /* nothing to read, nothing unacknowledged */
    tcb->rcv.nxt = tcb->rcv.queue.start;
    tcb->rcv.adv = tcb->rcv.acked = tcb->rcv.fin = capy_tcp_near(tcb->rcv.nxt);
    tcb->rcv.fin_seen = true;
    tcb->ack_now = false;
    tcb->probe = CAPY_TCP_PROBE_NONE;
    tcb->timer = CAPY_TCP_TIMER_NONE;
    tcb->timer_at = tcb->delack_at = tcb->give_up_at = CAPY_NEVER;
    if (tcb->state != CAPY_TCP_CLOSED)
        capy_tcp_set_state(tcb, CAPY_TCP_CLOSED);
}

/* RFC 9293 §3.10.7.1. */
bool capy_tcp_reset_reply(const struct capy_tcp_segment *in, struct capy_tcp_segment *out)
{
    if (in->flags & CAPY_TCP_RST)
        return false;
    *out = (struct capy_tcp_segment){.flags = CAPY_TCP_RST};
    if (in->flags & CAPY_TCP_ACK) {
        out->seq = in->ack;
    } else {
        out->flags |= CAPY_TCP_ACK;
        out->ack = capy_seq_add(in->seq, capy_tcp_segment_len(in));
    }
    return true;
}

void capy_tcp_info(const struct capy_tcp *tcb, struct capy_tcp_info *out)
{
    uint32_t flight = capy_tcp_flight(tcb);
    *out = (struct capy_tcp_info){
        .state = capy_tcp_state_of(tcb),
        .srtt_ns = tcb->rtt.srtt_ns,
        .rto_ns = tcb->rtt.srtt_ns + 4 * tcb->rtt.rttvar_ns,
        .cwnd = tcb->cc.cwnd,
        .ssthresh = tcb->cc.ssthresh,
        .snd_wnd = tcb->snd.wnd,
        .rcv_wnd = (uint32_t)(capy_tcp_rcv_edge(tcb) - tcb->rcv.nxt),
        .snd_queued = capy_tcp_unacked(tcb),
        .rcv_queued = capy_tcp_readable(tcb),
        .ooo_queued = tcb->rcv.ooo,
        .in_flight = flight - capy_min32(tcb->snd.sacked, flight),
        .retrans_segs = tcb->retrans_segs,
    };
}
