/* The control block of one TCP connection (RFC 9293 §3.3.1): a plain value without pointers. What
 * moves with the connection is apart from what stays on this host; tcp/snapshot encodes the former.
 *
 * Positions. Every sequence number inside the block is a 64-bit *position*: its distance from the
 * initial sequence number, which never wraps. SYN is position 0, the first byte of data position 1,
 * FIN the position behind the last byte. Streams are addressed by positions too. The 32-bit numbers
 * of the wire become positions, and positions become wire numbers, only in tcp/position.h; so there
 * is one place that knows about the wrap.
 *
 * The owner embeds it by value; only src/tcp writes to it. Readers use tcp/tcp.h. */
#ifndef CAPY_TCP_TCB_H
#define CAPY_TCP_TCB_H

#include "base/stream.h"
#include "wire/seq.h"

/* RFC 9293 §3.3.2. LISTEN is missing on purpose: listeners belong to the stack. */
enum capy_tcp_state {
    CAPY_TCP_CLOSED,
    CAPY_TCP_SYN_SENT,
    CAPY_TCP_SYN_RECEIVED,
    CAPY_TCP_ESTABLISHED,
    CAPY_TCP_FIN_WAIT_1,
    CAPY_TCP_FIN_WAIT_2,
    CAPY_TCP_CLOSE_WAIT,
    CAPY_TCP_CLOSING,
    CAPY_TCP_LAST_ACK,
    CAPY_TCP_TIME_WAIT,
    CAPY_TCP_STATE_CNT
};

/* What the one slow timer waits for: these exclude each other. */
enum capy_tcp_timer {
    CAPY_TCP_TIMER_NONE,
    CAPY_TCP_TIMER_RTO,        /* RFC 6298 */
    CAPY_TCP_TIMER_TLP,        /* tail loss probe, RFC 8985 §7 */
    CAPY_TCP_TIMER_REORDER,    /* what looks lost may be late: RACK waits, RFC 8985 §6.2 step 5 */
    CAPY_TCP_TIMER_PERSIST,    /* zero window probe, RFC 9293 §3.8.6.1 */
    CAPY_TCP_TIMER_KEEPALIVE,  /* silence, when keep-alive is asked for, RFC 9293 §3.8.4 */
    CAPY_TCP_TIMER_FIN_WAIT_2, /* the application is gone and the peer never closes */
    CAPY_TCP_TIMER_END,        /* the block ends: 2 MSL are over, or its RST was sent */
    CAPY_TCP_TIMER_CNT
};

/* How the sender stands toward loss. */
enum capy_tcp_phase {
    CAPY_TCP_OPEN,     /* nothing known to be lost */
    CAPY_TCP_RECOVERY, /* fast recovery until snd.una reaches snd.recover (RFC 6675, RFC 6582) */
    CAPY_TCP_LOSS,     /* after an RTO, until snd.una reaches snd.recover (RFC 6675 §5.1) */
    CAPY_TCP_FRTO,     /* after an RTO that may have been spurious: new data goes instead of lost
                          data until the next ACK tells (RFC 5682 step 3) */
};

/* One segment that goes out regardless of windows. */
enum capy_tcp_probe {
    CAPY_TCP_PROBE_NONE,
    CAPY_TCP_PROBE_WINDOW,    /* a byte into a closed window */
    CAPY_TCP_PROBE_TAIL,      /* new data or the last segment again (RFC 8985 §7.3) */
    CAPY_TCP_PROBE_RETRANS,   /* the first lost segment: on entering recovery and at an RTO */
    CAPY_TCP_PROBE_KEEPALIVE, /* an ACK below what the peer expects, to be answered */
    CAPY_TCP_PROBE_RESET,     /* RST; the block ends with it */
};

/* The sending half (RFC 9293 §3.3.1 "send sequence variables"). */
struct capy_tcp_snd {
    struct capy_stream queue; /* bytes [una, end), sent or not */
    uint64_t una, nxt;        /* oldest unacknowledged; highest sent + 1 */
    uint64_t end;             /* behind the last byte queued: FIN's position once closing */
    /* Loss where there are no send records (tcp/sent.h): [rtx_nxt, lost_end) is lost and waits for
     * its retransmission, what is below was retransmitted. */
    uint64_t rtx_nxt, lost_end;
    uint64_t recover; /* leave RECOVERY or LOSS when una gets here */
    uint64_t tlp_end; /* nxt after a tail loss probe was sent; 0: none in flight */
    struct capy_seq iss;
    uint32_t wnd, wnd_max;    /* bytes, scaled; the largest ever offered (SWS avoidance) */
    struct capy_seq wl1, wl2; /* seq and ack of the last window update */
    uint32_t sacked;          /* bytes of [una, nxt) the peer holds out of order */
    uint16_t mss;             /* payload per segment with our usual options */
    uint8_t wscale;           /* shift of windows the peer sends */
    uint8_t dup_acks;         /* in a row (RFC 5681) */
    uint32_t min_rtt_ns;      /* smallest honest sample since the last RTO; 0: none */
};

/* A position that is never further than 2^31 from another one: its lower half (tcp/position.h). */
struct capy_tcp_near {
    uint32_t low;
};

/* The receiving half. In-order bytes are [queue.start, nxt); more may lie beyond nxt, see marks. */
struct capy_tcp_rcv {
    struct capy_stream queue;
    uint64_t nxt;
    struct capy_tcp_near adv; /* right edge of the window as the peer knows it: never moves left */
    struct capy_tcp_near acked; /* what our last ACK said (RFC 7323 Last.ACK.sent) */
    struct capy_tcp_near fin;   /* the peer's FIN, once it was seen */
    struct capy_seq irs;
    uint32_t ts_recent;
    uint32_t ts_recent_s; /* when that was taken, in seconds of the clock */
    uint32_t round_us;    /* when the round trip being measured began (tcp/rightsize.h) */
    uint16_t round_kib;   /* and how much had been read by then */
    uint16_t buf_kib;     /* the window's size while it grows; 0: tune.rcv_buf */
    uint32_t ooo;         /* bytes held beyond nxt */
    uint16_t mss;         /* what "full-sized" means for delayed ACKs */
    uint8_t wscale;       /* shift of windows we send */
    bool fin_seen;
};

/* RFC 6298 in nanoseconds. */
struct capy_tcp_rtt {
    uint64_t srtt_ns, rttvar_ns; /* srtt_ns 0: no sample yet */
    uint64_t timed_pos;          /* the sample runs until una passes this; 0: none runs */
    uint64_t timed_at;
};

/* What an algorithm keeps for itself (tcp/congestion.h says which of these lives). Windows in bytes.
 *
 * Before the first reduction: HyStart++ (RFC 9406 §4.2). Times in ns, UINT32_MAX: none. */
struct capy_tcp_hystart {
    uint32_t round_end;   /* low half of the position that ends this round (windowEnd) */
    uint32_t last_min_ns; /* lastRoundMinRTT */
    uint32_t min_ns;      /* currentRoundMinRTT */
    uint32_t base_ns;     /* cssBaselineMinRtt; none: standard slow start */
    uint8_t samples;      /* rttSampleCount, as far as it matters */
    uint8_t css_rounds;   /* of conservative slow start that are over */
};

/* RFC 9438 §4.1.2. */
struct capy_tcp_cubic {
    uint32_t acked; /* counted toward the next byte of w_est */
    uint32_t w_max, w_est;
    uint32_t k_ms : 22;
    uint32_t prior : 2;  /* what cwnd_prior was: see cubic.c */
    uint32_t paused : 1; /* the window is not in use: epoch_at is the time that counted so far */
    uint64_t epoch_at;   /* start of this congestion avoidance; CAPY_NEVER: none yet */
};

/* RFC 5681 §3.1, RFC 3465. */
struct capy_tcp_reno {
    uint32_t acked; /* counted toward the next segment of cwnd */
};

/* RFC 8257 §3.3. */
struct capy_tcp_dctcp {
    uint32_t acked; /* as NewReno's */
    uint32_t alpha; /* in 2^-20 */
    uint32_t bytes_acked, bytes_marked;
    uint64_t window_end;
};

struct capy_tcp_cc {
    uint32_t cwnd, ssthresh; /* bytes */
    union {
        struct capy_tcp_hystart hystart;
        struct capy_tcp_reno reno;
        struct capy_tcp_cubic cubic;
        struct capy_tcp_dctcp dctcp;
    };
};

/* What the application may set (tcp/tuning.h, capy/option.h). */
struct capy_tcp_tuning {
    uint32_t user_timeout_ms; /* 0: as configured */
    uint32_t pacing;          /* most bytes per second; 0: not paced (tcp/pacing.h) */
    uint32_t snd_buf, rcv_buf;
    uint16_t keep_idle_s, keep_interval_s;
    uint16_t mss_max; /* of a segment, options included; once open what both ends agreed on */
    uint16_t delack_ms;
    uint8_t keep_cnt;
    uint8_t initial_window; /* segments */
    uint8_t congestion;     /* to begin with */
    bool nagle : 1;
    bool cork : 1;
    bool keepalive : 1;
    bool timestamps : 1, sack : 1, window_scale : 1; /* to be offered and taken */
    uint8_t ecn : 2;                                 /* enum capy_tcp_ecn */
};

struct capy_tcp {
    /* ---- what moves ------------------------------------------------------------------------- */
    struct capy_tcp_snd snd;
    struct capy_tcp_rcv rcv;
    struct capy_tcp_rtt rtt;
    struct capy_tcp_cc cc;
    struct capy_tcp_tuning tune;
    int32_t pace_ns;     /* from sent_at to when more may leave (tcp/pacing.h) */
    uint64_t timer_at;   /* of `timer`; CAPY_NEVER when that is NONE */
    uint64_t delack_at;  /* CAPY_NEVER: no ACK is being delayed */
    uint64_t give_up_at; /* user timeout; CAPY_NEVER: nothing waits for the peer */
    uint64_t sent_at;    /* when data last went out: restart after idle (RFC 5681 §4.1) */
    uint32_t
        challenge_ms;   /* no challenge ACK before this (RFC 5961 §7); milliseconds of the clock */
    uint32_t try_at_ms; /* likewise */
    uint32_t ts_offset; /* added to the timestamp clock */
    struct capy_tcp_near
        ce_from;           /* received data before this was marked otherwise; see ce_changed */
    uint32_t validated_ms; /* when cwnd was last known to be used (tcp/validation.h) */
    uint8_t state, timer, phase, probe; /* of the enums above */
    uint8_t backoff;     /* doublings of the RTO; retries of SYN and of window probes */
    uint8_t congestion;  /* enum capy_tcp_congestion */
    uint8_t reo_mult;    /* RACK.reo_wnd_mult - 1: quarters of the RTT to wait, less one */
    uint8_t reo_persist; /* recoveries until that is forgotten */
    uint8_t keep_sent;   /* keep-alive probes since the peer was last heard */
    /* Three bytes of flags, in the order of the snapshot's (snapshot_head.c), so that they go there a byte
     * at a time where the compiler lays them out as the machine does. */
    bool sack_ok : 1;    /* negotiated (RFC 2018) */
    bool ts_ok : 1;      /* negotiated (RFC 7323) */
    bool wscale_ok : 1;  /* negotiated (RFC 7323) */
    bool more : 1;       /* the application said that more is about to be written */
    bool fin_queued : 1; /* our side closes behind snd.end */
    bool app_gone : 1;   /* nobody will read what arrives */
    bool ack_now : 1;    /* an ACK is owed */
    bool paced_out : 1;  /* this quantum has left: the next waits (tcp/pacing.h) */
    bool reordering : 1; /* RACK.reordering_seen */
    bool tlp_again : 1;  /* the tail loss probe was a retransmission (TLP.is_retrans) */
    bool shrunk : 1;     /* snd.mss is below what both ends agreed on; more is tried at try_at_ms */
    bool unreachable : 1; /* ICMP said so, and nothing was acknowledged since */
    bool syn_again : 1;   /* our SYN timed out: the first RTO is a longer one (RFC 6298 §5.7) */
    bool cwnd_used : 1;   /* half of cwnd was in flight when new data last went out */
    uint8_t tries : 2;    /* of larger segments, since a size was suspected (tcp/path.h) */
    bool ecn_rcv : 1;     /* we echo marks (RFC 3168); in SYN_SENT: an ECN-setup SYN was sent */
    bool ecn_snd : 1;     /* we send markable data and obey echoes; no plain SYN was sent */
    bool ce : 1;          /* ECE is owed until CWR comes; DCTCP.CE (RFC 8257 §3.2) */
    bool ce_changed : 1;  /* DCTCP: acknowledged is not yet all that came before the last change */
    bool cwr : 1;         /* the window was reduced: the next new data says so */
    bool echo : 1;        /* the ACK being worked on carries ECE; means nothing between two */

    /* ---- what stays ------------------------------------------------------------------------- */
    uint32_t
        marks; /* block of the pool that holds tcp/ranges.h's lists, CAPY_NONE when all are empty */
    uint32_t retrans_segs;
};

_Static_assert(sizeof(struct capy_tcp) <= 352, "an idle connection must stay small");

#endif
