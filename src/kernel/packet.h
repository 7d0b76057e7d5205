/* The frames of a device that the kernel's own sockets do not want (gate.h sets them aside), as a
 * frame driver, by AF_PACKET: TCPMig, and segments of connections that are on their way. One system
 * call per frame; there are few. What is sent bypasses the kernel's IP. */
#ifndef CAPY_KERNEL_PACKET_H
#define CAPY_KERNEL_PACKET_H

#include "drv/drv.h"

/* Opens it on a device that is up. NULL with one line in err. */
struct capy_drv *capy_packet_open(const char *ifname, char *err, size_t err_len);
/* Its sockets, at most two, for whoever waits for more than frames. */
unsigned capy_packet_fds(const struct capy_drv *d, int fds[2]);
/* From now on `fd` is what the run loop waits for. */
void capy_packet_wake_by(struct capy_drv *d, int fd);
/* Frames wait: until it is told so again receive asks no more than it must. */
void capy_packet_ready(struct capy_drv *d);
/* Puts a frame into the kernel's IP as if it had come from the wire, but past the gate: by the
 * loopback device, whose frames go to whatever socket they are for. False: dropped. */
bool capy_packet_inject(struct capy_drv *d, const uint8_t *frame, size_t len);

#endif
