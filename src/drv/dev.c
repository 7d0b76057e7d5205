/* Device queries and switches for the drivers (dev.h). Owns nothing but the descriptors it returns.
 */
#include "drv/dev.h"

#include "capy/error.h"

#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void name_request(struct ifreq *req, const char *ifname)
{
    memset(req, 0, sizeof *req);
    snprintf(req->ifr_name, sizeof req->ifr_name, "%s", ifname);
}

/* what: of one of ethtool's structures; the answer is written there. */
static bool ask_ethtool(int fd, struct ifreq *req, void *what)
{
    req->ifr_data = what;
    int rc = ioctl(fd, SIOCETHTOOL, req);
    req->ifr_data = NULL;
    return rc == 0;
}

static unsigned look_rx_queues(int fd, struct ifreq *req)
{
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    if (!ask_ethtool(fd, req, &channels))
        return 1;
    unsigned cnt = channels.rx_count + channels.combined_count;
    return cnt ? cnt : 1;
}

static bool look_tun(int fd, struct ifreq *req)
{
    struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
    return ask_ethtool(fd, req, &info) && strcmp(info.driver, "tun") == 0;
}

bool capy_dev_look(const char *ifname, struct capy_dev *dev)
{
    *dev = (struct capy_dev){.rx_queues = 1};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;

    struct ifreq req;
    name_request(&req, ifname);
    if (ioctl(fd, SIOCGIFINDEX, &req) == 0) {
        dev->index = (unsigned)req.ifr_ifindex;
        if (ioctl(fd, SIOCGIFFLAGS, &req) == 0)
            dev->up = (req.ifr_flags & IFF_UP) != 0;
        if (ioctl(fd, SIOCGIFHWADDR, &req) == 0)
            memcpy(dev->mac.b, req.ifr_hwaddr.sa_data, sizeof dev->mac.b);
        dev->tun = look_tun(fd, &req);
        dev->rx_queues = look_rx_queues(fd, &req);
    }
    close(fd);
    return dev->index != 0;
}

int capy_dev_set_up(const char *ifname)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return CAPY_E_SYS;

    struct ifreq req;
    name_request(&req, ifname);
    int rc = ioctl(fd, SIOCGIFFLAGS, &req);
    if (rc == 0 && !(req.ifr_flags & IFF_UP)) {
        req.ifr_flags = (short)(req.ifr_flags | IFF_UP);
        rc = ioctl(fd, SIOCSIFFLAGS, &req);
    }
    close(fd);
    return rc == 0 ? CAPY_OK : CAPY_E_SYS;
}

int capy_dev_promisc(unsigned index)
{
    /* Protocol 0: the socket receives nothing; it only carries the membership. */
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    struct packet_mreq req = {.mr_ifindex = (int)index, .mr_type = PACKET_MR_PROMISC};
    if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &req, sizeof req) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}
