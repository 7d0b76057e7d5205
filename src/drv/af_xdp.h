/* Shared between the two files of the AF_XDP driver: the data path (af_xdp.c) and opening and
 * closing (af_xdp_open.c). Private to src/drv. */
#ifndef CAPY_DRV_AF_XDP_H
#define CAPY_DRV_AF_XDP_H

#include "base/pool.h"
#include "drv/drv.h"
#include "drv/redirect.h"

#include <xdp/xsk.h>

#define AF_XDP_FRAME_ROOM 2048u /* 256 of it the kernel keeps free before received data */
#define AF_XDP_TX_CNT 4096u
#define AF_XDP_RX_CNT 4096u /* as many as fit one scheduler stall of 8 ms at 500,000 frames/s */

struct af_xdp {
    struct capy_drv drv; /* first: the driver is the socket */
    int fd;              /* the socket's, owned by xsk */
    bool tx_unsent; /* the TX ring holds frames the kernel was not told of, or had no room for */
    struct xsk_ring_prod fill, tx;
    struct xsk_ring_cons comp, rx;
    uint8_t *umem_area;
    struct capy_pool tx_pool;
    uint64_t kernel_drops; /* of them already in drv.rx_drops */

    struct xsk_umem *umem;
    struct xsk_socket *xsk;
    struct capy_redirect redirect;
    int promisc_fd;
};

extern const struct capy_drv_ops capy_af_xdp_ops;
void capy_af_xdp_close(struct capy_drv *d);

#endif
