/* See near.h. */
#include "apps/load/near.h"

#include "apps/common/option.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* The bytes of the address in a socket address, and how many; NULL: of no family we know. */
static const uint8_t *bytes_of(const struct sockaddr *a, size_t *len)
{
    if (a && a->sa_family == AF_INET) {
        *len = sizeof(struct in_addr);
        return (const uint8_t *)&((const struct sockaddr_in *)(const void *)a)->sin_addr;
    }
    if (a && a->sa_family == AF_INET6) {
        *len = sizeof(struct in6_addr);
        return (const uint8_t *)&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
    }
    return NULL;
}

static bool in_subnet(const struct ifaddrs *i, const union capy_endpoint *target)
{
    size_t len = 0, own_len = 0, mask_len = 0;
    const uint8_t *address = bytes_of(&target->any, &len);
    const uint8_t *own = bytes_of(i->ifa_addr, &own_len);
    const uint8_t *mask = bytes_of(i->ifa_netmask, &mask_len);
    if (!own || !mask || own_len != len || mask_len != len)
        return false;
    for (size_t k = 0; k < len; k++)
        if ((own[k] & mask[k]) != (address[k] & mask[k]))
            return false;
    return true;
}

bool load_is_near(const union capy_endpoint *target)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) != 0)
        return true;
    bool near = false;
    for (const struct ifaddrs *i = all; i && !near; i = i->ifa_next)
        near = in_subnet(i, target);
    freeifaddrs(all);
    return near;
}

bool load_is_in(const union capy_endpoint *target, const char *subnet)
{
    char address[CAPY_ADDRESS_TEXT_MAX];
    union capy_endpoint own;
    const char *slash = strchr(subnet, '/');
    size_t own_len = 0, len = 0;
    uint64_t prefix;
    if (!slash || (size_t)(slash - subnet) >= sizeof address)
        return false;
    memcpy(address, subnet, (size_t)(slash - subnet));
    address[slash - subnet] = '\0';
    const uint8_t *theirs = bytes_of(&target->any, &len);
    if (!capy_endpoint_parse(address, 0, &own) || !theirs ||
        own.any.sa_family != target->any.sa_family ||
        !capy_option_number(slash + 1, strlen(slash + 1), 8 * len, &prefix))
        return false;
    const uint8_t *ours = bytes_of(&own.any, &own_len);
    for (size_t bit = 0; bit < prefix; bit++)
        if ((ours[bit / 8] ^ theirs[bit / 8]) & (0x80u >> bit % 8))
            return false;
    return true;
}

static unsigned prefix_of(const struct sockaddr *netmask)
{
    size_t len = 0;
    const uint8_t *mask = bytes_of(netmask, &len);
    unsigned bits = 0;
    for (size_t k = 0; k < len; k++)
        bits += (unsigned)__builtin_popcount(mask[k]);
    return bits;
}

bool load_device_address(const char *device, const union capy_endpoint *target,
                         char out[LOAD_SUBNET_TEXT_MAX])
{
    struct ifaddrs *all;
    char text[CAPY_ADDRESS_TEXT_MAX];
    bool found = false, best = false;
    if (getifaddrs(&all) != 0)
        return false;
    for (const struct ifaddrs *i = all; i && !best; i = i->ifa_next) {
        size_t len = 0;
        const uint8_t *own = bytes_of(i->ifa_addr, &len);
        if (!own || strcmp(i->ifa_name, device) != 0 ||
            i->ifa_addr->sa_family != target->any.sa_family)
            continue;
        best = in_subnet(i, target);
        if (found && !best)
            continue;
        found = true;
        inet_ntop(i->ifa_addr->sa_family, own, text, sizeof text);
        snprintf(out, LOAD_SUBNET_TEXT_MAX, "%s/%u", text, prefix_of(i->ifa_netmask));
    }
    freeifaddrs(all);
    return found;
}
