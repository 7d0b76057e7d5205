/* The names of the vectors' little world; contract in places.h. */
#include "places.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const rack_names[RACK_KINDS] = {"v4", "v6", "both"};

static const struct {
    const char *name;
    uint8_t n;
} names[] = {
    {"none", PLACE_NONE}, {"s1", 1},   {"s2", 2},          {"s3", 3},
    {"vip", PLACE_VIP},   {"c1", 200}, {"c2", 201},        {"r1", 210},
    {"sw", PLACE_SW},     {"x1", 220}, {"all", PLACE_ALL},
};
enum { NAMES = sizeof names / sizeof names[0] };

static const char *const ports[PORTS] = {"s1", "s2", "s3", "c1", "c2"};

bool place_parse(const char *text, struct place *out)
{
    const char *colon = strchr(text, ':'), *dot = strchr(text, '.');
    const char *end = dot ? dot : colon ? colon : text + strlen(text);
    *out = (struct place){0};
    for (size_t i = 0; i < NAMES; i++) {
        if (strlen(names[i].name) != (size_t)(end - text) ||
            strncmp(names[i].name, text, (size_t)(end - text)) != 0)
            continue;
        out->n = names[i].n;
        out->version = dot ? (uint8_t)dot[1] : 0;
        out->port = colon ? (uint16_t)strtoul(colon + 1, NULL, 10) : 0;
        return !dot || strchr("46mp", dot[1]);
    }
    return false;
}

struct place place_read(struct words *w)
{
    struct place p;
    const char *text = words_next(w);
    if (!place_parse(text, &p))
        words_bad(w, "\"%s\" is nobody here; names are in places.h", text);
    return p;
}

const char *place_name(uint8_t n)
{
    for (size_t i = 0; i < NAMES; i++)
        if (names[i].n == n)
            return names[i].name;
    return "?";
}

uint16_t place_server(struct words *w, const char *name)
{
    struct place p;
    if (strcmp(name, "any") == 0)
        return 0xffff;
    if (name[0] == '@') /* a number, right or wrong */
        return (uint16_t)strtoul(name + 1, NULL, 0);
    if (!place_parse(name, &p) || p.n == 0 || p.n > SERVERS)
        words_bad(w, "\"%s\" is no server; servers are s1..s%d, and any", name, SERVERS);
    return (uint16_t)(p.n - 1);
}

uint16_t place_port(struct words *w)
{
    const char *name = words_next(w);
    for (uint16_t i = 0; i < PORTS; i++)
        if (strcmp(ports[i], name) == 0)
            return i;
    if (strcmp(name, "flood") == 0)
        return PORT_FLOOD;
    if (strcmp(name, "bad") == 0)
        return PORT_BAD;
    words_bad(w, "\"%s\" is no port; ports are s1 s2 s3 c1 c2, flood, bad", name);
}

const char *place_port_name(uint16_t port)
{
    return port < PORTS ? ports[port] : port == PORT_FLOOD ? "flood" : "bad";
}

uint8_t place_version(enum rack_kind rack, const struct place *p)
{
    if (p->version == '4' || (p->version == 'p' && rack != RACK_V6))
        return 4;
    return p->version == '6' || p->version == 'm' || rack != RACK_V4 ? 6 : 4;
}

void place_address(enum rack_kind rack, const struct place *p, uint8_t out[16])
{
    memset(out, 0, 16);
    if (place_version(rack, p) == 4 || p->version == 'm') {
        const uint8_t v4[] = {0xff, 0xff, 10, 0, 0, p->n};
        memcpy(out + 10, v4, sizeof v4);
        if (p->n == PLACE_NONE)
            memset(out + 12, 0, 4);
        return;
    }
    const uint8_t prefix[] = {0xfd, 0x99, 0, 1, 0, 2, 0, 3}, all[] = {0xff, 2};
    if (p->n == PLACE_NONE)
        return;
    if (p->n == PLACE_ALL)
        memcpy(out, all, sizeof all);
    else
        memcpy(out, prefix, sizeof prefix);
    out[15] = p->n == PLACE_ALL ? 1 : p->n;
}

void place_mac(uint8_t n, uint8_t out[6])
{
    const uint8_t mac[6] = {2, 0xca, 10, 0, 0, n};
    if (n == PLACE_ALL)
        memset(out, 0xff, 6);
    else
        memcpy(out, mac, 6);
}

const char *place_of_address(enum rack_kind rack, const uint8_t address[16])
{
    static char text[4][16];
    static unsigned next;
    static const uint8_t versions[] = {0, '4', '6'};
    for (size_t i = 0; i < NAMES; i++)
        for (size_t k = 0; k < sizeof versions; k++) {
            struct place p = {.n = names[i].n, .version = versions[k]};
            uint8_t its[16];
            place_address(rack, &p, its);
            if (memcmp(its, address, 16) != 0)
                continue;
            char *out = text[next++ % 4];
            snprintf(out, sizeof text[0], versions[k] ? "%s.%c" : "%s", names[i].name, versions[k]);
            return out;
        }
    return "?";
}
