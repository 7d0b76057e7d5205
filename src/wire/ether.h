/* Ethernet II framing (802.1Q tags are passed by the switch, not by hosts). */
#ifndef CAPY_WIRE_ETHER_H
#define CAPY_WIRE_ETHER_H

#include "wire/addr.h"

#define CAPY_ETHER_LEN 14u
#define CAPY_FRAME_MAX 1514u /* without FCS, for the default MTU of 1500 */
#define CAPY_FRAME_MIN 60u   /* without FCS; shorter frames are padded by whoever needs it */

enum { CAPY_ETHERTYPE_IPV4 = 0x0800, CAPY_ETHERTYPE_ARP = 0x0806, CAPY_ETHERTYPE_IPV6 = 0x86dd };

/* Writes 14 bytes. */
void capy_ether_build(uint8_t *out, const struct capy_mac *dst, const struct capy_mac *src,
                      uint16_t type);

#endif
