/* Writing Ethernet II headers. The caller owns the frame. */
#include "wire/ether.h"

void capy_ether_build(uint8_t *out, const struct capy_mac *dst, const struct capy_mac *src,
                      uint16_t type)
{
    memcpy(out, dst->b, sizeof dst->b);
    memcpy(out + 6, src->b, sizeof src->b);
    capy_store16(out + 12, type);
}
