/* Socket options, file status flags and requests: those that are honoured; no other is accepted. */
#include "drive/drive.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#define NAME_MAX_LEN 15u /* of a congestion control */

/* ---- fcntl ---- */

DRIVE_EXPORT int drive_fcntl(struct drive *d, int fd, int cmd, int arg)
{
    struct drive_ref r;
    int rc = -1;
    pthread_mutex_lock(&d->lock);
    if (drive_ref_get(d, fd, &r)) {
        if (cmd == F_GETFL) {
            rc = O_RDWR | (r.sock->nonblock ? O_NONBLOCK : 0);
        } else if (cmd == F_SETFL) {
            r.sock->nonblock = arg & O_NONBLOCK;
            rc = 0;
        } else {
            rc = drive_fail(EINVAL);
        }
    }
    pthread_mutex_unlock(&d->lock);
    return rc;
}

/* ---- ioctl ---- */

static int request(struct drive *d, struct drive_sock *s, unsigned long what, int *arg)
{
    struct capy_stack_conn_info info;
    bool end;
    if (what != FIONREAD && what != TIOCOUTQ && what != FIONBIO)
        return drive_fail(ENOTTY);
    if (!arg)
        return drive_fail(EFAULT);
    if (what != FIONBIO && s->state == SOCK_LISTENING)
        return drive_fail(EINVAL);
    if (what == FIONBIO)
        s->nonblock = *arg != 0;
    else if (what == FIONREAD)
        *arg = (int)drive_readable(d, s, &end);
    else if (capy_stack_conn_info(d->stack, s->conn, &info) == CAPY_OK)
        *arg = (int)info.tcp.snd_queued;
    else
        *arg = 0;
    return 0;
}

DRIVE_EXPORT int drive_ioctl(struct drive *d, int fd, unsigned long what, int *arg)
{
    struct drive_ref r;
    pthread_mutex_lock(&d->lock);
    int rc = drive_ref_get(d, fd, &r) ? request(d, r.sock, what, arg) : -1;
    pthread_mutex_unlock(&d->lock);
    return rc;
}

/* ---- set ---- */

static int set_linger(struct drive_sock *s, const void *v, socklen_t len)
{
    if (len < sizeof s->linger)
        return drive_fail(EINVAL);
    memcpy(&s->linger, v, sizeof s->linger);
    if (s->linger.l_linger < 0)
        s->linger.l_linger = 0;
    return 0;
}

/* v need not end in a NUL. */
static int set_congestion(struct drive *d, struct drive_sock *s, const void *v, socklen_t len)
{
    char name[NAME_MAX_LEN + 1] = "";
    memcpy(name, v, len < NAME_MAX_LEN ? len : NAME_MAX_LEN);
    return drive_congestion_set(d, s, name);
}

static int set_option(struct drive *d, struct drive_sock *s, int level, int name, const void *v,
                      socklen_t len)
{
    int value;
    bool linger = level == SOL_SOCKET && name == SO_LINGER;
    bool reuse = level == SOL_SOCKET && name == SO_REUSEADDR;
    bool congestion = level == IPPROTO_TCP && name == TCP_CONGESTION;
    if (!linger && !reuse && !congestion && !drive_setting_known(level, name))
        return drive_fail(ENOPROTOOPT); /* whatever else is wrong with the call */
    if (!v)
        return drive_fail(EFAULT);
    if (linger)
        return set_linger(s, v, len);
    if (congestion)
        return set_congestion(d, s, v, len);
    if (len < sizeof value)
        return drive_fail(EINVAL);
    memcpy(&value, v, sizeof value);
    if (reuse) {
        s->reuse_addr = value != 0;
        return 0;
    }
    return drive_setting_set(d, s, level, name, value);
}

DRIVE_EXPORT int drive_setsockopt(struct drive *d, int fd, int level, int name, const void *v,
                                  socklen_t len)
{
    struct drive_ref r;
    pthread_mutex_lock(&d->lock);
    int rc = drive_ref_get(d, fd, &r) ? set_option(d, r.sock, level, name, v, len) : -1;
    pthread_mutex_unlock(&d->lock);
    return rc;
}

/* ---- get ---- */

/* The numbers that Linux gives to states in struct tcp_info. */
static uint8_t state_number(enum capy_tcp_state state)
{
    static const uint8_t numbers[CAPY_TCP_STATE_CNT] = {
        [CAPY_TCP_CLOSED] = TCP_CLOSE,          [CAPY_TCP_SYN_SENT] = TCP_SYN_SENT,
        [CAPY_TCP_SYN_RECEIVED] = TCP_SYN_RECV, [CAPY_TCP_ESTABLISHED] = TCP_ESTABLISHED,
        [CAPY_TCP_FIN_WAIT_1] = TCP_FIN_WAIT1,  [CAPY_TCP_FIN_WAIT_2] = TCP_FIN_WAIT2,
        [CAPY_TCP_CLOSE_WAIT] = TCP_CLOSE_WAIT, [CAPY_TCP_CLOSING] = TCP_CLOSING,
        [CAPY_TCP_LAST_ACK] = TCP_LAST_ACK,     [CAPY_TCP_TIME_WAIT] = TCP_TIME_WAIT,
    };
    return numbers[state];
}

static struct tcp_info tcp_info_of(struct drive *d, const struct drive_sock *s)
{
    struct tcp_info out = {.tcpi_state = s->state == SOCK_LISTENING ? TCP_LISTEN : TCP_CLOSE};
    struct capy_stack_conn_info info;
    struct capy_stack_conn_more more;
    if (capy_stack_conn_info(d->stack, s->conn, &info) != CAPY_OK ||
        capy_stack_conn_more(d->stack, s->conn, &more) != CAPY_OK)
        return out;
    const uint32_t mss = capy_max32(more.snd_mss, 1), us = 1000;
    out.tcpi_state = state_number(info.tcp.state);
    out.tcpi_options =
        (uint8_t)((more.timestamps ? TCPI_OPT_TIMESTAMPS : 0) | (more.sack ? TCPI_OPT_SACK : 0) |
                  (more.window_scale ? TCPI_OPT_WSCALE : 0));
    out.tcpi_snd_wscale = more.snd_wscale & 15u;
    out.tcpi_rcv_wscale = more.rcv_wscale & 15u;
    out.tcpi_rto = (uint32_t)(info.tcp.rto_ns / us);
    out.tcpi_rtt = (uint32_t)(info.tcp.srtt_ns / us);
    out.tcpi_rttvar = (uint32_t)(more.rttvar_ns / us);
    out.tcpi_snd_mss = more.snd_mss;
    out.tcpi_rcv_mss = more.rcv_mss;
    out.tcpi_snd_cwnd = info.tcp.cwnd / mss;
    out.tcpi_snd_ssthresh = info.tcp.ssthresh / mss;
    out.tcpi_unacked = (info.tcp.in_flight + mss - 1) / mss;
    out.tcpi_total_retrans = (uint32_t)info.tcp.retrans_segs;
    return out;
}

static int give(const void *value, size_t size, void *v, socklen_t *len)
{
    if (size < *len)
        *len = (socklen_t)size;
    memcpy(v, value, *len);
    return 0;
}

static int get_number(struct drive *d, struct drive_sock *s, int level, int name, int *value)
{
    if (drive_setting_get(d, s, level, name, value))
        return 0;
    if (level != SOL_SOCKET)
        return drive_fail(ENOPROTOOPT);
    switch (name) {
    case SO_ERROR:
        *value = drive_take_error(s);
        return 0;
    case SO_TYPE:
        *value = SOCK_STREAM;
        return 0;
    case SO_DOMAIN:
        *value = d->family;
        return 0;
    case SO_PROTOCOL:
        *value = IPPROTO_TCP;
        return 0;
    case SO_ACCEPTCONN:
        *value = s->state == SOCK_LISTENING;
        return 0;
    case SO_REUSEADDR:
        *value = s->reuse_addr;
        return 0;
    default: /* any number may come */
        return drive_fail(ENOPROTOOPT);
    }
}

static int get_option(struct drive *d, struct drive_sock *s, int level, int name, void *v,
                      socklen_t *len)
{
    int value = 0;
    if (!v || !len)
        return drive_fail(EFAULT); /* before SO_ERROR takes the error away */
    if (level == SOL_SOCKET && name == SO_LINGER)
        return give(&s->linger, sizeof s->linger, v, len);
    if (level == IPPROTO_TCP && name == TCP_INFO) {
        struct tcp_info info = tcp_info_of(d, s);
        return give(&info, sizeof info, v, len);
    }
    if (level == IPPROTO_TCP && name == TCP_CONGESTION) {
        const char *text = drive_congestion_get(d, s);
        return give(text, strlen(text) + 1, v, len);
    }
    int rc = get_number(d, s, level, name, &value);
    return rc == 0 ? give(&value, sizeof value, v, len) : rc;
}

DRIVE_EXPORT int drive_getsockopt(struct drive *d, int fd, int level, int name, void *v,
                                  socklen_t *len)
{
    struct drive_ref r;
    pthread_mutex_lock(&d->lock);
    int rc = drive_ref_get(d, fd, &r) ? get_option(d, r.sock, level, name, v, len) : -1;
    pthread_mutex_unlock(&d->lock);
    return rc;
}
