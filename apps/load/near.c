/* See near.h. */
#include "apps/load/near.h"

#include <ifaddrs.h>
#include <stddef.h>

static bool in_subnet(const struct ifaddrs *i, in_addr_t address)
{
    if (!i->ifa_addr || !i->ifa_netmask || i->ifa_addr->sa_family != AF_INET)
        return false;
    in_addr_t own = ((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr.s_addr;
    in_addr_t mask = ((const struct sockaddr_in *)(const void *)i->ifa_netmask)->sin_addr.s_addr;
    return (own & mask) == (address & mask);
}

bool load_is_near(struct in_addr address)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) != 0)
        return true;
    bool near = false;
    for (const struct ifaddrs *i = all; i && !near; i = i->ifa_next)
        near = in_subnet(i, address.s_addr);
    freeifaddrs(all);
    return near;
}
