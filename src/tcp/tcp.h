/* One TCP connection as a deterministic state machine (RFC 9293): segments, application calls and
 * `now` go in; segments and event bits come out. No clock, no allocation, no global state. The
 * control block is a plain value (tcp/tcb.h); its queues live in streams over the shared block pool.
 *
 * Who calls: the stack, from one thread. Input never sends: it marks what is owed, and the stack
 * asks capy_tcp_output until it says no. After every call the stack asks capy_tcp_next_at again. */
#ifndef CAPY_TCP_TCP_H
#define CAPY_TCP_TCP_H

#include "base/stream.h"
#include "capy/option.h"
#include "tcp/tcb.h"
#include "wire/tcp.h"

/* RFC 9438; RFC 5681; RFC 8257. */
enum capy_tcp_congestion {
    CAPY_TCP_CUBIC,
    CAPY_TCP_NEWRENO,
    CAPY_TCP_DCTCP,
    CAPY_TCP_CONGESTION_CNT
};
/* "cubic", "newreno" or "dctcp"; CAPY_E_INVAL for any other name. */
int capy_tcp_congestion_by_name(const char *name);
const char *capy_tcp_congestion_name(enum capy_tcp_congestion algorithm);

/* Explicit congestion notification (RFC 3168): neither; accepted when the peer offers it, as kernels
 * do; offered as well. DCTCP offers it unless it is off. */
enum capy_tcp_ecn { CAPY_TCP_ECN_OFF, CAPY_TCP_ECN_ACCEPT, CAPY_TCP_ECN_OFFER };

struct capy_tcp_cfg {
    uint32_t snd_buf_max, rcv_buf_max; /* bytes per connection; default 512 KiB, 256 KiB */
    uint32_t rcv_buf_start;          /* the first window, which grows as it is read; 0: all of it */
    uint16_t mss_max;                /* most payload we send or take per segment, before options */
    uint16_t mss_default;            /* the same of a peer that says nothing, and of any link: 536,
                                        over IPv6 1220 (RFC 9293 MUST-15) */
    uint64_t rto_min_ns, rto_max_ns; /* DEVIATION(RFC 6298 §2.4): minimum 200 ms as kernels do */
    uint64_t tlp_min_ns;             /* a tail loss probe waits no less; default 2 ms */
    uint64_t delack_ns;              /* delayed ACK, less than 500 ms (RFC 9293 MUST-40) */
    uint64_t time_wait_ns;           /* 2 MSL */
    uint64_t user_timeout_ns;        /* give up unacknowledged data or persist (R2, RFC 9293) */
    uint64_t keep_idle_ns, keep_interval_ns; /* of keep-alive, when it is asked for */
    uint8_t keep_cnt;
    uint64_t fin_wait_2_ns;              /* half-closed, application gone: the peer's time */
    uint8_t suspect_timeouts;            /* so many timeouts of full-sized segments in a row, and
                                                the next makes the size suspect (tcp/path.h); 0: it
                                                never is, as most kernels have it */
    uint8_t syn_retries;                 /* R2 of a SYN: 3 minutes at least (MUST-23) */
    uint8_t syn_ack_retries;             /* of a SYN-ACK, which anybody may call for */
    uint8_t congestion;                  /* enum capy_tcp_congestion, for connections yet to open */
    uint8_t initial_window;              /* segments (RFC 6928) */
    bool timestamps, sack, window_scale; /* offered and taken */
    bool nagle;
    uint8_t ecn; /* enum capy_tcp_ecn */
};

/* Defaults as documented in docs/architecture.md. */
void capy_tcp_cfg_default(struct capy_tcp_cfg *cfg);

/* Counters that `capy ctl stats` shows; one set per stack. */
struct capy_tcp_counters {
    uint64_t segs_in, segs_out, bytes_in, bytes_out;
    uint64_t retrans_segs, fast_retrans, rto_fired, dup_acks_in, ooo_segs_in;
    uint64_t spurious_losses; /* recoveries that were undone: nothing was lost */
    uint64_t bad_seq, bad_ack, paws_drops, challenge_acks, resets_in, resets_out;
    uint64_t no_block_drops, zero_window_probes, keepalive_probes;
    uint64_t icmp_ignored, path_suspected;
    uint64_t ecn_opened, ecn_fallbacks; /* agreed on; our SYN went again without */
    uint64_t ce_segs_in, ece_segs_in;   /* data that was marked; ACKs that said so */
    uint64_t ecn_cuts;                  /* of windows, for marks */
};

/* What every call is given. All borrowed for the call. */
struct capy_tcp_env {
    const struct capy_tcp_cfg *cfg;
    struct capy_blocks *blocks;
    struct capy_tcp_counters *count;
    uint64_t now;                         /* monotonic ns, not before any earlier now */
    const struct capy_tcp_tuning *tuning; /* of connections opened by the call; NULL: cfg's */
    uint32_t burst_max; /* payload bytes of one large segment, which the device cuts into full-sized
                           ones (TSO); 0: it does not */
};

/* Events, named in past tense; a call returns the bits that became true in it. */
enum capy_tcp_event {
    CAPY_TCP_ESTABLISHED_EV = 1, /* the handshake completed */
    CAPY_TCP_DATA_ARRIVED = 2,   /* more in-order bytes can be read */
    CAPY_TCP_FIN_ARRIVED = 4,    /* the peer will send no more */
    CAPY_TCP_ROOM_FREED = 8,     /* acknowledged bytes left the send queue */
    CAPY_TCP_WAS_RESET = 16,     /* the peer reset it; the block is CLOSED: free it */
    CAPY_TCP_TIMED_OUT = 32,     /* given up; the block is CLOSED: free it */
    CAPY_TCP_FINISHED = 64,      /* closed in order, TIME_WAIT over if any, all read: free it */
    CAPY_TCP_SYN_REUSE = 128,    /* a new SYN may replace this TIME_WAIT block (RFC 6191, RFC 1122
                                    §4.2.2.13): free it and feed the segment to the listener */
    CAPY_TCP_SEGMENT_REFUSED = 256, /* during the handshake: answer the segment by
                                       capy_tcp_reset_reply; the connection goes on */
    CAPY_TCP_PATH_SUSPECT = 512, /* retransmitted several times in vain (R1, RFC 9293 §3.8.3): the
                                    way there may be another one by now */
    CAPY_TCP_ACK_DUE = 1024, /* output should be asked before the next segment comes in: what the
                                    ACK says then is news to the peer (RFC 5681 §4.2) */
};

/* Passive open: fills *tcb from a SYN that a listener accepts; state SYN_RECEIVED, SYN-ACK owed.
 * iss: from RFC 6528's keyed function. ts_offset: added to the timestamp clock (RFC 7323 §7.1). */
void capy_tcp_open_passive(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                           const struct capy_tcp_segment *syn, struct capy_seq iss,
                           uint32_t ts_offset);

/* Right after capy_tcp_open_passive: its SYN-ACK left long ago, and nobody kept the block since (SYN
 * cookies). Nothing is owed; round trips are measured from now on. */
void capy_tcp_syn_ack_left(struct capy_tcp *tcb, const struct capy_tcp_env *env);

/* Active open: state SYN_SENT, SYN owed. */
void capy_tcp_open_active(struct capy_tcp *tcb, const struct capy_tcp_env *env, struct capy_seq iss,
                          uint32_t ts_offset);

/* SEGMENT ARRIVES (RFC 9293 §3.10.7). Returns event bits. A block that is CLOSED, or whose RST is
 * owed, drops the segment.
 * ecn: the IP header's two ECN bits. */
uint32_t capy_tcp_input(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                        const struct capy_tcp_segment *seg, uint8_t ecn);

/* The next segment to send, if any is owed and allowed now; with burst_max, as many full-sized ones
 * of new data as would leave one after the other now, as one. seg->data is NULL: the payload is
 * seg->data_len bytes of tcb->snd.queue at stream offset *data_offset, to be copied by the caller
 * before the next call. seg->ecn belongs into the IP header. Call until false. */
bool capy_tcp_output(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                     struct capy_tcp_segment *seg, uint64_t *data_offset);

/* True when capy_tcp_output would say true: the same predicate. */
bool capy_tcp_wants_output(const struct capy_tcp *tcb, const struct capy_tcp_env *env);

/* True only when capy_tcp_output would say false, and told by a few fields: for who has just been given a
 * segment, after which there is nearly always no other. False says nothing. */
bool capy_tcp_is_silent(const struct capy_tcp *tcb);

/* When the next quantum may leave (tcp/pacing.h). May lie before this host's clock began: compare by
 * difference. */
static inline uint64_t capy_tcp_pacing_release(const struct capy_tcp *tcb)
{
    return tcb->sent_at + (uint64_t)(int64_t)tcb->pace_ns;
}

/* When capy_tcp_expire must be called next; CAPY_NEVER when no timer runs. */
static inline uint64_t capy_tcp_next_at(const struct capy_tcp *tcb)
{
    uint64_t at = capy_min64(tcb->timer_at, capy_min64(tcb->delack_at, tcb->give_up_at));
    return tcb->paced_out ? capy_min64(at, capy_tcp_pacing_release(tcb)) : at;
}
/* Runs the timers that are due at env->now. Returns event bits. */
uint32_t capy_tcp_expire(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* The way to the peer was cut, and is no longer: a retransmission or window probe whose wait has doubled
 * meanwhile is due now (RFC 6069's reasoning). Ask capy_tcp_next_at anew. */
void capy_tcp_path_is_back(struct capy_tcp *tcb, const struct capy_tcp_env *env);

/* In-order bytes not yet consumed. */
uint32_t capy_tcp_readable(const struct capy_tcp *tcb);
/* True once the peer's FIN is behind the readable bytes (none or some): no more will come. */
bool capy_tcp_at_fin(const struct capy_tcp *tcb);
/* Lends contiguous readable bytes that begin skip bytes past the first unread one: address, *got
 * bytes (0 and NULL when there are none). Valid until consumed. */
const uint8_t *capy_tcp_read_span(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                                  uint32_t skip, uint32_t *got);
/* Consumes n readable bytes (asserted n <= readable); may owe a window update. */
void capy_tcp_consume(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t n);

/* Queues up to len bytes for sending; how many were taken (0 when the queue or the pool is full),
 * or CAPY_E_STATE when our side is closed. */
int64_t capy_tcp_write(struct capy_tcp *tcb, const struct capy_tcp_env *env, const uint8_t *data,
                       uint32_t len);
/* The same, and more is about to be written: what does not fill a segment waits for it, as with
 * CAPY_OPTION_CORK. When not all was taken nothing waits. */
int64_t capy_tcp_write_more(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                            const uint8_t *data, uint32_t len);
/* Bytes that capy_tcp_write would take now. */
uint32_t capy_tcp_room(const struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* Bytes queued and not yet acknowledged. */
uint32_t capy_tcp_unacked(const struct capy_tcp *tcb);

/* CLOSE: sends FIN behind what is queued; reading goes on (half-close). */
void capy_tcp_shutdown(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* The application is gone: arriving data is answered with RST (RFC 9293 MAY-1, SHLD-3)
 * once anything was lost; otherwise an orderly close. */
void capy_tcp_close(struct capy_tcp *tcb, const struct capy_tcp_env *env);
/* Another congestion control, at any time in a connection's life; the window stays what it is.
 * capy_tcp_set (tcp/tuning.h) is the way in. */
void capy_tcp_set_congestion(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                             enum capy_tcp_congestion algorithm);
/* ABORT: true when *rst must be sent (a synchronized state); the block becomes CLOSED. */
bool capy_tcp_abort(struct capy_tcp *tcb, const struct capy_tcp_env *env,
                    struct capy_tcp_segment *rst);
/* Gives the queues' blocks back. The block is CLOSED after it. */
void capy_tcp_free(struct capy_tcp *tcb, const struct capy_tcp_env *env);

/* The RST that answers a segment for no connection (RFC 9293 §3.10.7.1). False for a RST. */
bool capy_tcp_reset_reply(const struct capy_tcp_segment *in, struct capy_tcp_segment *out);

const char *capy_tcp_state_name(enum capy_tcp_state s); /* "ESTABLISHED" */

/* Figures for people and tools, none of them needed to run. */
struct capy_tcp_info {
    enum capy_tcp_state state;
    uint64_t srtt_ns, rto_ns;
    uint32_t cwnd, ssthresh, snd_wnd, rcv_wnd; /* bytes */
    uint32_t snd_queued, rcv_queued, ooo_queued, in_flight;
    uint64_t retrans_segs;
};
void capy_tcp_info(const struct capy_tcp *tcb, struct capy_tcp_info *out);

#endif
