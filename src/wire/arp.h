/* ARP for IPv4 over Ethernet (RFC 826). */
#ifndef CAPY_WIRE_ARP_H
#define CAPY_WIRE_ARP_H

#include "wire/addr.h"

#define CAPY_ARP_LEN 28u

enum { CAPY_ARP_REQUEST = 1, CAPY_ARP_REPLY = 2 };

struct capy_arp {
    uint16_t op;
    struct capy_mac sender_mac, target_mac;
    struct capy_ip sender_ip, target_ip;
};

/* p: the bytes behind the Ethernet header. False when short or not Ethernet/IPv4 ARP. */
bool capy_arp_parse(const uint8_t *p, size_t len, struct capy_arp *out);
/* Writes a whole frame (42 bytes) from sender_mac to dst. Returns its length. */
size_t capy_arp_build(uint8_t *frame, const struct capy_mac *dst, const struct capy_arp *arp);

#endif
