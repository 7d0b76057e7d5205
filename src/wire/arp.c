/* ARP packets (RFC 826): fixed 28-byte layout for IPv4 over Ethernet. The caller owns all memory.
 */
#include "wire/arp.h"
#include "wire/ether.h"

enum { HARDWARE_ETHERNET = 1, MAC_LEN = 6, IPV4_LEN = 4 };

/* Offsets in the packet. */
enum {
    AT_HARDWARE = 0,
    AT_PROTOCOL = 2,
    AT_MAC_LEN = 4,
    AT_IP_LEN = 5,
    AT_OP = 6,
    AT_SENDER_MAC = 8,
    AT_SENDER_IP = 14,
    AT_TARGET_MAC = 18,
    AT_TARGET_IP = 24,
};

bool capy_arp_parse(const uint8_t *p, size_t len, struct capy_arp *out)
{
    if (len < CAPY_ARP_LEN)
        return false;
    if (capy_load16(p + AT_HARDWARE) != HARDWARE_ETHERNET ||
        capy_load16(p + AT_PROTOCOL) != CAPY_ETHERTYPE_IPV4 || p[AT_MAC_LEN] != MAC_LEN ||
        p[AT_IP_LEN] != IPV4_LEN)
        return false;
    out->op = capy_load16(p + AT_OP);
    if (out->op != CAPY_ARP_REQUEST && out->op != CAPY_ARP_REPLY)
        return false;
    memcpy(out->sender_mac.b, p + AT_SENDER_MAC, MAC_LEN);
    memcpy(out->target_mac.b, p + AT_TARGET_MAC, MAC_LEN);
    out->sender_ip = capy_ip_from_v4(capy_load32(p + AT_SENDER_IP));
    out->target_ip = capy_ip_from_v4(capy_load32(p + AT_TARGET_IP));
    return true;
}

size_t capy_arp_build(uint8_t *frame, const struct capy_mac *dst, const struct capy_arp *arp)
{
    capy_ether_build(frame, dst, &arp->sender_mac, CAPY_ETHERTYPE_ARP);
    uint8_t *p = frame + CAPY_ETHER_LEN;
    capy_store16(p + AT_HARDWARE, HARDWARE_ETHERNET);
    capy_store16(p + AT_PROTOCOL, CAPY_ETHERTYPE_IPV4);
    p[AT_MAC_LEN] = MAC_LEN;
    p[AT_IP_LEN] = IPV4_LEN;
    capy_store16(p + AT_OP, arp->op);
    memcpy(p + AT_SENDER_MAC, arp->sender_mac.b, MAC_LEN);
    memcpy(p + AT_TARGET_MAC, arp->target_mac.b, MAC_LEN);
    capy_store32(p + AT_SENDER_IP, capy_ip_v4(&arp->sender_ip));
    capy_store32(p + AT_TARGET_IP, capy_ip_v4(&arp->target_ip));
    return CAPY_ETHER_LEN + CAPY_ARP_LEN;
}
