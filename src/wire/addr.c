/* Addresses as text and back: dotted IPv4, IPv6 as RFC 4291 §2.2 reads it and RFC 5952 writes it,
 * and MACs. By hand instead of by inet_pton, because the core uses no system library. Callers own
 * all memory. */
#include "wire/addr.h"
#include "capy/error.h"

#define GROUPS 8 /* 16-bit groups of an IPv6 address */

static const char digits[] = "0123456789abcdef";

/* The value of a hexadecimal digit, or -1. */
static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Reads 1..digit_max digits of a base at *at, and moves *at behind them. The number, or -1. */
static long read_number(const char **at, int base, int digit_max)
{
    long number = 0;
    int cnt = 0;
    for (; cnt < digit_max; cnt++, (*at)++) {
        int v = digit_value(**at);
        if (v < 0 || v >= base)
            break;
        number = number * base + v;
    }
    return cnt ? number : -1;
}

/* Reads a.b.c.d, to the end of the text. */
static bool read_v4(const char *at, uint8_t out[4])
{
    for (int i = 0; i < 4; i++) {
        if (i > 0 && *at++ != '.')
            return false;
        long byte = read_number(&at, 10, 3);
        if (byte < 0 || byte > 255)
            return false;
        out[i] = (uint8_t)byte;
    }
    return *at == '\0';
}

/* Reads colon text. Groups before "::" fill from the front, those behind it are then moved to the
 * end. */
static bool read_v6(const char *at, uint8_t out[16])
{
    int cnt = 0;
    int gap = -1; /* the group before which "::" stood */
    memset(out, 0, 16);
    if (at[0] == ':' && at[1] != ':')
        return false;
    while (*at != '\0') {
        if (at[0] == ':' && at[1] == ':') {
            if (gap >= 0)
                return false;
            gap = cnt;
            at += 2;
            continue;
        }
        if (*at == ':' && (*++at == '\0' || cnt == gap))
            return false;
        const char *group_at = at;
        long group = read_number(&at, 16, 4);
        if (*at == '.') { /* the last four bytes in dotted form */
            if (cnt > GROUPS - 2 || !read_v4(group_at, out + 2 * cnt))
                return false;
            cnt += 2;
            break;
        }
        if (group < 0 || cnt == GROUPS || (*at != ':' && *at != '\0'))
            return false;
        capy_store16(out + 2 * cnt++, (uint16_t)group);
    }
    if (gap < 0)
        return cnt == GROUPS;
    if (cnt == GROUPS)
        return false; /* "::" stands for at least one group */
    size_t tail = 2 * (size_t)(cnt - gap);
    memmove(out + 16 - tail, out + 2 * gap, tail);
    memset(out + 2 * gap, 0, 2 * (size_t)(GROUPS - cnt));
    return true;
}

int capy_ip_parse(const char *text, struct capy_ip *out)
{
    uint8_t v4[4];
    if (read_v4(text, v4)) {
        *out = capy_ip_from_v4(capy_load32(v4));
        return CAPY_OK;
    }
    struct capy_ip ip;
    if (!read_v6(text, ip.b))
        return CAPY_E_FORMAT;
    *out = ip;
    return CAPY_OK;
}

static char *put_decimal(char *at, unsigned v)
{
    if (v >= 100)
        *at++ = digits[v / 100];
    if (v >= 10)
        *at++ = digits[v / 10 % 10];
    *at++ = digits[v % 10];
    return at;
}

/* Without leading zeros (RFC 5952 §4.1). */
static char *put_group(char *at, unsigned v)
{
    bool begun = false;
    for (int shift = 12; shift >= 0; shift -= 4) {
        unsigned digit = v >> shift & 15u;
        begun = begun || digit != 0 || shift == 0;
        if (begun)
            *at++ = digits[digit];
    }
    return at;
}

/* The first longest run of two or more zero groups: its start, and its length in *run; -1 for none
 * (RFC 5952 §4.2). */
static int longest_zeros(const struct capy_ip *ip, int *run)
{
    int best = -1, best_cnt = 1;
    for (int i = 0; i < GROUPS; i++) {
        int cnt = 0;
        while (i + cnt < GROUPS && capy_load16(ip->b + 2 * (i + cnt)) == 0)
            cnt++;
        if (cnt > best_cnt) {
            best = i;
            best_cnt = cnt;
        }
        i += cnt;
    }
    *run = best_cnt;
    return best;
}

char *capy_ip_format(const struct capy_ip *ip, char out[CAPY_IP_TEXT_MAX])
{
    char *at = out;
    if (capy_ip_is_v4(ip)) {
        for (int i = 12; i < 16; i++) {
            if (i > 12)
                *at++ = '.';
            at = put_decimal(at, ip->b[i]);
        }
        *at = '\0';
        return out;
    }
    int run;
    int zeros = longest_zeros(ip, &run);
    for (int i = 0; i < GROUPS; i++) {
        if (i == zeros) {
            *at++ = ':';
            *at++ = ':';
            i += run - 1;
            continue;
        }
        if (i > 0 && at[-1] != ':')
            *at++ = ':';
        at = put_group(at, capy_load16(ip->b + 2 * i));
    }
    *at = '\0';
    return out;
}

int capy_mac_parse(const char *text, struct capy_mac *out)
{
    struct capy_mac mac;
    for (int i = 0; i < 6; i++) {
        if (i > 0 && *text++ != ':')
            return CAPY_E_FORMAT;
        long byte = read_number(&text, 16, 2);
        if (byte < 0)
            return CAPY_E_FORMAT;
        mac.b[i] = (uint8_t)byte;
    }
    if (*text != '\0')
        return CAPY_E_FORMAT;
    *out = mac;
    return CAPY_OK;
}

char *capy_mac_format(const struct capy_mac *mac, char out[18])
{
    char *at = out;
    for (int i = 0; i < 6; i++) {
        if (i > 0)
            *at++ = ':';
        *at++ = digits[mac->b[i] >> 4];
        *at++ = digits[mac->b[i] & 15];
    }
    *at = '\0';
    return out;
}
