/* What the drivers ask the kernel about a network device, by ioctl: sockets follow the network
 * namespace of the process, where /sys does not. Private to src/drv. */
#ifndef CAPY_DRV_DEV_H
#define CAPY_DRV_DEV_H

#include "wire/ether.h"

struct capy_dev {
    unsigned index; /* 0: no such device */
    bool up;
    bool tun;           /* a TUN/TAP device: its other end is a program */
    unsigned rx_queues; /* 1 when the device cannot tell */
    struct capy_mac mac;
};

/* False when there is no device of that name (dev->index 0, the rest cleared). */
bool capy_dev_look(const char *ifname, struct capy_dev *dev);

/* CAPY_OK, or CAPY_E_SYS with errno. */
int capy_dev_set_up(const char *ifname);

/* Keeps the device promiscuous for as long as the returned descriptor is open, so that it ends with
 * the process however that ends. -1 with errno. */
int capy_dev_promisc(unsigned index);

#endif
