/* The load on the kernel's own sockets: epoll. */
#ifndef CAPY_APPS_LOAD_KERNEL_H
#define CAPY_APPS_LOAD_KERNEL_H

#include "apps/load/transport.h"

/* For connections 0 .. cnt - 1; a stop comes when the descriptor `signals` is readable. NULL with one
 * line in err. */
struct load_transport *load_kernel_open(uint32_t cnt, int signals, char *err, size_t err_len);

#endif
