/* Start, end and the turn; see kernel.h. */
#include "kernel/kernel.h"
#include "kernel/packet.h"
#include "kernel/repair.h"
#include "kernel/sockets.h"
#include "wire/tcpmig.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 64
#define ROUNDS_MAX 4u          /* of events per turn: frames must not starve */
#define ROOM_MORE (128u << 10) /* a write that just fits may end so far behind snd_buf */
#define SWEEP_NS CAPY_MS(500)
#define STARVED_NS CAPY_MS(20)
#define KIND_SHIFT 56u
#define GENERATION_SHIFT 32u

static const struct capy_foreign_ops ops = {
    .listen = capy_kernel_listen,
    .open_vip = capy_kernel_open_vip,
    .pause = capy_kernel_pause,
    .unlisten = capy_kernel_unlisten,
    .write = capy_kernel_write,
    .consumed = capy_kernel_consumed,
    .set = capy_kernel_set,
    .close = capy_kernel_shut,
    .reset = capy_kernel_reset,
    .gone = capy_kernel_gone,
    .stop = capy_kernel_stop,
    .go_on = capy_kernel_go_on,
    .tell = capy_kernel_tell,
    .begin = capy_kernel_begin,
    .inject = capy_kernel_inject,
};

/* ---- the turn ---- */

bool capy_kernel_watch(struct capy_kernel *k, int fd, enum capy_kernel_kind kind, uint32_t idx)
{
    uint64_t generation = kind == CAPY_KERNEL_CONN ? k->sockets[idx].generation : 0;
    bool conn = kind == CAPY_KERNEL_CONN;
    struct epoll_event ev = {
        .events = conn ? EPOLLIN | EPOLLOUT | EPOLLRDHUP | (uint32_t)EPOLLET : EPOLLIN,
        .data.u64 = (uint64_t)kind << KIND_SHIFT | generation << GENERATION_SHIFT | idx};
    return epoll_ctl(k->epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0;
}

static void hear(struct capy_kernel *k, const struct epoll_event *ev)
{
    uint32_t idx = (uint32_t)ev->data.u64;
    switch ((enum capy_kernel_kind)(ev->data.u64 >> KIND_SHIFT)) {
    case CAPY_KERNEL_CONN:
        /* One that an earlier event of this batch ended is nobody's any more. */
        if (k->sockets[idx].fd >= 0 &&
            k->sockets[idx].generation == (uint16_t)(ev->data.u64 >> GENERATION_SHIFT))
            capy_kernel_hear(k, idx, ev->events);
        break;
    case CAPY_KERNEL_LISTENER:
        capy_kernel_accept(k, idx);
        break;
    case CAPY_KERNEL_PACKET:
        capy_packet_ready(k->packet);
        break;
    }
}

static uint64_t sweep_at(const struct capy_kernel *k)
{
    if (k->starved)
        return k->swept_at + STARVED_NS;
    return k->closing_cnt > 0 ? k->swept_at + SWEEP_NS : CAPY_NEVER;
}

bool capy_kernel_poll(struct capy_kernel *k, uint64_t now)
{
    struct epoll_event events[EVENTS];
    int cnt = 0, all = 0;
    k->now = now;
    capy_foreign_now(k->stack, now);
    capy_kernel_look(k);
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        cnt = epoll_wait(k->epoll_fd, events, EVENTS, 0);
        for (int i = 0; i < cnt; i++)
            hear(k, &events[i]);
        all += cnt > 0 ? cnt : 0;
        if (cnt < EVENTS)
            break;
    }
    if (sweep_at(k) <= now)
        capy_kernel_sweep(k);
    return all > 0;
}

uint64_t capy_kernel_next_at(const struct capy_kernel *k)
{
    return k->again_cnt > 0 ? 0 : sweep_at(k);
}

/* ---- start ---- */

/* Strict reverse-path filtering drops what is injected by the loopback device. */
static bool filters_paths(void)
{
    const char *files[] = {"/proc/sys/net/ipv4/conf/all/rp_filter",
                           "/proc/sys/net/ipv4/conf/lo/rp_filter"};
    char most = '0';
    for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++) {
        char value = '0';
        int fd = open(files[i], O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && read(fd, &value, 1) == 1 && value > most)
            most = value;
        if (fd >= 0)
            close(fd);
    }
    return most == '1';
}

/* The kernel must have our addresses: it is who speaks from them. */
static bool has_address(const struct capy_ip *ip)
{
    union capy_sockaddr at;
    socklen_t len = capy_sockaddr_make(ip, 0, &at);
    int fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && bind(fd, &at.any, len) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool check_host(const struct capy_kernel *k, const struct capy_rack_server *me, char *err,
                       size_t err_len)
{
    const char *why;
    if (!capy_repair_allowed(&why)) {
        snprintf(err, err_len, "--stack linux: %s", why);
        return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        char text[CAPY_IP_TEXT_MAX];
        unsigned prefix_len = i == 0 ? k->rack->prefix_len : k->rack->prefix6_len;
        if (capy_ip_is_unset(&k->ip[i]) || has_address(&k->ip[i]))
            continue;
        capy_ip_format(&k->ip[i], text);
        snprintf(err, err_len,
                 "--stack linux: the kernel does not have the address %s; run: ip addr add %s/%u "
                 "dev %s",
                 text, text, prefix_len, me->device);
        return false;
    }
    if (filters_paths()) {
        snprintf(err, err_len,
                 "--stack linux: strict rp_filter drops what arrives during a move; "
                 "run: sysctl -w net.ipv4.conf.all.rp_filter=2 "
                 "net.ipv4.conf.lo.rp_filter=0");
        return false;
    }
    return true;
}

static bool take_memory(struct capy_kernel *k)
{
    k->sockets = calloc(k->conn_max, sizeof *k->sockets);
    k->room = malloc(k->room_len);
    k->inbox = malloc(CAPY_KERNEL_INBOX);
    k->again = calloc(k->conn_max, sizeof *k->again);
    for (uint32_t i = 0; k->sockets && i < k->conn_max; i++)
        k->sockets[i].fd = -1;
    for (uint32_t i = 0; i < CAPY_KERNEL_LISTENERS; i++)
        k->listener[i].fd = -1;
    return k->sockets && k->room && k->inbox && k->again;
}

static bool open_gate(struct capy_kernel *k, const struct capy_rack_server *me, char *err,
                      size_t err_len)
{
    const struct capy_gate_rules rules = {
        .tcpmig_port = k->rack->tcpmig_port,
        .first = capy_mig_vip_port(k->rack->mig_port_first, 0),
        .last = (uint16_t)(k->rack->mig_port_first + k->rack->mig_port_cnt - 1u),
    };
    k->gate = capy_gate_open(if_nametoindex(me->device), &rules, err, err_len);
    return k->gate != NULL;
}

static bool open_epoll(struct capy_kernel *k, char *err, size_t err_len)
{
    int fds[2];
    unsigned cnt = capy_packet_fds(k->packet, fds);
    k->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    bool ok = k->epoll_fd >= 0;
    for (unsigned i = 0; ok && i < cnt; i++)
        ok = capy_kernel_watch(k, fds[i], CAPY_KERNEL_PACKET, i);
    if (ok)
        capy_packet_wake_by(k->packet, k->epoll_fd);
    else
        snprintf(err, err_len, "--stack linux: epoll: %s", strerror(errno));
    return ok;
}

struct capy_kernel *capy_kernel_open(struct capy_stack *stack, struct capy_drv *packet,
                                     const struct capy_rack *rack, int self, char *err,
                                     size_t err_len)
{
    const struct capy_rack_server *me = &rack->server[self];
    struct capy_kernel *k = calloc(1, sizeof *k);
    if (!k) {
        snprintf(err, err_len, "out of memory");
        return NULL;
    }
    *k = (struct capy_kernel){.stack = stack,
                              .packet = packet,
                              .epoll_fd = -1,
                              .rack = rack,
                              .conn_max = rack->conn_max,
                              .snd_buf = rack->snd_buf,
                              .rcv_buf = rack->rcv_buf,
                              .room_len = rack->snd_buf + ROOM_MORE};
    memcpy(k->ip[0].b, me->ip, sizeof me->ip);
    memcpy(k->ip[1].b, me->ip6, sizeof me->ip6);
    if (!take_memory(k)) {
        snprintf(err, err_len, "not enough memory; lower conn_max in the rack file");
        capy_kernel_close(k);
        return NULL;
    }
    if (!check_host(k, me, err, err_len) || !open_epoll(k, err, err_len) ||
        !open_gate(k, me, err, err_len)) {
        capy_kernel_close(k);
        return NULL;
    }
    capy_stack_set_foreign(stack, &ops, k, k->room, k->room_len);
    return k;
}

void capy_kernel_close(struct capy_kernel *k)
{
    if (!k)
        return;
    for (uint32_t i = 0; i < CAPY_KERNEL_LISTENERS; i++)
        if (k->listener[i].fd >= 0)
            close(k->listener[i].fd);
    for (uint32_t i = 0; k->sockets && i < k->conn_max; i++)
        if (k->sockets[i].fd >= 0)
            close(k->sockets[i].fd);
    if (k->epoll_fd >= 0)
        close(k->epoll_fd);
    capy_gate_close(k->gate);
    free(k->sockets);
    free(k->room);
    free(k->inbox);
    free(k->again);
    free(k);
}
