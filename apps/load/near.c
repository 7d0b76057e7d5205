/* See near.h. */
#include "apps/load/near.h"

#include <ifaddrs.h>
#include <stddef.h>

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
