/* See net.h. */
#include "stack/net.h"
#include "wire/addr6.h"

#define IPV6_MTU_MIN 1280u /* RFC 8200 §5 */

bool capy_net_is_host(const struct capy_ip *ip, unsigned prefix_len)
{
    enum { BITS_V4 = 32, ALL_HOSTS_FROM = 31 }; /* RFC 3021 */
    if (capy_net_is_nobody(ip))
        return false;
    if (!capy_ip_is_v4(ip) || prefix_len >= ALL_HOSTS_FROM)
        return true;
    uint32_t hosts = (uint32_t)((UINT64_C(1) << (BITS_V4 - prefix_len)) - 1);
    uint32_t host = capy_ip_v4(ip) & hosts;
    return host != 0 && host != hosts;
}

bool capy_net_is_sound(const struct capy_stack_cfg *cfg)
{
    if (capy_ip_is_v4(&cfg->ip)) {
        if (capy_ip_is_unset(&cfg->ip6))
            return true;
        return !capy_net_is_nobody(&cfg->ip6) && !capy_ip_is_v4(&cfg->ip6) &&
               cfg->prefix6_len <= 128 && cfg->mtu >= IPV6_MTU_MIN;
    }
    return capy_ip_is_unset(&cfg->ip6) && !capy_net_is_nobody(&cfg->ip) && cfg->mtu >= IPV6_MTU_MIN;
}

static struct capy_ip prefix_mask(unsigned len)
{
    struct capy_ip mask = {{0}};
    for (unsigned bit = 0; bit < len; bit++)
        mask.b[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
    return mask;
}

/* RFC 919 §6; a link of two has none (RFC 3021). */
static void set_broadcast(struct capy_net *net)
{
    enum { HOSTS_MIN = 4 };
    uint32_t host_bits = ~capy_ip_v4(&net->mask);
    if (host_bits >= HOSTS_MIN - 1)
        net->broadcast = capy_ip_from_v4(capy_ip_v4(&net->ip) | host_bits);
}

void capy_net_init(struct capy_net net[CAPY_VERSION_CNT], const struct capy_stack_cfg *cfg)
{
    net[CAPY_V4] = net[CAPY_V6] = (struct capy_net){0};
    net[capy_version_of(&cfg->ip)] =
        (struct capy_net){.on = true, .ip = cfg->ip, .mask = cfg->netmask, .gateway = cfg->gateway};
    if (net[CAPY_V4].on)
        set_broadcast(&net[CAPY_V4]);
    if (!capy_ip_is_unset(&cfg->ip6))
        net[CAPY_V6] = (struct capy_net){.on = true,
                                         .ip = cfg->ip6,
                                         .mask = prefix_mask(cfg->prefix6_len),
                                         .gateway = cfg->gateway6};
}

static bool on_link(const struct capy_net *net, const struct capy_ip *ip)
{
    if (capy_ip_is_link_local(ip))
        return true;
    for (unsigned i = 0; i < sizeof ip->b; i++)
        if ((ip->b[i] ^ net->ip.b[i]) & net->mask.b[i])
            return false;
    return true;
}

bool capy_net_reaches(const struct capy_net *net, const struct capy_ip *ip)
{
    return on_link(net, ip) || !capy_ip_is_unset(&net->gateway);
}

struct capy_ip capy_net_hop(const struct capy_net *net, const struct capy_ip *ip)
{
    return on_link(net, ip) || capy_ip_is_unset(&net->gateway) ? *ip : net->gateway;
}
