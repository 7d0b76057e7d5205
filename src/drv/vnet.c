/* Headers between the kernel and us (drv/vnet.h); of the host's byte order, as TUNSETVNETLE is off. */
#include "drv/vnet.h"

#include "base/assert.h"

#define TCP_CHECK_AT 16u

bool capy_vnet_load(const struct virtio_net_hdr *h, struct capy_offload *out)
{
    *out = (struct capy_offload){.checked = h->flags & VIRTIO_NET_HDR_F_DATA_VALID,
                                 .partial = h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM};
    switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_NONE:
        return true;
    case VIRTIO_NET_HDR_GSO_TCPV4:
    case VIRTIO_NET_HDR_GSO_TCPV6:
        out->segment = h->gso_size;
        return h->gso_size > 0;
    }
    return false;
}

void capy_vnet_store(struct virtio_net_hdr *h, const uint8_t *frame, size_t len,
                     const struct capy_offload *todo)
{
    struct capy_cutter at;
    *h = (struct virtio_net_hdr){.gso_type = VIRTIO_NET_HDR_GSO_NONE};
    if (!todo->partial && todo->segment == 0)
        return;
    bool tcp = capy_cutter_begin(&at, frame, len, todo);
    CAPY_ASSERT(tcp && todo->partial); /* who cuts a segment writes every piece's checksum */
    h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    h->csum_start = (uint16_t)at.tcp_at;
    h->csum_offset = TCP_CHECK_AT;
    if (todo->segment == 0)
        return;
    bool v4 = capy_load16(frame + 12) == CAPY_ETHERTYPE_IPV4;
    h->gso_type = v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
    h->gso_size = todo->segment;
    h->hdr_len = (uint16_t)at.data_at;
}
