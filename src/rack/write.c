/* Writes a rack file from a value, every key, by the tables of schema.c. The file holds the rack's
 * key, so only its owner may read it; it appears whole or not at all. */
#include "rack/schema.h"
#include "rack/text.h"
#include "wire/addr.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_quoted(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            (void)fputc('\\', out);
        (void)fputc(*text, out);
    }
    (void)fputc('"', out);
}

static void write_value(FILE *out, const struct rack_field *f, const uint8_t *at)
{
    uint16_t u16 = 0;
    uint32_t u32 = 0;
    uint64_t key[2] = {0, 0};
    struct capy_ip ip = {{0}};
    struct capy_mac mac = {{0}};
    char text[CAPY_IP_TEXT_MAX];
    switch (f->type) {
    case RACK_U8:
        (void)fprintf(out, "%u", *at);
        break;
    case RACK_U16:
        memcpy(&u16, at, sizeof u16);
        (void)fprintf(out, "%u", u16);
        break;
    case RACK_U32:
        memcpy(&u32, at, sizeof u32);
        /* libconfig's plain integers are signed 32 bits */
        (void)fprintf(out, "%" PRIu32 "%s", u32, u32 > INT32_MAX ? "L" : "");
        break;
    case RACK_BOOL:
        (void)fputs(*at ? "true" : "false", out);
        break;
    case RACK_TEXT:
        write_quoted(out, (const char *)at);
        break;
    case RACK_IP:
        memcpy(ip.b, at, sizeof ip.b);
        write_quoted(out, capy_ip_format(&ip, text));
        break;
    case RACK_MAC:
        memcpy(mac.b, at, sizeof mac.b);
        write_quoted(out, capy_mac_format(&mac, text));
        break;
    case RACK_KEY:
        memcpy(key, at, sizeof key);
        (void)fprintf(out, "\"%016" PRIx64 "%016" PRIx64 "\"", key[0], key[1]);
        break;
    case RACK_INNER:
        break;
    }
}

/* An address that was left out is all zero, a text is empty; it stays out. */
static bool absent(const struct rack_field *f, const uint8_t *at)
{
    static const uint8_t none[16];
    return f->type == RACK_INNER || (f->type == RACK_IP && memcmp(at, none, sizeof none) == 0) ||
           (f->type == RACK_TEXT && !f->required && at[0] == 0);
}

static void write_fields(FILE *out, const struct rack_group *g, const uint8_t *base,
                         const char *before, const char *after)
{
    for (unsigned i = 0; i < g->field_cnt; i++) {
        const struct rack_field *f = &g->fields[i];
        if (absent(f, base + f->offset))
            continue;
        (void)fprintf(out, "%s%s = ", before, f->name);
        write_value(out, f, base + f->offset);
        (void)fprintf(out, ";%s", after);
    }
}

static void write_client_ports(FILE *out, const struct capy_rack *rack)
{
    (void)fputs("    client_ports = ( ", out);
    for (unsigned i = 0; i < rack->client_port_cnt; i++) {
        (void)fputs(i ? ", " : "", out);
        write_quoted(out, rack->client_port[i].device);
    }
    (void)fputs(" );\n", out);
}

void rack_print(FILE *out, const struct capy_rack *rack)
{
    const uint8_t *base = (const uint8_t *)rack;
    for (unsigned g = 0; g < rack_group_cnt; g++) {
        const struct rack_group *group = &rack_groups[g];
        if (strchr(group->path, '.'))
            continue; /* written inside its outer group */
        (void)fputs(group->path, out);
        (void)fputs(": {\n", out);
        write_fields(out, group, base, "    ", "\n");
        if (strcmp(group->path, "switch") == 0) {
            write_client_ports(out, rack);
            (void)fputs("    directory: {\n", out);
            write_fields(out, &rack_groups[g + 1], base, "        ", "\n");
            (void)fputs("    };\n", out);
        }
        (void)fputs("};\n", out);
    }
    for (unsigned l = 0; l < rack_list_cnt; l++) {
        const struct rack_list *list = &rack_lists[l];
        unsigned cnt;
        memcpy(&cnt, base + list->cnt, sizeof cnt);
        if (cnt == 0)
            continue;
        (void)fprintf(out, "%s = (\n", list->group.path);
        for (unsigned i = 0; i < cnt; i++) {
            (void)fputs("    { ", out);
            write_fields(out, &list->group, base + list->array + i * list->stride, "", " ");
            (void)fputs(i + 1 < cnt ? "},\n" : "}\n", out);
        }
        (void)fputs(");\n", out);
    }
}

int capy_rack_write(const struct capy_rack *rack, const char *path)
{
    char part[4096];
    int n = snprintf(part, sizeof part, "%s.part", path);
    if (n < 0 || (size_t)n >= sizeof part)
        return CAPY_E_INVAL;
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!out) {
        if (fd >= 0)
            (void)close(fd);
        return CAPY_E_SYS;
    }
    (void)fputs("# A Capybara rack; docs/operating.md explains every key.\n", out);
    rack_print(out, rack);
    bool failed = ferror(out) != 0;
    failed |= fclose(out) != 0;
    if (failed || rename(part, path) != 0) {
        (void)unlink(part);
        return CAPY_E_SYS;
    }
    return CAPY_OK;
}
