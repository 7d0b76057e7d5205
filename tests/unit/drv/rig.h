/* What the driver tests share: a network namespace of their own with a veth pair in it, and patient
 * sending and receiving of numbered frames. Header only. */
#ifndef CAPY_TEST_DRV_RIG_H
#define CAPY_TEST_DRV_RIG_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* unshare */
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka needs the three above first */
#include <cmocka.h>

#include "drv/drv.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define ERR_LEN 256
#define WAIT_MS 60000                /* only a broken driver waits so long */
#define ETHERTYPE_EXPERIMENT 0x88b5u /* IEEE Std 802 local experimental: no kernel answers it */

/* Enters a fresh network namespace; else the test is skipped, saying what was missing. */
static inline void rig_enter_namespace(void)
{
    if (unshare(CLONE_NEWNET) < 0) {
        print_message("skipped: no CAP_SYS_ADMIN to make a network namespace (%s)\n",
                      strerror(errno));
        skip();
    }
}

static inline void rig_run(const char *command)
{
    if (system(command) != 0) {
        print_message("skipped: `%s` failed\n", command);
        skip();
    }
}

/* Waits until the kernel says that the device is up. That comes a while after it was set up, by a worker
 * of the kernel's that may have to wait for other devices' business; until then frames sent are lost
 * without a word, and a bridge keeps the device's port closed. */
static inline void rig_wait_up(const char *ifname)
{
    char command[160];
    snprintf(command, sizeof command,
             "for i in $(seq 6000); do ip -o link show %s | grep -q 'state UP' && exit 0; "
             "sleep 0.01; done; exit 1",
             ifname);
    rig_run(command);
}

/* veth0 and veth1, up, with the MTU; IPv6 off, so that the kernel sends nothing of its own. */
static inline void rig_veth(unsigned mtu)
{
    char command[160];
    rig_enter_namespace();
    rig_run("ip link add veth0 type veth peer name veth1");
    snprintf(command, sizeof command,
             "for d in veth0 veth1; do ip link set $d mtu %u addrgenmode none up || exit 1; done",
             mtu);
    rig_run(command);
    rig_wait_up("veth0");
    rig_wait_up("veth1");
}

/* A frame whose every byte follows from n. */
static inline void rig_fill(uint8_t *data, uint32_t len, uint32_t n)
{
    static const struct capy_mac dst = {{0x02, 0xca, 0, 0, 0, 1}}, src = {{0x02, 0xca, 0, 0, 0, 2}};
    memcpy(data, dst.b, sizeof dst.b);
    memcpy(data + 6, src.b, sizeof src.b);
    capy_store16(data + 12, ETHERTYPE_EXPERIMENT);
    capy_store32(data + CAPY_ETHER_LEN, n);
    for (uint32_t i = CAPY_ETHER_LEN + 4; i < len; i++)
        data[i] = (uint8_t)(n + i);
}

static inline uint32_t rig_len(uint32_t n)
{
    return CAPY_FRAME_MIN + n * 7919u % (CAPY_FRAME_MAX - CAPY_FRAME_MIN + 1);
}

static inline void rig_check(const struct capy_frame *f, uint32_t n)
{
    uint8_t want[CAPY_FRAME_MAX];
    rig_fill(want, rig_len(n), n);
    assert_int_equal(f->len, rig_len(n));
    assert_memory_equal(f->data, want, f->len);
}

/* Sends frames first .. first + cnt - 1 in one burst; cnt up to CAPY_DRV_BURST. */
static inline void rig_send(struct capy_drv *d, uint32_t first, unsigned cnt)
{
    struct capy_frame f[CAPY_DRV_BURST];
    unsigned have = 0;
    while (have < cnt) /* completions of earlier frames free room */
        have += d->ops->reserve(d, f + have, cnt - have);
    for (unsigned i = 0; i < cnt; i++) {
        f[i].len = rig_len(first + i);
        rig_fill(f[i].data, f[i].len, first + i);
    }
    d->ops->submit(d, f, cnt);
    d->ops->flush(d);
}

/* One burst, waiting for its first frame; fails when none comes. */
static inline unsigned rig_burst(struct capy_drv *d, struct capy_frame *f, unsigned max)
{
    unsigned cnt;
    while ((cnt = d->ops->receive(d, f, max)) == 0) {
        struct pollfd p = {.fd = d->ops->poll_fd(d), .events = POLLIN};
        assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    }
    return cnt;
}

/* Receives frames first .. first + cnt - 1, in order and unharmed. */
static inline void rig_expect(struct capy_drv *d, uint32_t first, unsigned cnt)
{
    struct capy_frame f[CAPY_DRV_BURST];
    unsigned seen = 0;
    while (seen < cnt) {
        unsigned n = rig_burst(d, f, CAPY_DRV_BURST);
        for (unsigned i = 0; i < n; i++) {
            /* A device that just came up may still carry a frame of the kernel's. */
            if (capy_load16(f[i].data + 12) == ETHERTYPE_EXPERIMENT)
                rig_check(&f[i], first + seen++);
        }
        d->ops->release(d, f, n);
    }
}

#endif
