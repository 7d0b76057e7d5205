/* See repair.h. */
#include "repair.h"
#include "base/assert.h"
#include "wire.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { QUEUE_MAX = 65536, OPTIONS_MAX = 4, MESSAGE = 64 };

/* What TCP_REPAIR can carry. RTT, congestion state and out-of-order data are not among it. */
struct state {
    struct sockaddr_in local, peer;
    struct tcp_info info;
    struct tcp_repair_window window;
    uint32_t snd_seq, rcv_seq; /* behind what is queued */
    int mss, timestamp, snd_len, rcv_len;
    uint8_t snd[QUEUE_MAX], rcv[QUEUE_MAX];
};

static void must(int rc)
{
    CAPY_ASSERT(rc >= 0);
}

static void put(int fd, int name, int value)
{
    must(setsockopt(fd, IPPROTO_TCP, name, &value, sizeof value));
}

static void get(int fd, int name, void *value, socklen_t len)
{
    must(getsockopt(fd, IPPROTO_TCP, name, value, &len));
}

static void read_queue(int fd, int which, unsigned long length_of, uint32_t *seq, uint8_t *bytes,
                       int *len)
{
    put(fd, TCP_REPAIR_QUEUE, which);
    get(fd, TCP_QUEUE_SEQ, seq, sizeof *seq);
    must(ioctl(fd, length_of, len));
    CAPY_ASSERT(*len <= QUEUE_MAX);
    if (*len > 0)
        CAPY_ASSERT(recv(fd, bytes, (size_t)*len, MSG_PEEK | MSG_DONTWAIT) == *len);
}

static void export(int fd, struct state *s)
{
    socklen_t len = sizeof s->local;
    put(fd, TCP_REPAIR, TCP_REPAIR_ON);
    must(getsockname(fd, (struct sockaddr *)&s->local, &len));
    must(getpeername(fd, (struct sockaddr *)&s->peer, &len));
    get(fd, TCP_INFO, &s->info, sizeof s->info);
    get(fd, TCP_MAXSEG, &s->mss, sizeof s->mss);
    get(fd, TCP_TIMESTAMP, &s->timestamp, sizeof s->timestamp);
    read_queue(fd, TCP_RECV_QUEUE, SIOCINQ, &s->rcv_seq, s->rcv, &s->rcv_len);
    read_queue(fd, TCP_SEND_QUEUE, SIOCOUTQ, &s->snd_seq, s->snd, &s->snd_len);
    get(fd, TCP_REPAIR_WINDOW, &s->window, sizeof s->window);
}

static void write_options(int fd, const struct state *s)
{
    struct tcp_repair_opt opt[OPTIONS_MAX];
    socklen_t cnt = 0;
    opt[cnt++] = (struct tcp_repair_opt){TCPOPT_MAXSEG, (uint32_t)s->mss};
    if (s->info.tcpi_options & TCPI_OPT_WSCALE)
        opt[cnt++] = (struct tcp_repair_opt){
            TCPOPT_WINDOW, s->info.tcpi_snd_wscale | (uint32_t)s->info.tcpi_rcv_wscale << 16};
    if (s->info.tcpi_options & TCPI_OPT_SACK)
        opt[cnt++] = (struct tcp_repair_opt){TCPOPT_SACK_PERMITTED, 0};
    if (s->info.tcpi_options & TCPI_OPT_TIMESTAMPS)
        opt[cnt++] = (struct tcp_repair_opt){TCPOPT_TIMESTAMP, 0};
    must(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, opt, cnt * (socklen_t)sizeof opt[0]));
}

static void write_queue(int fd, int which, const uint8_t *bytes, int len)
{
    if (len == 0)
        return;
    put(fd, TCP_REPAIR_QUEUE, which);
    CAPY_ASSERT(send(fd, bytes, (size_t)len, 0) == len);
}

static int import(const struct state *s)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd);
    put(fd, TCP_REPAIR, TCP_REPAIR_ON);
    must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
    must(bind(fd, (const struct sockaddr *)&s->local, sizeof s->local));
    put(fd, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE);
    put(fd, TCP_QUEUE_SEQ, (int)(s->rcv_seq - (uint32_t)s->rcv_len));
    put(fd, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE);
    put(fd, TCP_QUEUE_SEQ, (int)(s->snd_seq - (uint32_t)s->snd_len));
    must(connect(fd, (const struct sockaddr *)&s->peer, sizeof s->peer));
    write_options(fd, s);
    put(fd, TCP_TIMESTAMP, s->timestamp);
    write_queue(fd, TCP_RECV_QUEUE, s->rcv, s->rcv_len);
    write_queue(fd, TCP_SEND_QUEUE, s->snd, s->snd_len);
    must(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &s->window, sizeof s->window));
    put(fd, TCP_REPAIR, TCP_REPAIR_OFF);
    return fd;
}

bool repair_open(struct repair *r, const char **why)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    r->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(listener);
    must(bind(listener, (struct sockaddr *)&at, len));
    must(listen(listener, 1));
    must(getsockname(listener, (struct sockaddr *)&at, &len));
    must(connect(r->client, (struct sockaddr *)&at, len));
    r->server = accept(listener, NULL, NULL);
    must(r->server);
    close(listener);
    int on = TCP_REPAIR_ON;
    if (setsockopt(r->server, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) < 0) {
        *why = errno == EPERM ? "TCP_REPAIR needs root (CAP_NET_ADMIN)"
                              : "this kernel was built without TCP_REPAIR";
        repair_close(r);
        return false;
    }
    put(r->server, TCP_REPAIR, TCP_REPAIR_OFF);
    return true;
}

void repair_close(struct repair *r)
{
    close(r->client);
    close(r->server);
}

static void say(int from, int to)
{
    uint8_t bytes[MESSAGE] = {0};
    CAPY_ASSERT(send(from, bytes, sizeof bytes, 0) == sizeof bytes);
    CAPY_ASSERT(recv(to, bytes, sizeof bytes, MSG_WAITALL) == sizeof bytes);
}

void repair_once(struct repair *r, uint64_t ticks[REPAIR_STEP_CNT])
{
    static struct state s;
    uint64_t t0 = wire_ticks();
    export(r->server, &s);
    uint64_t t1 = wire_ticks();
    must(close(r->server));
    uint64_t t2 = wire_ticks();
    r->server = import(&s);
    ticks[REPAIR_IMPORT] = wire_ticks() - t2;
    ticks[REPAIR_CLOSE] = t2 - t1;
    ticks[REPAIR_EXPORT] = t1 - t0;
    say(r->client, r->server);
    say(r->server, r->client);
}
