/* A host that is in no rack: what its options say, as a rack of one server, itself, so that limits,
 * buffers and names come from the same place as a server's. Its stack gets no peers: there is
 * nothing to move connections to. */
#include "sock/os.h"
#include "stack/net.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BITS_V4 = 32, BITS_V6 = 128 };

static int wrong(char *err, size_t err_len, const char *what, const char *text)
{
    (void)snprintf(err, err_len, "%s: %s", text ? text : "host", what);
    return CAPY_E_CONFIG;
}

/* Reads "ADDRESS/PREFIX". */
static bool read_address(const char *text, struct capy_ip *ip, uint8_t *prefix_len)
{
    char alone[CAPY_IP_TEXT_MAX], *end;
    const char *slash = strchr(text, '/');
    if (!slash || (size_t)(slash - text) >= sizeof alone)
        return false;
    memcpy(alone, text, (size_t)(slash - text));
    alone[slash - text] = 0;
    long len = strtol(slash + 1, &end, 10);
    if (slash[1] < '0' || slash[1] > '9' || *end || capy_ip_parse(alone, ip) != CAPY_OK ||
        len < 1 || len > (capy_ip_is_v4(ip) ? BITS_V4 : BITS_V6))
        return false;
    *prefix_len = (uint8_t)len;
    return true;
}

int capy_alone_read(const struct capy_options *opt, struct capy_rack *rack, char *err,
                    size_t err_len)
{
    struct capy_rack_server *me = &rack->server[0];
    struct capy_ip ip, gateway;
    capy_rack_default(rack);
    rack->server_cnt = 1;
    strcpy(me->name, "host");
    if (!opt->device || strlen(opt->device) >= sizeof me->device)
        return wrong(err, err_len, "not a network interface; name one of this host's", opt->device);
    strcpy(me->device, opt->device);
    if (!opt->address || !read_address(opt->address, &ip, &rack->prefix_len))
        return wrong(err, err_len, "not an address; write one as 10.99.0.101/24 or fd00::65/64",
                     opt->address);
    if (!capy_net_is_host(&ip, rack->prefix_len))
        return wrong(err, err_len, "no address that a host can have; write one of the link's",
                     opt->address);
    memcpy(me->ip, ip.b, sizeof me->ip);
    if (opt->gateway) {
        if (capy_ip_parse(opt->gateway, &gateway) != CAPY_OK ||
            capy_ip_is_v4(&gateway) != capy_ip_is_v4(&ip))
            return wrong(err, err_len, "not a gateway; write an address of the host's IP version",
                         opt->gateway);
        memcpy(rack->gateway, gateway.b, sizeof rack->gateway);
    }
    if (opt->driver)
        (void)snprintf(rack->driver, sizeof rack->driver, "%s", opt->driver);
    return CAPY_OK;
}

void capy_alone_take_mac(struct capy_rack *rack, const struct capy_drv *drv)
{
    struct capy_rack_server *me = &rack->server[0];
    if (strcmp(drv->ops->name, "tap") != 0) {
        memcpy(me->mac, drv->mac.b, sizeof me->mac);
        return;
    }
    me->mac[0] = 0x02;
    me->mac[1] = 0xca;
    memcpy(me->mac + 2, me->ip + 12, 4);
}
