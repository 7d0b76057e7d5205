/* What the tests of src/kernel share: a network namespace of their own, and sockets in it. Header only. */
#ifndef CAPY_TEST_KERNEL_RIG_H
#define CAPY_TEST_KERNEL_RIG_H

#include "../drv/rig.h"

#include "kernel/repair.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define RIG_PORT 80u

/* Runs as root without any capability; rig_powerful undoes it. */
static inline void rig_powerless(void)
{
    assert_int_equal(seteuid(65534), 0);
}

static inline void rig_powerful(void)
{
    assert_int_equal(seteuid(0), 0);
}

/* A namespace whose loopback device is up; without TCP_REPAIR the test is skipped. */
static inline void rig_loopback(void)
{
    const char *why = "";
    rig_enter_namespace();
    rig_run("ip link set lo up");
    if (!capy_repair_allowed(&why)) {
        print_message("skipped: %s\n", why);
        skip();
    }
}

static inline struct capy_ip rig_ip(const char *text)
{
    struct capy_ip ip;
    assert_int_equal(capy_ip_parse(text, &ip), CAPY_OK);
    return ip;
}

static inline void rig_pattern(uint8_t *data, size_t len, uint32_t from)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)((from + i) * 7 + ((from + i) >> 8));
}

/* Reads exactly so many bytes of the pattern. */
static inline void rig_read_pattern(int fd, uint32_t from, uint32_t len)
{
    uint8_t got[4096], want[4096];
    while (len > 0) {
        ssize_t n = recv(fd, got, len < sizeof got ? len : sizeof got, 0);
        assert_true(n > 0);
        rig_pattern(want, (size_t)n, from);
        assert_memory_equal(got, want, (size_t)n);
        from += (uint32_t)n;
        len -= (uint32_t)n;
    }
}

/* Waits, at most, as long as a broken test would. */
static inline void rig_patience(int fd)
{
    const struct timeval patience = {.tv_sec = WAIT_MS / 1000};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
}

#endif
