/* The load on libcapy's own TCP, from a device that is its alone meanwhile. */
#ifndef CAPY_APPS_LOAD_OWN_H
#define CAPY_APPS_LOAD_OWN_H

#include "apps/load/transport.h"
#include "capy/capy.h"

/* opt: device and address of a host in no rack. For connections 0 .. cnt - 1; a stop comes when the
 * descriptor `signals` is readable. NULL with one line in err. */
struct load_transport *load_own_open(const struct capy_options *opt, uint32_t cnt, int signals,
                                     char *err, size_t err_len);

#endif
