/* struct virtio_net_hdr, which the kernel puts before a frame and expects there, to and from
 * struct capy_offload (virtio 1.2 §5.1.6; linux/virtio_net.h). */
#ifndef CAPY_DRV_VNET_H
#define CAPY_DRV_VNET_H

#include "wire/offload.h"

#include <linux/virtio_net.h>

#define CAPY_VNET_LEN ((uint32_t)sizeof(struct virtio_net_hdr))

/* What the kernel says of a frame it hands over. False: of a kind that we did not ask for. */
bool capy_vnet_load(const struct virtio_net_hdr *h, struct capy_offload *out);
/* What it must do with a frame of ours. Asserted: a frame that asks for anything is a TCP frame. */
void capy_vnet_store(struct virtio_net_hdr *h, const uint8_t *frame, size_t len,
                     const struct capy_offload *todo);

#endif
