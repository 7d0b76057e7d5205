/* A TCP socket of the kernel as a value, by TCP_REPAIR (man 7 tcp does not have it; CRIU introduced it,
 * linux/tcp.h names it): what it tells of a connection is struct capy_tcp_foreign and the bytes of the
 * send queue. Only system calls: nothing of the stack, no state of its own. Needs CAP_NET_ADMIN. */
#ifndef CAPY_KERNEL_REPAIR_H
#define CAPY_KERNEL_REPAIR_H

#include "tcp/foreign.h"
#include "wire/addr.h"

#include <netinet/in.h>

union capy_sockaddr {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* In the form of its version; its length. */
socklen_t capy_sockaddr_make(const struct capy_ip *ip, uint16_t port, union capy_sockaddr *out);
/* Its address and port. */
void capy_sockaddr_take(const union capy_sockaddr *from, struct capy_ip *ip, uint16_t *port);

/* True when the kernel lets us; else *why is one line with the remedy. */
bool capy_repair_allowed(const char **why);

/* Into repair mode: from now on the socket sends nothing of itself. CAPY_OK, or CAPY_E_SYS (errno). */
CAPY_MUST_USE int capy_repair_begin(int fd);
/* Out of it, without a word on the wire. */
CAPY_MUST_USE int capy_repair_end(int fd);
/* What the connection of a socket in repair mode is. Its receive queue must be empty. snd: room for
 * the bytes that are not acknowledged. CAPY_OK; CAPY_E_STATE: not established both ways, or something
 * was received meanwhile; CAPY_E_NOMEM: more than room; CAPY_E_SYS (errno). */
CAPY_MUST_USE int capy_repair_tell(int fd, struct capy_tcp_foreign *f, uint8_t *snd, uint32_t room);
/* A socket with that connection, still in repair mode but for the bytes that were never sent: these
 * follow by capy_repair_rest. set: what else the socket is to be before it has a peer; NULL: nothing.
 * The descriptor, or CAPY_E_SYS (errno: EADDRNOTAVAIL when this name is in use). */
typedef bool capy_repair_set_fn(int fd, void *ctx);
CAPY_MUST_USE int capy_repair_make(const struct capy_tcp_foreign *f, const struct capy_tuple *name,
                                   const uint8_t *snd, capy_repair_set_fn *set, void *ctx);
/* After capy_repair_end: queues those. CAPY_OK or CAPY_E_SYS. */
CAPY_MUST_USE int capy_repair_rest(int fd, const struct capy_tcp_foreign *f, const uint8_t *snd);
/* Closes a connection without a word to anybody. */
void capy_repair_drop(int fd);

#endif
