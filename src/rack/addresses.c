/* Checks of a rack file's IP addresses against each other. There are up to two subnets in a rack: the
 * primary one, of either IP version, in which every program has its `ip`; and beside an IPv4 one a
 * second of IPv6, for those that have an `ip6`. In each, all addresses lie in the switch's subnet,
 * are hosts' addresses and are used once. Each fault is reported at the line of the later of two. */
#include "rack/reader.h"
#include "wire/addr.h"
#include <string.h>

/* One of the two subnets, and where its addresses stand in the value and in the file. */
struct subnet {
    const uint8_t *tor, *gateway;
    uint8_t prefix_len;
    const uint8_t *vip;
    size_t server_at; /* offset in struct capy_rack_server */
    const char *ip_key, *switch_what, *server_what, *gateway_what, *vip_what;
    const char *switch_path, *gateway_path, *vip_path, *prefix_path;
};

static struct subnet primary_subnet(const struct capy_rack *rack)
{
    return (struct subnet){
        .tor = rack->switch_ip,
        .gateway = rack->gateway,
        .vip = rack->vip,
        .prefix_len = rack->prefix_len,
        .server_at = offsetof(struct capy_rack_server, ip),
        .ip_key = "ip",
        .switch_what = "switch ip",
        .server_what = "server ip",
        .gateway_what = "gateway",
        .vip_what = "vip",
        .switch_path = "switch.ip",
        .gateway_path = "rack.gateway",
        .vip_path = "switch.vip",
        .prefix_path = "rack.prefix_len",
    };
}

static struct subnet second_subnet(const struct capy_rack *rack)
{
    return (struct subnet){
        .tor = rack->switch_ip6,
        .gateway = rack->gateway6,
        .vip = rack->vip6,
        .prefix_len = rack->prefix6_len,
        .server_at = offsetof(struct capy_rack_server, ip6),
        .ip_key = "ip6",
        .switch_what = "switch ip6",
        .server_what = "server ip6",
        .gateway_what = "gateway6",
        .vip_what = "vip6",
        .switch_path = "switch.ip6",
        .gateway_path = "rack.gateway6",
        .vip_path = "switch.vip6",
        .prefix_path = "rack.prefix6_len",
    };
}

static const uint8_t *server_address(const struct subnet *net, const struct capy_rack_server *s)
{
    return (const uint8_t *)s + net->server_at;
}

static bool written(const uint8_t bytes[16])
{
    static const uint8_t none[16];
    return memcmp(bytes, none, sizeof none) != 0;
}

static struct capy_ip ip_of(const uint8_t bytes[16])
{
    struct capy_ip ip;
    memcpy(ip.b, bytes, sizeof ip.b);
    return ip;
}

/* ---- one address ---- */

struct host_part {
    bool same_net, all_zero, all_one;
};

static struct host_part split(const struct capy_ip *ip, const struct capy_ip *tor,
                              unsigned prefix_len)
{
    struct host_part h = {true, true, true};
    unsigned prefix_bits = prefix_len + (capy_ip_is_v4(ip) ? 96u : 0u);
    for (unsigned bit = 0; bit < 128; bit++) {
        unsigned mine = ip->b[bit / 8] >> (7 - bit % 8) & 1u;
        unsigned theirs = tor->b[bit / 8] >> (7 - bit % 8) & 1u;
        if (bit < prefix_bits) {
            h.same_net &= mine == theirs;
        } else {
            h.all_zero &= mine == 0;
            h.all_one &= mine == 1;
        }
    }
    return h;
}

/* The name of an address that is no host's in its subnet, or NULL. /31 and /32 have no network and
 * broadcast addresses (RFC 3021), nor has /127 and above an anycast one (RFC 6164 §5). */
static const char *special(const struct capy_ip *ip, const struct host_part *h, unsigned prefix_len)
{
    if (capy_ip_is_v4(ip)) {
        if (ip->b[12] == 0 || ip->b[12] == 127 || ip->b[12] >= 224) /* RFC 1122 §3.2.1.3 */
            return "a loopback, multicast or reserved address";
        if (prefix_len < 31 && (h->all_zero || h->all_one))
            return h->all_zero ? "the subnet's network address" : "the subnet's broadcast address";
        return NULL;
    }
    if (capy_load64(ip->b) == 0 && capy_load64(ip->b + 8) <= 1) /* RFC 4291 §2.5.2, §2.5.3 */
        return "the unspecified or the loopback address";
    if (ip->b[0] == 0xff)
        return "a multicast address"; /* RFC 4291 §2.7 */
    if (ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80)
        return "a link-local address"; /* RFC 4291 §2.5.6: not for clients behind a router */
    if (prefix_len < 127 && h->all_zero)
        return "the subnet's router anycast address"; /* RFC 4291 §2.6.1 */
    return NULL;
}

/* One address against the switch's: same version, a usable host address, same subnet. */
static int check_ip(struct rack_reader *r, const config_setting_t *at, const struct subnet *net,
                    const char *what, const uint8_t bytes[16])
{
    struct capy_ip ip = ip_of(bytes), tor = ip_of(net->tor);
    char text[CAPY_IP_TEXT_MAX], tor_text[CAPY_IP_TEXT_MAX];
    capy_ip_format(&ip, text);
    capy_ip_format(&tor, tor_text);
    if (capy_ip_is_v4(&ip) != capy_ip_is_v4(&tor))
        return rack_fail(r, at,
                         "%s %s is not of the IP version of the switch, %s; "
                         "write one version for the whole rack",
                         what, text, tor_text);
    struct host_part h = split(&ip, &tor, net->prefix_len);
    const char *name = special(&ip, &h, net->prefix_len);
    if (!h.same_net)
        return rack_fail(r, at,
                         "%s %s is outside the switch's subnet %s/%u; "
                         "write an address inside, or another %s",
                         what, text, tor_text, net->prefix_len, strchr(net->prefix_path, '.') + 1);
    if (name)
        return rack_fail(r, at, "%s %s is %s; write a host's address", what, text, name);
    return CAPY_OK;
}

/* ---- all of one subnet ---- */

/* Who has server i's address already, or NULL. */
static const char *same_address(const struct capy_rack *rack, const struct subnet *net, unsigned i)
{
    const uint8_t *mine = server_address(net, &rack->server[i]);
    if (memcmp(mine, net->tor, 16) == 0)
        return "the switch's";
    if (memcmp(mine, net->gateway, 16) == 0)
        return "the gateway's";
    if (written(net->vip) && memcmp(mine, net->vip, 16) == 0)
        return "the vip";
    for (unsigned k = 0; k < i; k++)
        if (memcmp(mine, server_address(net, &rack->server[k]), 16) == 0)
            return rack->server[k].name;
    return NULL;
}

static int check_vip(struct rack_reader *r, const struct subnet *net)
{
    const config_setting_t *at = config_lookup(&r->config, net->vip_path);
    if (!written(net->vip))
        return CAPY_OK;
    int rc = check_ip(r, at, net, net->vip_what, net->vip);
    if (rc != CAPY_OK)
        return rc;
    if (memcmp(net->vip, net->tor, 16) == 0 || memcmp(net->vip, net->gateway, 16) == 0)
        return rack_fail(r, at, "%s is the %s's own address; write one that nobody has",
                         net->vip_what, memcmp(net->vip, net->tor, 16) == 0 ? "switch" : "gateway");
    return CAPY_OK;
}

static int check_subnet(struct rack_reader *r, const struct subnet *net)
{
    const struct capy_rack *rack = r->rack;
    const config_setting_t *gateway_at = config_lookup(&r->config, net->gateway_path);
    int rc =
        check_ip(r, config_lookup(&r->config, net->switch_path), net, net->switch_what, net->tor);
    if (rc == CAPY_OK && written(net->gateway))
        rc = check_ip(r, gateway_at, net, net->gateway_what, net->gateway);
    if (rc == CAPY_OK && memcmp(net->gateway, net->tor, 16) == 0)
        rc = rack_fail(r, gateway_at, "%s is the switch's own address; write the router's",
                       net->gateway_what);
    if (rc == CAPY_OK)
        rc = check_vip(r, net);
    for (unsigned i = 0; i < rack->server_cnt && rc == CAPY_OK; i++) {
        const uint8_t *address = server_address(net, &rack->server[i]);
        const config_setting_t *at = rack_at(r, "servers", i, net->ip_key);
        struct capy_ip ip = ip_of(address);
        char text[CAPY_IP_TEXT_MAX];
        if (!written(address))
            continue;
        rc = check_ip(r, at, net, net->server_what, address);
        const char *other = same_address(rack, net, i);
        if (rc == CAPY_OK && other)
            rc = rack_fail(r, at, "%s %s is used twice, also as %s; write another address",
                           net->server_what, capy_ip_format(&ip, text), other);
    }
    return rc;
}

/* ---- the second subnet ---- */

/* ip6 stands beside an IPv4 ip, is IPv6, and needs the switch's own to say which subnet it is in. */
static int check_second(struct rack_reader *r, const config_setting_t *at, const char *what,
                        const uint8_t bytes[16])
{
    const struct capy_rack *rack = r->rack;
    struct capy_ip ip = ip_of(bytes), tor = ip_of(rack->switch_ip);
    char text[CAPY_IP_TEXT_MAX];
    capy_ip_format(&ip, text);
    if (!written(bytes))
        return CAPY_OK;
    if (capy_ip_is_v4(&ip))
        return rack_fail(r, at, "%s %s is an IPv4 address; write an IPv6 address", what, text);
    if (!capy_ip_is_v4(&tor))
        return rack_fail(r, at,
                         "%s %s stands beside primary addresses that are IPv6 themselves; "
                         "write it only in a rack whose ip addresses are IPv4",
                         what, text);
    if (!written(rack->switch_ip6))
        return rack_fail(r, at, "%s %s is in a rack whose switch has no ip6; write switch.ip6",
                         what, text);
    return CAPY_OK;
}

static int check_all_second(struct rack_reader *r)
{
    const struct capy_rack *rack = r->rack;
    int rc =
        check_second(r, config_lookup(&r->config, "switch.ip6"), "switch ip6", rack->switch_ip6);
    if (rc == CAPY_OK)
        rc =
            check_second(r, config_lookup(&r->config, "rack.gateway6"), "gateway6", rack->gateway6);
    if (rc == CAPY_OK)
        rc = check_second(r, config_lookup(&r->config, "switch.vip6"), "vip6", rack->vip6);
    for (unsigned i = 0; i < rack->server_cnt && rc == CAPY_OK; i++)
        rc = check_second(r, rack_at(r, "servers", i, "ip6"), "server ip6", rack->server[i].ip6);
    return rc;
}

int rack_check_addresses(struct rack_reader *r)
{
    const struct capy_rack *rack = r->rack;
    struct capy_ip tor = ip_of(rack->switch_ip);
    if (capy_ip_is_v4(&tor) && rack->prefix_len > 32)
        return rack_fail(r, config_lookup(&r->config, "rack.prefix_len"),
                         "prefix_len = %u is out of range for IPv4; write 1 to 32",
                         rack->prefix_len);
    const struct subnet primary = primary_subnet(rack), second = second_subnet(rack);
    int rc = check_subnet(r, &primary);
    if (rc == CAPY_OK)
        rc = check_all_second(r);
    if (rc == CAPY_OK && written(rack->switch_ip6))
        rc = check_subnet(r, &second);
    return rc;
}
