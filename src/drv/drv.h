/* Frame drivers: bursts of Ethernet frames between a network device and us. A driver knows no TCP.
 * One vtable, so that the run loop, the switch and the captures do not care which. One thread. */
#ifndef CAPY_DRV_DRV_H
#define CAPY_DRV_DRV_H

#include "capy/error.h"
#include "wire/offload.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPY_DRV_BURST 64u

/* A frame that a driver lends. data stays valid until the matching release or submit. */
struct capy_frame {
    uint8_t *data;
    uint32_t len;
    uint64_t cookie;             /* the driver's own; give it back untouched */
    struct capy_offload offload; /* what the device did; or, submitted, what it must do */
};

struct capy_drv;

struct capy_drv_ops {
    const char *name; /* "af_xdp", "tap", "link" */
    /* Up to max received frames (0: none now). The frames stay lent until release. */
    unsigned (*receive)(struct capy_drv *d, struct capy_frame *frames, unsigned max);
    void (*release)(struct capy_drv *d, const struct capy_frame *frames, unsigned cnt);
    /* Lends up to max empty frames of frame_max bytes; 0 when all are in flight. */
    unsigned (*reserve)(struct capy_drv *d, struct capy_frame *frames, unsigned max);
    /* Sends reserved frames (len set); len 0 gives one back unsent. */
    void (*submit)(struct capy_drv *d, const struct capy_frame *frames, unsigned cnt);
    /* Tells the kernel about what was submitted; call once per burst. */
    void (*flush)(struct capy_drv *d);
    int (*poll_fd)(struct capy_drv *d); /* readable when frames wait; -1 for none (link) */
    void (*close)(struct capy_drv *d);
    /* Brings the counters below up to date with the kernel's own; costs a system call. NULL when
     * there is nothing to ask. */
    void (*count)(struct capy_drv *d);
    /* From now on the device takes over what `can` then says, and hands over large frames. False,
     * nothing has changed: it cannot now. NULL: such a device never does. */
    bool (*offload)(struct capy_drv *d);
};

/* Every driver begins with this. */
struct capy_drv {
    const struct capy_drv_ops *ops;
    struct capy_mac mac; /* of the device */
    char ifname[16];
    struct capy_offload can; /* partial, segment: as capy_stack_output_offloaded wants it */
    uint32_t frame_max;      /* bytes of a frame that it lends */
    char detail[96];         /* for people: "AF_XDP copy mode, native XDP, queue 0" */
    uint64_t rx_frames, tx_frames, rx_drops, tx_drops;
};

/* AF_XDP on a device's queue 0 (libxdp): native XDP with zero-copy where the NIC has it, else copy,
 * else generic XDP. Takes all frames of the device. On failure NULL with one line in err that names
 * the remedy (missing privilege, no such device, kernel without XDP). */
struct capy_drv *capy_drv_af_xdp_open(const char *ifname, char *err, size_t err_len);

/* TAP: when ifname is an existing TAP device, attaches to it; when it is absent, creates it for as
 * long as the driver is open; another device of that name is refused. The other end is the kernel's
 * interface, brought up if it was down. On failure NULL with one line in err. */
struct capy_drv *capy_drv_tap_open(const char *ifname, char *err, size_t err_len);

/* Opens by a rack file's driver name: "af_xdp", "tap", or "auto": AF_XDP on a device that exists,
 * TAP when it is one or is absent; the choice is left in detail. */
struct capy_drv *capy_drv_open(const char *driver, const char *ifname, char *err, size_t err_len);

/* Lets the device take over checksums and the cutting and joining of segments; where it cannot, a
 * wrapper cuts and completes in software, so that the stack has one turn for many packets all the
 * same. The result owns d. NULL, d untouched and the caller's: no memory. */
struct capy_drv *capy_drv_offload(struct capy_drv *d);

#define CAPY_DRV_LINK_DEPTH_MAX 65536u

/* Two in-memory ends of one link, each with a ring of depth frames (a power of two up to
 * CAPY_DRV_LINK_DEPTH_MAX). Frames sent while the ring is full, or when the other end is closed,
 * are dropped and counted, as on a wire. Allocates here and not later. CAPY_OK, CAPY_E_INVAL
 * (depth) or CAPY_E_NOMEM. */
int capy_drv_link_pair(uint32_t depth, struct capy_drv **a, struct capy_drv **b);

/* Wraps a driver so that every frame in and out is also written to a pcapng file, with nanosecond
 * timestamps and direction flags. The wrapper owns and closes the inner driver; on failure (NULL,
 * one line in err) the inner driver stays the caller's. */
struct capy_drv *capy_drv_capture(struct capy_drv *inner, const char *path, char *err,
                                  size_t err_len);

#endif
