/* See repair.h. The order of the calls is what the kernel wants: sequence numbers before connect(),
 * which makes no segment in repair mode; options and queues after it; the window last. */
#include "kernel/repair.h"
#include "base/bits.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define OPTIONS_MAX 4u
#define OPT_MAXSEG 2u /* kinds of TCP options (RFC 9293 §3.2, RFC 7323, RFC 2018) */
#define OPT_WINDOW 3u
#define OPT_SACK_PERMITTED 4u
#define OPT_TIMESTAMP 8u
#define MAXSEG_MAX 32767u /* of the socket option */
#define USEC_CLOCK 1u     /* lowest bit of TCP_TIMESTAMP: the clock counts microseconds */

socklen_t capy_sockaddr_make(const struct capy_ip *ip, uint16_t port, union capy_sockaddr *out)
{
    memset(out, 0, sizeof *out);
    if (capy_ip_is_v4(ip)) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        memcpy(&out->v4.sin_addr, ip->b + 12, 4);
        return sizeof out->v4;
    }
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(port);
    memcpy(&out->v6.sin6_addr, ip->b, sizeof ip->b);
    return sizeof out->v6;
}

void capy_sockaddr_take(const union capy_sockaddr *from, struct capy_ip *ip, uint16_t *port)
{
    if (from->any.sa_family == AF_INET) {
        *ip = capy_ip_from_v4(ntohl(from->v4.sin_addr.s_addr));
        *port = ntohs(from->v4.sin_port);
    } else {
        memcpy(ip->b, &from->v6.sin6_addr, sizeof ip->b);
        *port = ntohs(from->v6.sin6_port);
    }
}

static bool put(int fd, int name, int value)
{
    return setsockopt(fd, IPPROTO_TCP, name, &value, sizeof value) == 0;
}

static bool get(int fd, int name, void *value, socklen_t len)
{
    return getsockopt(fd, IPPROTO_TCP, name, value, &len) == 0;
}

bool capy_repair_allowed(const char **why)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && put(fd, TCP_REPAIR, TCP_REPAIR_ON);
    *why = errno == EPERM ? "TCP_REPAIR needs CAP_NET_ADMIN: run it as root"
                          : "this kernel has no TCP_REPAIR (CONFIG_CHECKPOINT_RESTORE)";
    if (fd >= 0)
        close(fd);
    return ok;
}

int capy_repair_begin(int fd)
{
    return put(fd, TCP_REPAIR, TCP_REPAIR_ON) ? CAPY_OK : CAPY_E_SYS;
}

int capy_repair_end(int fd)
{
    return put(fd, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP) ? CAPY_OK : CAPY_E_SYS;
}

void capy_repair_drop(int fd)
{
    (void)put(fd, TCP_REPAIR, TCP_REPAIR_ON); /* close() makes no segment in repair mode */
    close(fd);
}

/* ---- telling ---- */

static void note_info(const struct tcp_info *info, uint32_t mss, struct capy_tcp_foreign *f)
{
    enum { NS_PER_US = 1000 };
    f->wscale = info->tcpi_options & TCPI_OPT_WSCALE;
    f->sack = info->tcpi_options & TCPI_OPT_SACK;
    f->timestamps = info->tcpi_options & TCPI_OPT_TIMESTAMPS;
    f->ecn = info->tcpi_options & TCPI_OPT_ECN;
    f->snd_wscale = info->tcpi_snd_wscale;
    f->rcv_wscale = info->tcpi_rcv_wscale;
    f->mss = (uint16_t)mss;
    f->cwnd = (uint32_t)capy_min64((uint64_t)info->tcpi_snd_cwnd * info->tcpi_snd_mss, INT32_MAX);
    f->srtt_ns = (uint64_t)info->tcpi_rtt * NS_PER_US;
    f->rttvar_ns = (uint64_t)info->tcpi_rttvar * NS_PER_US;
}

static int tell_sending(int fd, struct capy_tcp_foreign *f, uint8_t *snd, uint32_t room)
{
    int queued = 0, unsent = 0;
    /* Before the queue is chosen: while it is, the kernel's timers mark as sent what they do not send. */
    if (ioctl(fd, SIOCOUTQ, &queued) < 0 || (queued > 0 && ioctl(fd, SIOCOUTQNSD, &unsent) < 0) ||
        !put(fd, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE) ||
        !get(fd, TCP_QUEUE_SEQ, &f->snd_end.v, sizeof f->snd_end.v))
        return CAPY_E_SYS;
    f->snd_queued = (uint32_t)queued;
    f->snd_unsent = (uint32_t)unsent;
    if (queued == 0)
        return CAPY_OK;
    if ((uint32_t)queued > room)
        return CAPY_E_NOMEM;
    ssize_t n = recv(fd, snd, (size_t)queued, MSG_PEEK | MSG_DONTWAIT);
    return n == queued ? CAPY_OK : n < 0 ? CAPY_E_SYS : CAPY_E_STATE;
}

int capy_repair_tell(int fd, struct capy_tcp_foreign *f, uint8_t *snd, uint32_t room)
{
    struct tcp_info info;
    struct tcp_repair_window window;
    int mss = 0, unread = 0;
    if (!get(fd, TCP_INFO, &info, sizeof info) || !get(fd, TCP_MAXSEG, &mss, sizeof mss) ||
        !get(fd, TCP_TIMESTAMP, &f->ts_now, sizeof f->ts_now))
        return CAPY_E_SYS;
    if (info.tcpi_state != 1 /* TCP_ESTABLISHED */ || f->ts_now & USEC_CLOCK)
        return CAPY_E_STATE;
    f->ts_now |= USEC_CLOCK; /* cut off: not below what was sent */
    note_info(&info, (uint32_t)mss, f);
    int rc = tell_sending(fd, f, snd, room);
    if (rc != CAPY_OK)
        return rc;
    if (!get(fd, TCP_REPAIR_WINDOW, &window, sizeof window) ||
        !put(fd, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE) ||
        !get(fd, TCP_QUEUE_SEQ, &f->rcv_nxt.v, sizeof f->rcv_nxt.v) ||
        ioctl(fd, SIOCINQ, &unread) < 0)
        return CAPY_E_SYS;
    f->snd_wl1.v = window.snd_wl1;
    f->snd_wnd = window.snd_wnd;
    f->snd_wnd_max = window.max_window;
    f->rcv_wnd = window.rcv_wnd;
    f->rcv_wup.v = window.rcv_wup;
    return unread == 0 ? CAPY_OK : CAPY_E_STATE;
}

/* ---- making ---- */

static bool put_seq(int fd, int queue, uint32_t seq)
{
    return put(fd, TCP_REPAIR_QUEUE, queue) && put(fd, TCP_QUEUE_SEQ, (int)seq);
}

static bool put_options(int fd, const struct capy_tcp_foreign *f)
{
    struct tcp_repair_opt opt[OPTIONS_MAX];
    socklen_t cnt = 0;
    opt[cnt++] = (struct tcp_repair_opt){OPT_MAXSEG, f->mss};
    if (f->wscale)
        opt[cnt++] =
            (struct tcp_repair_opt){OPT_WINDOW, f->snd_wscale | (uint32_t)f->rcv_wscale << 16};
    if (f->sack)
        opt[cnt++] = (struct tcp_repair_opt){OPT_SACK_PERMITTED, 0};
    if (f->timestamps)
        opt[cnt++] = (struct tcp_repair_opt){OPT_TIMESTAMP, 0};
    return setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, opt, cnt * (socklen_t)sizeof opt[0]) ==
               0 &&
           (!f->timestamps || put(fd, TCP_TIMESTAMP, (int)((f->ts_now + 1u) & ~USEC_CLOCK)));
}

static bool send_all(int fd, const uint8_t *data, uint32_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        data += n;
        len -= (uint32_t)n;
    }
    return true;
}

static bool put_state(int fd, const struct capy_tcp_foreign *f, const struct capy_tuple *name,
                      const uint8_t *snd)
{
    union capy_sockaddr local, remote;
    socklen_t local_len = capy_sockaddr_make(&name->local, name->local_port, &local);
    socklen_t remote_len = capy_sockaddr_make(&name->remote, name->remote_port, &remote);
    uint32_t sent = f->snd_queued - f->snd_unsent;
    const struct tcp_repair_window window = {.snd_wl1 = f->snd_wl1.v,
                                             .snd_wnd = f->snd_wnd,
                                             .max_window = f->snd_wnd_max,
                                             .rcv_wnd = f->rcv_wnd,
                                             .rcv_wup = f->rcv_wup.v};
    /* TCP_MAXSEG counts when it connects; the option below would leave segments as small as of a peer
     * that said nothing. */
    return put(fd, TCP_MAXSEG, (int)capy_min32(f->mss, MAXSEG_MAX)) &&
           put(fd, TCP_REPAIR, TCP_REPAIR_ON) && bind(fd, &local.any, local_len) == 0 &&
           put_seq(fd, TCP_RECV_QUEUE, f->rcv_nxt.v) &&
           put_seq(fd, TCP_SEND_QUEUE, f->snd_end.v - f->snd_queued) &&
           connect(fd, &remote.any, remote_len) == 0 && put_options(fd, f) &&
           (sent == 0 || send_all(fd, snd, sent)) &&
           setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, sizeof window) == 0;
}

int capy_repair_make(const struct capy_tcp_foreign *f, const struct capy_tuple *name,
                     const uint8_t *snd, capy_repair_set_fn *set, void *ctx)
{
    int family = capy_ip_is_v4(&name->remote) ? AF_INET : AF_INET6;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return CAPY_E_SYS;
    if ((!set || set(fd, ctx)) && put_state(fd, f, name, snd))
        return fd;
    int error = errno;
    capy_repair_drop(fd);
    errno = error;
    return CAPY_E_SYS;
}

int capy_repair_rest(int fd, const struct capy_tcp_foreign *f, const uint8_t *snd)
{
    return send_all(fd, snd + (f->snd_queued - f->snd_unsent), f->snd_unsent) ? CAPY_OK
                                                                              : CAPY_E_SYS;
}
