/* See endpoint.h. */
#include "apps/common/endpoint.h"

#include "apps/common/option.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define IPV4_AT 12 /* where the four bytes of an IPv4 address lie in its mapped form */

static bool is_mapped(const uint8_t ip[16])
{
    static const uint8_t prefix[IPV4_AT] = {[10] = 0xff, 0xff};
    return memcmp(ip, prefix, sizeof prefix) == 0;
}

void capy_endpoint_make(const uint8_t ip[16], uint16_t port, union capy_endpoint *out)
{
    memset(out, 0, sizeof *out);
    if (is_mapped(ip)) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(port);
        memcpy(&out->v4.sin_addr, ip + IPV4_AT, sizeof out->v4.sin_addr);
    } else {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(port);
        memcpy(&out->v6.sin6_addr, ip, sizeof out->v6.sin6_addr);
    }
}

/* Splits "HOST", "HOST:PORT", "[HOST]" and "[HOST]:PORT"; a bare IPv6 address has colons of its own
 * and no port. *port_at: NULL when there is none. False: brackets that do not match. */
static bool split(const char *text, const char **host, size_t *host_len, const char **port_at)
{
    const char *colon = strchr(text, ':');
    *host = text;
    *port_at = NULL;
    if (text[0] == '[') {
        const char *end = strchr(text, ']');
        if (!end || (end[1] != '\0' && end[1] != ':'))
            return false;
        *host = text + 1;
        *host_len = (size_t)(end - *host);
        *port_at = end[1] == ':' ? end + 2 : NULL;
        return true;
    }
    bool has_port = colon && !strchr(colon + 1, ':');
    *host_len = has_port ? (size_t)(colon - text) : strlen(text);
    *port_at = has_port ? colon + 1 : NULL;
    return true;
}

bool capy_endpoint_parse(const char *text, uint16_t port, union capy_endpoint *out)
{
    char address[CAPY_ADDRESS_TEXT_MAX];
    const char *host, *port_at;
    size_t len;
    uint64_t number = port;
    if (!split(text, &host, &len, &port_at) || len >= sizeof address ||
        (port_at &&
         (!capy_option_number(port_at, strlen(port_at), UINT16_MAX, &number) || number == 0)))
        return false;
    memcpy(address, host, len);
    address[len] = '\0';
    memset(out, 0, sizeof *out);
    if (text[0] != '[' && inet_pton(AF_INET, address, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons((uint16_t)number);
        return true;
    }
    if (inet_pton(AF_INET6, address, &out->v6.sin6_addr) != 1)
        return false;
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons((uint16_t)number);
    return true;
}

socklen_t capy_endpoint_len(const union capy_endpoint *e)
{
    return e->any.sa_family == AF_INET6 ? sizeof e->v6 : sizeof e->v4;
}

char *capy_endpoint_host(const union capy_endpoint *e, char out[CAPY_ENDPOINT_TEXT_MAX])
{
    if (e->any.sa_family == AF_INET6) {
        out[0] = '[';
        inet_ntop(AF_INET6, &e->v6.sin6_addr, out + 1, CAPY_ADDRESS_TEXT_MAX);
        strcat(out, "]");
    } else {
        inet_ntop(AF_INET, &e->v4.sin_addr, out, CAPY_ADDRESS_TEXT_MAX);
    }
    return out;
}

char *capy_endpoint_text(const union capy_endpoint *e, char out[CAPY_ENDPOINT_TEXT_MAX])
{
    size_t len = strlen(capy_endpoint_host(e, out));
    in_port_t port = e->any.sa_family == AF_INET6 ? e->v6.sin6_port : e->v4.sin_port;
    snprintf(out + len, CAPY_ENDPOINT_TEXT_MAX - len, ":%u", ntohs(port));
    return out;
}

char *capy_address_text(const uint8_t ip[16], char out[CAPY_ADDRESS_TEXT_MAX])
{
    if (is_mapped(ip))
        inet_ntop(AF_INET, ip + IPV4_AT, out, CAPY_ADDRESS_TEXT_MAX);
    else
        inet_ntop(AF_INET6, ip, out, CAPY_ADDRESS_TEXT_MAX);
    return out;
}
