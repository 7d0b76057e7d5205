/* Moves: a socket is stopped and told as a value, or made from one. Its mark tells the gate that its
 * frames are to be set aside, and is there before repair mode is, and gone after: so nothing reaches the
 * kernel's TCP while the connection is neither here nor there. */
#include "kernel/packet.h"
#include "kernel/repair.h"
#include "kernel/sockets.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static bool mark(int fd, uint32_t value)
{
    return setsockopt(fd, SOL_SOCKET, SO_MARK, &value, sizeof value) == 0;
}

static bool is_listened_on(const struct capy_kernel *k, uint16_t port)
{
    for (uint32_t i = 0; i < CAPY_KERNEL_LISTENERS; i++)
        if (k->listener[i].fd >= 0 && k->listener[i].port == port)
            return true;
    return false;
}

/* What repair mode took away: a server that starts anew may listen while this connection is there. */
static void share_port(int fd)
{
    int one = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
}

void capy_kernel_stop(void *ctx, uint32_t conn)
{
    struct capy_kernel *k = ctx;
    struct capy_kernel_socket *s = &k->sockets[conn];
    if (s->fd < 0)
        return;
    (void)mark(s->fd, CAPY_GATE_STOPPED);
    if (!s->closing)
        capy_kernel_drain(k, conn);
    s->stopped = true;
    (void)!capy_repair_begin(s->fd);
}

void capy_kernel_go_on(void *ctx, uint32_t conn)
{
    struct capy_kernel *k = ctx;
    struct capy_kernel_socket *s = &k->sockets[conn];
    int one = 1;
    if (s->fd < 0)
        return;
    (void)!capy_repair_end(s->fd);
    share_port(s->fd);
    (void)mark(s->fd, 0);
    (void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* pushes what waits */
    s->stopped = false;
    s->more = true; /* what epoll told meanwhile was not listened to */
    capy_kernel_look_again(k, conn);
}

bool capy_kernel_tell(void *ctx, uint32_t conn, struct capy_tcp_foreign *f, const uint8_t **snd)
{
    struct capy_kernel *k = ctx;
    *snd = k->room;
    return capy_repair_tell(k->sockets[conn].fd, f, k->room, k->room_len) == CAPY_OK;
}

/* ---- arriving ---- */

struct arrival {
    const struct capy_kernel *k;
    uint32_t queued;
};

static bool before_it_has_a_peer(int fd, void *ctx)
{
    const struct arrival *a = ctx;
    capy_kernel_tune(a->k, fd);
    /* More than a write would queue: a peer of another making has filled it. */
    int bytes = (int)a->queued;
    if (a->queued > a->k->snd_buf / 2)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
    return mark(fd, CAPY_GATE_STOPPED);
}

bool capy_kernel_begin(void *ctx, uint32_t conn, const struct capy_tuple *name,
                       const struct capy_tcp_foreign *f, const uint8_t *snd)
{
    struct capy_kernel *k = ctx;
    struct capy_kernel_socket *s = &k->sockets[conn];
    struct arrival a = {k, f->snd_queued};
    int fd = capy_repair_make(f, name, snd, before_it_has_a_peer, &a);
    if (fd < 0)
        return false;
    s->fd = fd;
    s->generation++;
    bool ok = capy_repair_end(fd) == CAPY_OK && mark(fd, 0) &&
              (f->snd_unsent == 0 || capy_repair_rest(fd, f, snd) == CAPY_OK) &&
              capy_kernel_watch(k, fd, CAPY_KERNEL_CONN, conn);
    if (is_listened_on(k, name->local_port))
        share_port(fd);
    if (a.queued > k->snd_buf / 2) /* what is there stays; writes are bounded as ever */
        capy_kernel_tune(k, fd);
    if (!ok)
        capy_kernel_gone(k, conn);
    return ok;
}

void capy_kernel_inject(void *ctx, const uint8_t *frame, size_t len)
{
    struct capy_kernel *k = ctx;
    (void)capy_packet_inject(k->packet, frame, len);
}
