/* Bytes to words; contract in describe.h. */
#include "describe.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct text {
    enum rack_kind rack;
    char *out;
    size_t at;
};

static void say(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->out + t->at, DESCRIBE_MAX - t->at, format, args);
    va_end(args);
    if (n > 0)
        t->at += (size_t)n < DESCRIBE_MAX - t->at ? (size_t)n : DESCRIBE_MAX - t->at - 1;
}

static uint32_t get(const uint8_t *p, unsigned len)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < len; i++)
        v = v << 8 | p[i];
    return v;
}

static const char *of_list(const char *const *list, uint8_t i)
{
    for (uint8_t k = 0; list[k]; k++)
        if (k == i)
            return list[k];
    return "?";
}

static const char *mac_name(const uint8_t *p)
{
    static const uint8_t prefix[5] = {2, 0xca, 10, 0, 0}, all[6] = {255, 255, 255, 255, 255, 255};
    if (memcmp(p, all, 6) == 0)
        return "all";
    return memcmp(p, prefix, 5) == 0 ? place_name(p[5]) : "?";
}

static const char *server_name(uint16_t id)
{
    static const char *const names[] = {"s1", "s2", "s3"};
    return id < SERVERS ? names[id] : id == 0xffff ? "any" : "#?";
}

static void say_payload(struct text *t, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] < 32 || p[i] > 126 || p[i] == '"') {
            say(t, " bytes %zu", len);
            return;
        }
    if (len)
        say(t, " \"%.*s\"", (int)(len < 100 ? len : 100), (const char *)p);
}

static void say_beat(struct text *t, uint8_t type, const uint8_t *p, size_t len)
{
    if (type == 7 && len == 32)
        say(t, " load %u free %u draining %u conns %u incarnation %u boot %u", get(p, 4),
            get(p + 4, 4), get(p + 8, 4), get(p + 12, 4), get(p + 20, 4), get(p + 28, 4));
    else if (type == 8 && len == 16)
        say(t, " boot %u learning %u minload %u", get(p + 4, 4), get(p + 8, 4), get(p + 12, 4));
    else if (len)
        say(t, " bytes %zu", len);
}

static void say_message(struct text *t, const uint8_t *p, size_t len)
{
    if (len < 96) {
        say(t, " of %zu bytes", len);
        return;
    }
    say(t, " %s %s->%s", of_list(spec_mig_types, p[1]), server_name((uint16_t)get(p + 4, 2)),
        server_name((uint16_t)get(p + 6, 2)));
    if (get(p + 64, 4))
        say(t, " flow %s:%u > %s:%u", place_of_address(t->rack, p + 32), get(p + 64, 2),
            place_of_address(t->rack, p + 48), get(p + 66, 2));
    say(t, " epoch %u id %u", get(p + 16, 4), get(p + 12, 4));
    if (p[2])
        say(t, " reason %s", of_list(spec_reasons, p[2]));
    if (p[3])
        say(t, " flags %u", p[3]);
    if (get(p + 30, 2))
        say(t, " port %u", get(p + 30, 2));
    if (get(p + 20, 4) && p[1] != 7 && p[1] != 8)
        say(t, " total %u offset %u", get(p + 20, 4), get(p + 24, 4));
    say_beat(t, p[1], p + 96, len - 96);
    if (p[88])
        say(t, " => %s %s %s %u", of_list(spec_verdicts, p[88]), of_list(spec_phases, p[89]),
            server_name((uint16_t)get(p + 90, 2)), get(p + 92, 4));
}

static void say_upper(struct text *t, uint8_t protocol, const uint8_t *src, const uint8_t *dst,
                      const uint8_t *p, size_t len)
{
    const char *from = place_of_address(t->rack, src), *to = place_of_address(t->rack, dst);
    bool icmp = protocol == 1 || protocol == 58;
    if (icmp && len >= 8) {
        say(t, "icmp %s > %s type %u code %u", from, to, p[0], p[1]);
        if (protocol == 58 && (p[0] == 135 || p[0] == 136) && len >= 24)
            say(t, " target %s%s%s mac %s", place_of_address(t->rack, p + 8),
                p[4] & 0x40 ? " solicited" : "", p[4] & 0x20 ? " override" : "",
                len >= 32 ? mac_name(p + 26) : "none");
        return;
    }
    if ((protocol != 6 && protocol != 17) || len < 8) {
        say(t, "protocol %u %s > %s", protocol, from, to);
        return;
    }
    bool mig = protocol == 17 && get(p + 2, 2) == 10002;
    if (mig) {
        say(t, "mig");
        say_message(t, p + 8, len - 8);
        say(t, "  (%s > %s)", from, to);
        return;
    }
    say(t, "%s %s:%u > %s:%u", protocol == 6 ? "tcp" : "udp", from, get(p, 2), to, get(p + 2, 2));
    if (protocol == 6 && len >= 20) {
        static const char letters[] = "FSRPA";
        say(t, " ");
        for (int i = 0; i < 5; i++)
            if (p[13] & 1u << i)
                say(t, "%c", letters[i]);
        say(t, " seq %u ack %u win %u", get(p + 4, 4), get(p + 8, 4), get(p + 14, 2));
        say_payload(t, p + 20, len - 20);
    } else if (protocol == 17) {
        say_payload(t, p + 8, len - 8);
    }
}

static void say_ip(struct text *t, uint16_t type, const uint8_t *p, size_t len)
{
    uint8_t src[16] = {[10] = 0xff, [11] = 0xff}, dst[16] = {[10] = 0xff, [11] = 0xff};
    if (type == 0x0800 && len >= 20) {
        size_t head = (p[0] & 15u) * 4u;
        memcpy(src + 12, p + 12, 4);
        memcpy(dst + 12, p + 16, 4);
        if (head >= 20 && head <= len)
            say_upper(t, p[9], src, dst, p + head, len - head);
        say(t, " ttl %u", p[8]);
    } else if (type == 0x86dd && len >= 40) {
        say_upper(t, p[6], p + 8, p + 24, p + 40, len - 40);
        say(t, " ttl %u", p[7]);
    } else {
        say(t, "ether type 0x%04x", type);
    }
}

char *describe(enum rack_kind rack, const uint8_t *frame, size_t len, char out[DESCRIBE_MAX])
{
    struct text t = {rack, out, 0};
    out[0] = 0;
    if (len < 14) {
        say(&t, "%zu bytes", len);
        return out;
    }
    uint16_t type = (uint16_t)get(frame + 12, 2);
    const uint8_t *p = frame + 14;
    if (type == 0x8100 && len >= 18) {
        say(&t, "vlan %u ", get(frame + 14, 2));
        type = (uint16_t)get(frame + 16, 2);
        p += 4;
    }
    if (type == 0x0806 && len >= 42)
        say(&t, "arp op %u sender %s 10.0.0.%u target %s 10.0.0.%u", get(p + 6, 2), mac_name(p + 8),
            p[17], mac_name(p + 18), p[27]);
    else
        say_ip(&t, type, p, len - (size_t)(p - frame));
    say(&t, "  [mac %s > %s, %zu bytes]", mac_name(frame + 6), mac_name(frame), len);
    return out;
}
