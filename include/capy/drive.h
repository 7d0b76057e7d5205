/* libcapy_drive: the TCP stack as a black box for outside TCP test tools (packetdrill and its kin).
 * One handle is one host with sockets on one side and a wire on the other: the tool makes POSIX
 * calls, injects raw IP packets, sniffs the ones that come out and owns the time.
 *
 *   struct drive_options o;
 *   drive_options_default(&o);
 *   struct drive *d = drive_create(&o, err, sizeof err);
 *   int l = drive_socket(d, AF_INET, SOCK_STREAM, 0);
 *   ... drive_bind, drive_listen ...
 *   drive_inject(d, syn, syn_len);
 *   n = drive_sniff(d, packet, sizeof packet, &at_ns, 0);     // the SYN-ACK
 *
 * Calls. As POSIX says: a count or 0, or -1 with errno; constants and structures are the system's.
 * Descriptors are small integers of this handle, the lowest free one from 3 on. No call raises
 * SIGPIPE. EBADF: no such descriptor, also when it is closed while a call waits in it.
 *
 * The wire. Every call, injected packet and passed timer puts what the stack then sends behind the
 * other packets to be sniffed, with the time at which it was sent; nothing is lost. Link addresses
 * are none of the tool's business: ARP and neighbour discovery are answered inside.
 *
 * Time is virtual, in ns from 0 at creation, with a grain of 4.096 us: timers act at the grain at
 * or after their time. It never moves by itself. It moves
 *   - in drive_sleep, and in drive_sniff with a timeout; and
 *   - with `self_clocked` set, in a blocking call that would wait: the call goes from timer to
 *     timer until it is done, so that a tool of one thread sees it end.
 * Otherwise a blocking call waits for another thread to inject, to sleep or to close: a poll or
 * a lingering close with a timeout ends when somebody has moved the time so far. Who sleeps does not
 * wait for the calls that this wakes: a tool that wants to see when they end moves in small steps.
 *
 * Threads: any number may call at once on one handle (drive_destroy: the last, alone). */
#ifndef CAPY_DRIVE_H
#define CAPY_DRIVE_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DRIVE_PACKET_MAX 1500u /* bytes of the largest packet, either way */
#define DRIVE_SOCKET_MAX 512   /* sockets at once, connections nobody accepted yet included */
#define DRIVE_FOREVER INT64_MAX

struct drive;

struct drive_options {
    const char *local, *remote; /* addresses as text; remote: where the tool's packets come from */
    const char *gateway;        /* NULL: none; needed when remote is not on the link */
    uint8_t prefix_len;         /* of the link that local is on */
    uint16_t mtu;               /* 576..1500, with IPv6 1280..1500 */
    const char *congestion;     /* "cubic", "newreno", also called "reno", or "dctcp" */
    bool timestamps, sack, window_scale, ecn; /* offered and taken */
    bool nagle;                               /* what TCP_NODELAY starts as, inverted */
    uint16_t initial_window;                  /* segments, 1..64; 10 (RFC 6928) */
    bool delayed_ack;        /* false: every segment with data is acknowledged at once */
    uint16_t delayed_ack_ms; /* 1..499; 0: the stack's own choice, 40 */
    uint32_t receive_buffer; /* bytes per connection, 4096..2^24; SO_RCVBUF begins with it */
    uint64_t seed;           /* of initial sequence numbers, timestamps and ports */
    bool self_clocked;       /* see Time */
};

/* 192.0.2.1/24 beside 192.0.2.2, and everything on that the stack does; seed 1. */
void drive_options_default(struct drive_options *o);

/* A host, or NULL with errno and, unless err is NULL, one line about it:
 *   EINVAL        an option out of the range above, or not an address
 *   ENETUNREACH   remote is neither on the link nor behind a gateway
 *   EOPNOTSUPP    an option that the stack cannot set so; the line names it
 *   ENOMEM */
struct drive *drive_create(const struct drive_options *o, char *err, size_t err_len);
void drive_destroy(struct drive *d);

/* AF_INET, or AF_INET6 when local is such, and SOCK_STREAM, with SOCK_NONBLOCK or not. EAFNOSUPPORT, EPROTONOSUPPORT, EMFILE. */
int drive_socket(struct drive *d, int domain, int type, int protocol);
/* Port 0: one is chosen. EADDRINUSE also without SO_REUSEADDR while a connection of that port is
 * left, TIME_WAIT included. */
int drive_bind(struct drive *d, int fd, const struct sockaddr *addr, socklen_t len);
/* backlog is a hint: what bounds the queue is DRIVE_SOCKET_MAX. */
int drive_listen(struct drive *d, int fd, int backlog);
int drive_accept(struct drive *d, int fd, struct sockaddr *addr, socklen_t *len);
/* flags: SOCK_NONBLOCK or not; EINVAL for others. A socket does not inherit O_NONBLOCK. */
int drive_accept4(struct drive *d, int fd, struct sockaddr *addr, socklen_t *len, int flags);
/* ECONNREFUSED: reset, or a router says that nobody listens. EHOSTUNREACH: given up, and a router had
 * said that there is no way. ETIMEDOUT: given up. A connection that is open ends with the last two.
 * ENETUNREACH: neither on the link nor behind a gateway, or not one host's address. */
int drive_connect(struct drive *d, int fd, const struct sockaddr *addr, socklen_t len);
int drive_getsockname(struct drive *d, int fd, struct sockaddr *addr, socklen_t *len);
int drive_getpeername(struct drive *d, int fd, struct sockaddr *addr, socklen_t *len);

/* Flags: MSG_PEEK, MSG_DONTWAIT, MSG_WAITALL (all of len, unless the stream ends or it may not wait);
 * others EOPNOTSUPP. A reset discards what was not read (RFC 9293 §3.10.7.4): ECONNRESET once, then
 * 0. EFAULT: buf is NULL and len is not 0; so for all calls that are given memory. */
ssize_t drive_recv(struct drive *d, int fd, void *buf, size_t len, int flags);
ssize_t drive_read(struct drive *d, int fd, void *buf, size_t len);
/* Flags: MSG_MORE, MSG_DONTWAIT, MSG_NOSIGNAL; others EOPNOTSUPP. MSG_MORE, like TCP_CORK, holds
 * back what does not fill a segment until more comes without it, or the socket is uncorked or shut
 * down. */
ssize_t drive_send(struct drive *d, int fd, const void *buf, size_t len, int flags);
ssize_t drive_write(struct drive *d, int fd, const void *buf, size_t len);
int drive_shutdown(struct drive *d, int fd, int how);
/* Orderly, RST when something is unread (RFC 2525 §2.17). SO_LINGER: with time 0 a RST; else waits
 * until the peer has acknowledged everything, or the time is over. */
int drive_close(struct drive *d, int fd);

/* F_GETFL and F_SETFL, of which O_NONBLOCK counts. EINVAL for others. */
int drive_fcntl(struct drive *d, int fd, int cmd, int arg);
/* FIONREAD (SIOCINQ): bytes to read now. TIOCOUTQ (SIOCOUTQ): bytes written and not acknowledged. Both
 * EINVAL for a listener. FIONBIO: O_NONBLOCK by *arg. ENOTTY for others. */
int drive_ioctl(struct drive *d, int fd, unsigned long request, int *arg);
/* timeout in ms of virtual time, -1 for ever. */
int drive_poll(struct drive *d, struct pollfd *fds, nfds_t cnt, int timeout_ms);

/* SOL_SOCKET: SO_RCVBUF, SO_SNDBUF (bytes, as they are; out of range is taken for the nearest),
 * SO_KEEPALIVE, SO_LINGER, SO_REUSEADDR, SO_MAX_PACING_RATE (32 bits, bytes/s; ~0: not paced, else at
 * the window's pace and no faster than this); get only SO_ERROR, SO_TYPE, SO_DOMAIN,
 * SO_PROTOCOL, SO_ACCEPTCONN.
 * IPPROTO_TCP: TCP_NODELAY, TCP_CORK, TCP_MAXSEG (on a connection: lowers what is sent),
 * TCP_USER_TIMEOUT (ms), TCP_KEEPIDLE, TCP_KEEPINTVL (s), TCP_KEEPCNT, TCP_CONGESTION (ENOENT: there
 * is none of that name); get only TCP_INFO (of it: state, options, rto, rtt, rttvar, snd_mss,
 * rcv_mss, cwnd and ssthresh in segments, unacked, total_retrans).
 * EINVAL: a value out of range, or too short. ENOPROTOOPT, before all else: any other option. An
 * accepted socket inherits all from its listener. */
int drive_setsockopt(struct drive *d, int fd, int level, int name, const void *v, socklen_t len);
int drive_getsockopt(struct drive *d, int fd, int level, int name, void *v, socklen_t *len);

/* A packet from the wire, IP header first; borrowed. What is wrong with it is the stack's business.
 * EMSGSIZE: longer than DRIVE_PACKET_MAX, or empty. */
int drive_inject(struct drive *d, const void *packet, size_t len);
/* The next packet that was sent: its length, with the time in *at_ns unless NULL. None: the time
 * moves on by up to timeout_ns until there is one (0: it does not move); then 0. EMSGSIZE: it does
 * not fit in len bytes, and stays. */
ssize_t drive_sniff(struct drive *d, void *packet, size_t len, uint64_t *at_ns, int64_t timeout_ns);

/* Lets time pass; timers act in it, each at its time. */
void drive_sleep(struct drive *d, uint64_t ns);
uint64_t drive_now(struct drive *d);

/* Encodes every connection, throws the stack away, decodes into a fresh one and goes on: sockets,
 * descriptors, packets to be sniffed and time are as before, and so is whatever happens from now
 * on. ENOMEM: nothing has changed. */
int drive_migrate(struct drive *d);

#ifdef __cplusplus
}
#endif

#endif
