/* The inside of struct capy_kernel, shared by the files of this folder. */
#ifndef CAPY_KERNEL_SOCKETS_H
#define CAPY_KERNEL_SOCKETS_H

#include "base/bits.h"
#include "kernel/gate.h"
#include "kernel/kernel.h"
#include "wire/addr6.h"

#define CAPY_KERNEL_LISTENERS 64u /* 16 ports, with a port of birth, in two versions of IP */
#define CAPY_KERNEL_INBOX 65536u

/* Of a connection, by the stack's index. */
struct capy_kernel_socket {
    int fd; /* -1: none */
    uint16_t generation;
    bool stopped : 1; /* marked for the gate, in repair mode */
    bool closing : 1; /* the application is gone, and our FIN is on its way */
    bool more : 1;    /* left unread in the kernel: nobody wanted it */
    bool again : 1;   /* in capy_kernel.again */
    uint32_t since_s; /* closing since, in seconds */
};

struct capy_kernel_listener {
    int fd; /* -1: free */
    uint16_t port;
    uint16_t service; /* as the application knows it: port, but for a port of birth */
    bool paused, listens;
};

struct capy_kernel {
    struct capy_stack *stack;
    struct capy_drv *packet;
    struct capy_gate *gate;
    int epoll_fd;
    bool vip_open; /* connections of the service address may begin */
    uint64_t now, swept_at;
    struct capy_kernel_socket *sockets;
    uint32_t conn_max, closing_cnt;
    uint32_t *again; /* connections to be looked at in the next turn */
    uint32_t again_cnt;
    bool starved; /* some socket may have `more` for want of blocks */
    struct capy_kernel_listener listener[CAPY_KERNEL_LISTENERS];
    const struct capy_rack *rack;
    struct capy_ip ip[2]; /* ours; the second may be all zero */
    uint32_t snd_buf, rcv_buf, room_len;
    uint8_t *room;  /* the send queue of a connection that leaves or arrives */
    uint8_t *inbox; /* CAPY_KERNEL_INBOX */
};

/* ---- kernel.c ---- */
enum capy_kernel_kind { CAPY_KERNEL_CONN, CAPY_KERNEL_LISTENER, CAPY_KERNEL_PACKET };
/* Has a descriptor watched, for what there is to read, or for everything that changes. */
bool capy_kernel_watch(struct capy_kernel *k, int fd, enum capy_kernel_kind kind, uint32_t idx);

/* ---- listen.c ---- */
int capy_kernel_listen(void *ctx, uint16_t port);
void capy_kernel_open_vip(void *ctx);
void capy_kernel_pause(void *ctx, uint16_t port, bool paused);
void capy_kernel_unlisten(void *ctx, uint16_t port);
void capy_kernel_accept(struct capy_kernel *k, uint32_t listener);
/* Sizes of buffers, so that a connection fits in what a target takes; no Nagle. */
void capy_kernel_tune(const struct capy_kernel *k, int fd);

/* ---- stream.c ---- */
int64_t capy_kernel_write(void *ctx, uint32_t conn, const uint8_t *data, uint32_t len, bool more);
void capy_kernel_consumed(void *ctx, uint32_t conn);
void capy_kernel_set(void *ctx, uint32_t conn, enum capy_option option, uint64_t value);
void capy_kernel_shut(void *ctx, uint32_t conn);
void capy_kernel_reset(void *ctx, uint32_t conn);
void capy_kernel_gone(void *ctx, uint32_t conn);
/* epoll says so of a connection. */
void capy_kernel_hear(struct capy_kernel *k, uint32_t conn, uint32_t events);
/* Reads what is wanted and there; ended: until the end of the stream. */
void capy_kernel_read(struct capy_kernel *k, uint32_t conn, bool ended);
/* The same, and tells nobody of an end: that is found out later. */
void capy_kernel_drain(struct capy_kernel *k, uint32_t conn);
/* Reads it in the next turn, if anything was left. */
void capy_kernel_look_again(struct capy_kernel *k, uint32_t conn);
void capy_kernel_look(struct capy_kernel *k);
/* What has waited too long, or for blocks. */
void capy_kernel_sweep(struct capy_kernel *k);

/* ---- move.c ---- */
void capy_kernel_stop(void *ctx, uint32_t conn);
void capy_kernel_go_on(void *ctx, uint32_t conn);
bool capy_kernel_tell(void *ctx, uint32_t conn, struct capy_tcp_foreign *f, const uint8_t **snd);
bool capy_kernel_begin(void *ctx, uint32_t conn, const struct capy_tuple *name,
                       const struct capy_tcp_foreign *f, const uint8_t *snd);
void capy_kernel_inject(void *ctx, const uint8_t *frame, size_t len);

#endif
