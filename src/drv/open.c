/* Opens the driver that a rack file names. "auto" takes AF_XDP where a device is there for it and
 * else a TAP; which one it became is in the driver's detail. */
#include "drv/dev.h"
#include "drv/drv.h"

#include <stdio.h>
#include <string.h>

typedef struct capy_drv *open_fn(const char *ifname, char *err, size_t err_len);

/* The first that opens; else err holds why neither did. */
static struct capy_drv *open_either(open_fn *first, open_fn *second, const char *ifname, char *err,
                                    size_t err_len)
{
    char first_err[192], second_err[192];
    struct capy_drv *d = first(ifname, first_err, sizeof first_err);
    if (!d)
        d = second(ifname, second_err, sizeof second_err);
    if (!d)
        snprintf(err, err_len, "%s (and %s)", first_err, second_err);
    return d;
}

static struct capy_drv *open_auto(const char *ifname, char *err, size_t err_len)
{
    struct capy_dev dev;
    bool exists = capy_dev_look(ifname, &dev);
    struct capy_drv *d;
    if (exists && !dev.tun)
        d = capy_drv_af_xdp_open(ifname, err, err_len); /* a TAP cannot take such a device */
    else if (exists)
        d = open_either(capy_drv_tap_open, capy_drv_af_xdp_open, ifname, err, err_len);
    else
        d = capy_drv_tap_open(ifname, err, err_len);
    if (d) {
        size_t used = strlen(d->detail);
        snprintf(d->detail + used, sizeof d->detail - used, " (auto)");
    }
    return d;
}

struct capy_drv *capy_drv_open(const char *driver, const char *ifname, char *err, size_t err_len)
{
    if (strcmp(driver, "auto") == 0)
        return open_auto(ifname, err, err_len);
    if (strcmp(driver, "af_xdp") == 0)
        return capy_drv_af_xdp_open(ifname, err, err_len);
    if (strcmp(driver, "tap") == 0)
        return capy_drv_tap_open(ifname, err, err_len);
    snprintf(err, err_len, "no driver \"%s\"; write \"auto\", \"af_xdp\" or \"tap\"", driver);
    return NULL;
}
