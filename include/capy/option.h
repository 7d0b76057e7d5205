/* Settings of one connection: what setsockopt calls SO_* and TCP_* elsewhere, each one number.
 *
 * A connection may be set at any time; some settings count only in the handshake and are CAPY_E_STATE
 * after the SYN was sent. A listener may be set too: connections that it opens from then on begin with
 * its settings. All settings move with the connection.
 *
 * Who sets: capy_set_option (libcapy), capy_stack_set (the stack). Both return
 *   CAPY_OK        it holds from now on
 *   CAPY_E_INVAL   no such option, or a value out of the range below; nothing has changed
 *   CAPY_E_STATE   too late, as said below; or the connection is frozen on its way elsewhere
 *   CAPY_E_BADQD   no such connection or listener
 * Flags are 0 or 1, times are ns and are rounded up to the grain named. */
#ifndef CAPY_OPTION_H
#define CAPY_OPTION_H

enum capy_option {
    /* ---- at any time ---- */
    CAPY_OPTION_NAGLE, /* flag, 0: less than a segment waits until all is acknowledged (RFC 9293
                          §3.7.4); !TCP_NODELAY */
    CAPY_OPTION_CORK,  /* flag, 0: less than a segment waits for more, for a retransmission timeout
                          at most (200 ms or longer), or until 0 again, or the close; TCP_CORK */
    CAPY_OPTION_KEEPALIVE,    /* flag, 0: idle peers are asked (RFC 9293 §3.8.4); SO_KEEPALIVE */
    CAPY_OPTION_KEEP_IDLE_NS, /* 1 s to 32767 s, 7200 s; grain 1 s: silence before it is asked */
    CAPY_OPTION_KEEP_INTERVAL_NS, /* 1 s to 32767 s, 75 s; grain 1 s: between unanswered probes */
    CAPY_OPTION_KEEP_COUNT,       /* 1 to 127, 9: unanswered probes, then TIMED_OUT */
    CAPY_OPTION_USER_TIMEOUT_NS,  /* 1 ms to 49 days; grain 1 ms: so long may sent data stay
                                     unacknowledged (RFC 9293 §3.8.3, RFC 5482) and the peer's window
                                     closed (RFC 6429), then TIMED_OUT; with KEEPALIVE it replaces
                                     KEEP_COUNT. 0: as configured (300 s), and a closed window may
                                     last while its probes are answered. TCP_USER_TIMEOUT */
    CAPY_OPTION_SEND_BUFFER,      /* bytes, 2048 to the configured size (the default): queued */
    CAPY_OPTION_RECEIVE_BUFFER,   /* bytes, 2048 to the configured size (the default, to which the
                                     window grows): unread; fixes it. What was promised stays
                                     promised, and the window scale is that of the handshake */
    CAPY_OPTION_MAX_SEGMENT,     /* bytes, 88 to 65495, what the MTU leaves: of one segment, options
                                     included (RFC 6691). Sets what the handshake offers; afterwards
                                     only what is sent, and never above what was agreed
                                     (CAPY_E_INVAL). Reads as payload per segment now. TCP_MAXSEG */
    CAPY_OPTION_CONGESTION,      /* number of an algorithm (tcp/tcp.h); 0: CUBIC. TCP_CONGESTION */
    CAPY_OPTION_DELAYED_ACK_NS,  /* 0 to 500 ms, 40 ms; grain 1 ms (RFC 9293 MUST-40); 0: none */
    CAPY_OPTION_MAX_PACING_RATE, /* bytes/s, to 2^32 - 1, 0: what the window allows leaves at once.
                                    Else it is spread over the round trip, in quanta of 1 ms (two
                                    segments at least), and leaves no faster than this: the largest
                                    value for the window's own pace (tcp/pacing.h). A segment in
                                    half a second is the slowest. SO_MAX_PACING_RATE */
    /* ---- until the SYN, or SYN-ACK, was sent; then CAPY_E_STATE ---- */
    CAPY_OPTION_TIMESTAMPS,     /* flag, 1: offered and taken (RFC 7323). Reads as agreed */
    CAPY_OPTION_SACK,           /* flag, 1: likewise (RFC 2018) */
    CAPY_OPTION_WINDOW_SCALE,   /* flag, 1: likewise (RFC 7323) */
    CAPY_OPTION_INITIAL_WINDOW, /* segments, 1 to 64, 10 (RFC 6928) */
    CAPY_OPTION_ECN, /* 1: 0 no explicit congestion notification (RFC 3168), 1 when the peer offers
                        it, 2 offered too. DCTCP offers it at 1. Reads 1 or 0 once agreed or not */
    CAPY_OPTION_CNT
};

#endif
