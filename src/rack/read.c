/* Reads a rack file: libconfig's tree -> struct capy_rack by the tables of schema.c, strictly. The
 * first fault ends the reading with one line that names file, line and remedy. */
#include "rack/reader.h"
#include "rack/schema.h"
#include "wire/addr.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define KEY_DIGITS 32u

int rack_fail(struct rack_reader *r, const config_setting_t *at, const char *format, ...)
{
    unsigned line = at ? config_setting_source_line(at) : 0;
    int n = snprintf(r->err, r->err_len, "%s:%u: ", r->rack->path, line ? line : 1u);
    if (n >= 0 && (size_t)n < r->err_len) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(r->err + n, r->err_len - (size_t)n, format, args);
        va_end(args);
        for (char *p = r->err + n; *p; p++) /* a value may have anything between its quotes */
            if ((unsigned char)*p < ' ' || *p == 0x7f)
                *p = '?';
    }
    return CAPY_E_CONFIG;
}

const config_setting_t *rack_at(struct rack_reader *r, const char *list, unsigned i,
                                const char *name)
{
    const config_setting_t *at = config_lookup(&r->config, list);
    const config_setting_t *elem = at ? config_setting_get_elem(at, i) : NULL;
    const config_setting_t *key = elem && name ? config_setting_get_member(elem, name) : NULL;
    return key ? key : elem ? elem : at ? at : config_root_setting(&r->config);
}

static int read_integer(struct rack_reader *r, const config_setting_t *at,
                        const struct rack_field *f, void *out)
{
    int type = config_setting_type(at);
    if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
        return rack_fail(r, at, "%s is not an integer; %s", f->name, f->remedy);
    int64_t v = config_setting_get_int64(at);
    if (r->plain ? v < 0 || v > UINT32_MAX : v < f->min || v > f->max)
        return rack_fail(r, at, "%s = %lld is out of range; %s", f->name, (long long)v, f->remedy);
    uint8_t u8 = (uint8_t)v;
    uint16_t u16 = (uint16_t)v;
    uint32_t u32 = (uint32_t)v;
    if (f->type == RACK_U8)
        memcpy(out, &u8, sizeof u8);
    else if (f->type == RACK_U16)
        memcpy(out, &u16, sizeof u16);
    else
        memcpy(out, &u32, sizeof u32);
    return CAPY_OK;
}

/* Digit pairs are bytes, the first the most significant: the file reads as key[0], key[1]. */
static bool parse_key(const char *text, uint64_t key[2])
{
    if (strlen(text) != KEY_DIGITS || strspn(text, "0123456789abcdefABCDEF") != KEY_DIGITS)
        return false;
    key[0] = key[1] = 0;
    for (unsigned i = 0; i < KEY_DIGITS; i++) {
        char c = text[i];
        unsigned digit = c <= '9' ? (unsigned)(c - '0') : (unsigned)(c | 0x20) - 'a' + 10u;
        key[i / 16] = key[i / 16] << 4 | digit;
    }
    return key[0] != 0 || key[1] != 0;
}

static int read_string(struct rack_reader *r, const config_setting_t *at,
                       const struct rack_field *f, void *out)
{
    const char *text = config_setting_get_string(at);
    if (!text)
        return rack_fail(r, at, "%s is not a string in quotes; %s", f->name, f->remedy);
    bool good;
    if (f->type == RACK_IP) {
        struct capy_ip ip = {{0}};
        static const struct capy_ip unspecified; /* stands for "none" in the value */
        good = capy_ip_parse(text, &ip) == CAPY_OK && !capy_ip_eq(&ip, &unspecified);
        memcpy(out, ip.b, sizeof ip.b);
    } else if (f->type == RACK_MAC) {
        struct capy_mac mac = {{0}};
        good = capy_mac_parse(text, &mac) == CAPY_OK;
        memcpy(out, mac.b, sizeof mac.b);
    } else if (f->type == RACK_KEY) {
        uint64_t key[2] = {0, 0};
        good = parse_key(text, key);
        memcpy(out, key, sizeof key);
        good = good || r->plain; /* all zero, of a host in no rack */
        if (!good)               /* do not repeat a secret */
            return rack_fail(r, at, "%s is not 32 hex digits, or all zero; %s", f->name, f->remedy);
    } else {
        good = (r->plain || strlen(text) >= (size_t)f->min) && strlen(text) <= (size_t)f->max;
        if (good)
            memcpy(out, text, strlen(text) + 1);
    }
    if (!good)
        return rack_fail(r, at, "%s = \"%.64s\" is not valid; %s", f->name, text, f->remedy);
    return CAPY_OK;
}

static int read_field(struct rack_reader *r, const config_setting_t *at, const struct rack_field *f,
                      uint8_t *base)
{
    void *out = base + f->offset;
    switch (f->type) {
    case RACK_U8:
    case RACK_U16:
    case RACK_U32:
        return read_integer(r, at, f, out);
    case RACK_BOOL:
        if (config_setting_type(at) != CONFIG_TYPE_BOOL)
            return rack_fail(r, at, "%s is neither true nor false; %s", f->name, f->remedy);
        *(bool *)out = config_setting_get_bool(at) != 0;
        return CAPY_OK;
    case RACK_TEXT:
    case RACK_IP:
    case RACK_MAC:
    case RACK_KEY:
        return read_string(r, at, f, out);
    case RACK_INNER:
        return CAPY_OK;
    }
    return CAPY_OK;
}

static int fail_unknown(struct rack_reader *r, const config_setting_t *at,
                        const struct rack_group *g)
{
    char known[256] = "";
    size_t used = 0;
    for (unsigned i = 0; i < g->field_cnt && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                 g->fields[i].name);
    return rack_fail(r, at, "unknown key %s in %s; known are %s", config_setting_name(at), g->path,
                     known);
}

/* Every key of one group: known, of its type, in its range, and none missing. */
static int read_group(struct rack_reader *r, const config_setting_t *at, const struct rack_group *g,
                      uint8_t *base)
{
    if (!config_setting_is_group(at))
        return rack_fail(r, at, "%s is not a group; write { key = value; ... }", g->path);
    for (int i = 0; i < config_setting_length(at); i++) {
        const config_setting_t *key = config_setting_get_elem(at, (unsigned)i);
        const struct rack_field *f = NULL;
        for (unsigned k = 0; k < g->field_cnt && !f; k++)
            if (strcmp(g->fields[k].name, config_setting_name(key)) == 0)
                f = &g->fields[k];
        int rc = f ? read_field(r, key, f, base) : fail_unknown(r, key, g);
        if (rc != CAPY_OK)
            return rc;
    }
    for (unsigned k = 0; k < g->field_cnt && !r->plain; k++)
        if (g->fields[k].required && !config_setting_get_member(at, g->fields[k].name))
            return rack_fail(r, at, "%s has no %s; %s", g->path, g->fields[k].name,
                             g->fields[k].remedy);
    return CAPY_OK;
}

static int read_list(struct rack_reader *r, const struct rack_list *l)
{
    const config_setting_t *at = config_lookup(&r->config, l->group.path);
    if (!at && (!l->required || r->plain))
        return CAPY_OK;
    if (!at || !config_setting_is_list(at) || config_setting_length(at) == 0)
        return rack_fail(r, at, "%s is not a list; write ( { name = \"...\"; ... }, ... )",
                         l->group.path);
    unsigned cnt = (unsigned)config_setting_length(at);
    if (cnt > l->cnt_max)
        return rack_fail(r, at, "%s has %u members; write at most %u", l->group.path, cnt,
                         l->cnt_max);
    uint8_t *base = (uint8_t *)r->rack;
    for (unsigned i = 0; i < cnt; i++) {
        int rc = read_group(r, config_setting_get_elem(at, i), &l->group,
                            base + l->array + i * l->stride);
        if (rc != CAPY_OK)
            return rc;
    }
    memcpy(base + l->cnt, &cnt, sizeof cnt);
    return CAPY_OK;
}

static int read_client_ports(struct rack_reader *r)
{
    const config_setting_t *at = config_lookup(&r->config, "switch.client_ports");
    int cnt = at && !config_setting_is_group(at) ? config_setting_length(at) : 0;
    if ((cnt < 1 && !r->plain) || cnt > CAPY_RACK_CLIENT_MAX)
        return rack_fail(r, at,
                         "client_ports is not a list of 1 to %d devices; "
                         "write ( \"DEVICE\", ... )",
                         CAPY_RACK_CLIENT_MAX);
    for (int i = 0; i < cnt; i++) {
        const char *device = config_setting_get_string_elem(at, i);
        size_t room = sizeof r->rack->client_port[i].device;
        if (!device || !*device || strlen(device) >= room)
            return rack_fail(r, at,
                             "client_ports: member %d is not a device; "
                             "write its name in quotes, at most %zu characters",
                             i + 1, room - 1);
        memcpy(r->rack->client_port[i].device, device, strlen(device) + 1);
    }
    r->rack->client_port_cnt = (unsigned)cnt;
    return CAPY_OK;
}

/* The file's outermost names must be groups and lists of the tables. */
static int check_outermost(struct rack_reader *r)
{
    const config_setting_t *root = config_root_setting(&r->config);
    for (int i = 0; i < config_setting_length(root); i++) {
        const config_setting_t *at = config_setting_get_elem(root, (unsigned)i);
        bool known = false;
        for (unsigned g = 0; g < rack_group_cnt; g++)
            known |= strcmp(rack_groups[g].path, config_setting_name(at)) == 0;
        for (unsigned l = 0; l < rack_list_cnt; l++)
            known |= strcmp(rack_lists[l].group.path, config_setting_name(at)) == 0;
        if (!known)
            return rack_fail(r, at,
                             "unknown group %s; known are rack, switch, servers, services, "
                             "limits, trigger",
                             config_setting_name(at));
    }
    if (!config_lookup(&r->config, "rack"))
        return rack_fail(r, NULL, "no group rack; write rack: { key = \"...\"; };");
    if (!config_lookup(&r->config, "switch"))
        return rack_fail(r, NULL,
                         "no group switch; write switch: { ip = \"...\"; "
                         "client_ports = ( ... ); };");
    return CAPY_OK;
}

/* Defaults that follow from other keys. */
static void derive(struct rack_reader *r)
{
    struct capy_rack *rack = r->rack;
    if (!config_lookup(&r->config, "rack.lease_us"))
        rack->lease_us = (uint32_t)capy_min64(3 * (uint64_t)rack->heartbeat_us, UINT32_MAX);
    if (!config_lookup(&r->config, "trigger.load_low"))
        rack->load_low = rack->load_threshold / 2;
    struct capy_ip ip;
    memcpy(ip.b, rack->switch_ip, sizeof ip.b);
    if (!config_lookup(&r->config, "rack.prefix_len") && !capy_ip_is_v4(&ip))
        rack->prefix_len = 64;
    /* 02: locally administered; ca: us. */
    if (!config_lookup(&r->config, "switch.mac"))
        memcpy(rack->switch_mac, (uint8_t[]){0x02, 0xca, ip.b[12], ip.b[13], ip.b[14], ip.b[15]},
               6);
    for (unsigned i = 0; i < rack->server_cnt; i++) {
        struct capy_rack_server *s = &rack->server[i];
        if (!config_setting_get_member(rack_at(r, "servers", i, NULL), "mac"))
            memcpy(s->mac, (uint8_t[]){0x02, 0xca, s->ip[12], s->ip[13], s->ip[14], s->ip[15]}, 6);
    }
}

static int read_tree(struct rack_reader *r)
{
    int rc = check_outermost(r);
    for (unsigned g = 0; g < rack_group_cnt && rc == CAPY_OK; g++) {
        const config_setting_t *at = config_lookup(&r->config, rack_groups[g].path);
        if (at)
            rc = read_group(r, at, &rack_groups[g], (uint8_t *)r->rack);
    }
    if (rc == CAPY_OK)
        rc = read_client_ports(r);
    for (unsigned l = 0; l < rack_list_cnt && rc == CAPY_OK; l++)
        rc = read_list(r, &rack_lists[l]);
    if (rc != CAPY_OK || r->plain)
        return rc;
    derive(r);
    return rack_check(r);
}

int rack_read_file(struct rack_reader *r, FILE *file)
{
    config_init(&r->config);
    int rc;
    if (config_read(&r->config, file) == CONFIG_TRUE) {
        rc = read_tree(r);
    } else {
        (void)snprintf(r->err, r->err_len,
                       "%s:%d: %s; write key = value; with groups in { } and lists "
                       "in ( ), each key once",
                       r->rack->path, config_error_line(&r->config), config_error_text(&r->config));
        rc = CAPY_E_CONFIG;
    }
    config_destroy(&r->config);
    return rc;
}

int capy_rack_read(const char *path, struct capy_rack *rack, char *err, size_t err_len)
{
    struct rack_reader r = {.rack = rack, .err = err, .err_len = err_len};
    capy_rack_default(rack);
    if (strlen(path) >= sizeof rack->path) {
        (void)snprintf(err, err_len, "%.64s...: path too long; use at most %zu characters", path,
                       sizeof rack->path - 1);
        return CAPY_E_CONFIG;
    }
    memcpy(rack->path, path, strlen(path) + 1);
    FILE *file = fopen(path, "re");
    struct stat st;
    if (file && fstat(fileno(file), &st) == 0 && S_ISDIR(st.st_mode)) {
        (void)fclose(file); /* libconfig's scanner would end the program */
        file = NULL;
        errno = EISDIR;
    }
    if (!file) {
        (void)snprintf(err, err_len,
                       "%s: cannot read the rack file: %s; name an existing one with --rack FILE",
                       path, strerror(errno));
        return CAPY_E_CONFIG;
    }
    int rc = rack_read_file(&r, file);
    (void)fclose(file);
    return rc;
}
