/* A member of the rack whose connections are sockets of the Linux kernel: what stack/foreign.h asks
 * for, by epoll and TCP_REPAIR. The files of this folder:
 *
 *   kernel.c   start, end, and the turn: what the kernel has to tell
 *   listen.c   listening sockets, and the connections that they give
 *   stream.c   a connection's bytes, its end
 *   move.c     stopped, told, begun anew
 *   repair.c   TCP_REPAIR itself, as a value in and out
 *   gate.c     what of a device's frames the kernel's TCP gets (gate.bpf.c), packet.c the others
 *
 * docs/architecture.md, "Members on kernel sockets". One thread; memory is taken at start. */
#ifndef CAPY_KERNEL_KERNEL_H
#define CAPY_KERNEL_KERNEL_H

#include "capy/rack.h"
#include "drv/drv.h"
#include "stack/foreign.h"

struct capy_kernel;

/* Makes the stack's connections the kernel's. packet: what capy_packet_open returned; it stays the
 * caller's and outlives this. NULL with one line in err that names the remedy. */
struct capy_kernel *capy_kernel_open(struct capy_stack *stack, struct capy_drv *packet,
                                     const struct capy_rack *rack, int self, char *err,
                                     size_t err_len);
/* Hears what the kernel has to tell. True when there was anything. */
bool capy_kernel_poll(struct capy_kernel *k, uint64_t now);
/* When capy_kernel_poll must be called though no descriptor is ready; CAPY_NEVER for never. */
uint64_t capy_kernel_next_at(const struct capy_kernel *k);
/* Connections that are still open are closed by the kernel, as it does. */
void capy_kernel_close(struct capy_kernel *k);

#endif
