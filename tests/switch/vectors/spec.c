/* A frame's description read from words; contract in spec.h, language in README.md. */
#include "spec.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const char *const spec_mig_types[] = {
    "NOTHING", "PREPARE_MIG", "PREPARE_MIG_ACK", "CONN_STATE", "CONN_STATE_ACK", "CANCEL",
    "NACK",    "HEARTBEAT",   "HEARTBEAT_ACK",   "ANNOUNCE",   "FLOW_CLOSED",    NULL};
const char *const spec_reasons[] = {
    "none",       "draining", "full",     "clash",     "hold_expired", "bad_state", "unknown",
    "no_service", "app_veto", "app_late", "no_answer", "state_late",   "version",   NULL};
const char *const spec_verdicts[] = {"NONE",  "OK",      "NO_TARGET", "FULL",
                                     "STALE", "SETTLED", "LEARNING",  NULL};
const char *const spec_phases[] = {"NONE", "PENDING", "SETTLED", NULL};
const char *const spec_errors[] = {"unreachable", "toobig", "exceeded", "parameter", NULL};

static const char *const kinds[] = {"",     "tcp",        "udp",   "mig",   "arp", "nd",
                                    "echo", "echo-reply", "error", "ether", "raw", NULL};

uint8_t spec_index(struct words *w, const char *const *list, const char *what)
{
    const char *word = words_next(w);
    for (uint8_t i = 0; list[i]; i++)
        if (strcmp(list[i], word) == 0)
            return i;
    words_bad(w, "\"%s\" is no %s", word, what);
}

void spec_flow(struct words *w, struct place *client, struct place *home)
{
    *client = place_read(w);
    words_expect(w, ">");
    *home = place_read(w);
}

/* ---- pieces ---- */

static uint8_t hex_digit(struct words *w, char c)
{
    if (!isxdigit((unsigned char)c))
        words_bad(w, "'%c' is no hexadecimal digit", c);
    return (uint8_t)(isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10);
}

static uint16_t read_hex(struct words *w, uint8_t *out, size_t max)
{
    const char *word = words_next(w);
    size_t len = strlen(word) / 2;
    if (strlen(word) % 2 != 0 || len > max)
        words_bad(w, "\"%s\" is not at most %zu bytes in hexadecimal", word, max);
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(hex_digit(w, word[2 * i]) << 4 | hex_digit(w, word[2 * i + 1]));
    return (uint16_t)len;
}

/* "SA", "F", ...; false when the next word is something else. */
static bool read_flags(struct words *w, uint8_t *out)
{
    static const char letters[] = "FSRPA";
    const char *word = words_peek(w);
    uint8_t flags = 0;
    if (!word || w->quoted[w->at])
        return false;
    for (const char *p = word; *p; p++) {
        const char *at = strchr(letters, *p);
        if (!at)
            return false;
        flags |= (uint8_t)(1u << (at - letters));
    }
    *out = flags;
    w->at++;
    return true;
}

/* "+N": how far a checksum is from right. */
static uint16_t read_error(struct words *w)
{
    const char *word = words_next(w);
    if (word[0] != '+')
        words_bad(w, "\"%s\" where +N should be", word);
    return (uint16_t)strtoul(word + 1, NULL, 0);
}

/* Extension headers by name, as long as they are some. rt1: with a segment left. */
static void read_extensions(struct words *w, struct spec *s)
{
    static const char *const names[] = {"hop", "dst", "rt", "rt1", "frag", "ah", NULL};
    static const uint8_t codes[] = {0, 60, 43, 143, 44, 51};
    s->extension_cnt = 0;
    for (const char *word; (word = words_peek(w)) != NULL; w->at++) {
        unsigned i = 0;
        while (names[i] && strcmp(names[i], word) != 0)
            i++;
        if (!names[i])
            return;
        if (s->extension_cnt == SPEC_EXTENSIONS_MAX)
            words_bad(w, "more than %u extension headers", SPEC_EXTENSIONS_MAX);
        s->extension[s->extension_cnt++] = codes[i];
    }
}

static void read_fragment(struct words *w, struct spec *s)
{
    char *end;
    const char *word = words_next(w);
    s->frag_set = true;
    s->frag_at = (uint16_t)(strtoul(word, &end, 10) / 8);
    s->frag_more = *end == '+';
    if (end == word || end[s->frag_more] != 0)
        words_bad(w, "\"%s\" is no fragment; write 0+, 1480+ or 2960", word);
}

static void read_bytes(struct words *w, struct spec *s)
{
    s->payload_len = (uint16_t)words_number(w, SPEC_PAYLOAD_MAX);
    for (unsigned i = 0; i < s->payload_len; i++)
        s->payload[i] = (uint8_t)(i * 7 + 1);
}

static bool read_payload(struct words *w, struct spec *s)
{
    if (words_end(w) || !w->quoted[w->at])
        return false;
    const char *text = words_next(w);
    s->payload_len = (uint16_t)strlen(text);
    memcpy(s->payload, text, s->payload_len);
    return true;
}

/* ---- what any frame may have ---- */

static bool read_layers(struct words *w, struct spec *s)
{
    if (words_take(w, "mac")) {
        s->mac_src_set = s->mac_dst_set = true;
        s->mac_src = place_read(w).n;
        words_expect(w, ">");
        s->mac_dst = place_read(w).n;
    } else if (words_take(w, "from")) {
        s->src = place_read(w);
    } else if (words_take(w, "to")) {
        s->dst = place_read(w);
    } else if (words_take(w, "vlan")) {
        s->vlan_set = true;
        s->vlan = (uint16_t)words_number(w, 4095);
    } else if (words_take(w, "ttl")) {
        s->ttl = (uint8_t)words_number(w, 255);
    } else if (words_take(w, "options")) {
        s->option_len = (uint8_t)words_number(w, 40);
    } else if (words_take(w, "ext")) {
        read_extensions(w, s);
    } else if (words_take(w, "frag")) {
        read_fragment(w, s);
    } else {
        return false;
    }
    return true;
}

static bool read_damage(struct words *w, struct spec *s)
{
    if (words_take(w, "check")) {
        s->check_none = words_take(w, "none");
        s->check_add = s->check_none ? 0 : read_error(w);
    } else if (words_take(w, "ipcheck")) {
        s->ip_check_add = read_error(w);
    } else if (words_take(w, "cut")) {
        s->cut = (uint16_t)words_number(w, 2000);
    } else if (words_take(w, "pad")) {
        s->pad = (uint16_t)words_number(w, 2000);
    } else if (words_take(w, "set")) {
        s->patch_at = (uint16_t)words_number(w, 2000);
        s->patch_len = (uint8_t)read_hex(w, s->patch, sizeof s->patch);
    } else {
        return false;
    }
    return true;
}

static bool read_numbers(struct words *w, struct spec *s)
{
    if (words_take(w, "seq"))
        s->seq = (uint32_t)words_number(w, UINT32_MAX);
    else if (words_take(w, "ack"))
        s->ack = (uint32_t)words_number(w, UINT32_MAX);
    else if (words_take(w, "win"))
        s->window = (uint16_t)words_number(w, 65535);
    else if (words_take(w, "about"))
        spec_flow(w, &s->about_src, &s->about_dst);
    else if (words_take(w, "mtu"))
        s->mtu = (uint16_t)words_number(w, 65535);
    else if (words_take(w, "type"))
        s->ether_type = (uint16_t)words_number(w, 65535);
    else if (words_take(w, "bytes"))
        read_bytes(w, s);
    else if (words_take(w, "solicited"))
        s->solicited = true;
    else if (words_take(w, "override"))
        s->override = true;
    else if (words_take(w, "nomac"))
        s->no_mac = true;
    else
        return false;
    return true;
}

/* ---- TCPMig ---- */

/* "=> VERDICT PHASE OWNER EPOCH": what the switch writes. */
static void read_verdict(struct words *w, struct spec_mig *m)
{
    m->verdict = spec_index(w, spec_verdicts, "verdict");
    m->phase = spec_index(w, spec_phases, "phase");
    m->owner = place_server(w, words_next(w));
    m->entry_epoch = (uint32_t)words_number(w, UINT32_MAX);
}

static bool read_mig_damage(struct words *w, struct spec_mig *m)
{
    if (words_take(w, "badtag"))
        m->bad_tag = true;
    else if (words_take(w, "badhash"))
        m->bad_hash = true;
    else if (words_take(w, "version"))
        m->version = (uint8_t)words_number(w, 255);
    else if (words_take(w, "mtype"))
        m->type = (uint8_t)words_number(w, 255);
    else if (words_take(w, "longer"))
        m->length_more = (int)words_number(w, 2000);
    else
        return false;
    return true;
}

static bool read_mig(struct words *w, struct spec_mig *m)
{
    if (words_take(w, "flow"))
        spec_flow(w, &m->client, &m->home);
    else if (words_take(w, "epoch"))
        m->epoch = (uint32_t)words_number(w, UINT32_MAX);
    else if (words_take(w, "id"))
        m->id = words_number(w, UINT64_MAX);
    else if (words_take(w, "port"))
        m->target_port = (uint16_t)words_number(w, 65535);
    else if (words_take(w, "origin"))
        m->origin = place_server(w, words_next(w));
    else if (words_take(w, "target"))
        m->target = place_server(w, words_next(w));
    else if (words_take(w, "reason"))
        m->reason = spec_index(w, spec_reasons, "reason");
    else if (words_take(w, "flags"))
        m->flags = (uint8_t)words_number(w, 255);
    else if (words_take(w, "offset"))
        m->offset = (uint32_t)words_number(w, UINT32_MAX);
    else if (words_take(w, "total"))
        m->total_set = (m->total = (uint32_t)words_number(w, UINT32_MAX), true);
    else if (words_take(w, "done")) /* all of so many bytes */
        m->total_set = (m->total = m->offset = (uint32_t)words_number(w, UINT32_MAX), true);
    else if (words_take(w, "=>"))
        read_verdict(w, m);
    else
        return read_mig_damage(w, m);
    return true;
}

/* The fields of a HEARTBEAT's or HEARTBEAT_ACK's payload, in any order, by name. */
static bool read_beat(struct words *w, struct spec *s)
{
    static const struct {
        uint8_t type;
        const char *name;
        uint8_t at, len;
    } fields[] = {
        {7, "load", 0, 4},   {7, "free", 4, 4},         {7, "draining", 8, 4},
        {7, "conns", 12, 4}, {7, "incarnation", 16, 8}, {7, "boot", 24, 8},
        {8, "boot", 0, 8},   {8, "learning", 8, 4},     {8, "minload", 12, 4},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (s->mig.type != fields[i].type || !words_take(w, fields[i].name))
            continue;
        uint64_t value = words_number(w, fields[i].len == 4 ? UINT32_MAX : UINT64_MAX);
        for (unsigned k = 0; k < fields[i].len; k++)
            s->payload[fields[i].at + k] = (uint8_t)(value >> (8 * (fields[i].len - 1u - k)));
        return true;
    }
    return false;
}

struct spec spec_mig_make(uint8_t type, const struct spec_mig *fields)
{
    struct spec s = {.kind = SPEC_MIG, .mig = *fields};
    s.mig.type = type;
    s.mig.version = 3;
    s.payload_len = type == 7 ? 32 : type == 8 ? 16 : 0;
    if (type == 7) {
        s.payload[6] = 0x03, s.payload[7] = 0xe8; /* 1000 free */
        s.payload[23] = 1;                        /* incarnation */
    }
    return s;
}

static void begin_mig(struct words *w, struct spec *s)
{
    const struct spec_mig usual = {.id = 77};
    *s = spec_mig_make(spec_index(w, spec_mig_types, "message type"), &usual);
    char pair[40];
    const char *word = words_next(w), *arrow = strstr(word, "->");
    if (!arrow || (size_t)(arrow - word) >= sizeof pair)
        words_bad(w, "\"%s\" where ORIGIN->TARGET should be", word);
    memcpy(pair, word, (size_t)(arrow - word));
    pair[arrow - word] = 0;
    s->mig.origin = place_server(w, pair);
    s->mig.target = place_server(w, arrow + 2);
}

/* ---- the beginning, by kind ---- */

/* "who A tell B" or "A is M tell B". */
static void begin_question(struct words *w, struct spec *s)
{
    s->is_reply = !words_take(w, "who");
    s->dst = place_read(w);
    if (s->is_reply) {
        words_expect(w, "is");
        s->answer = place_read(w).n;
    }
    words_expect(w, "tell");
    s->src = place_read(w);
}

static void begin_ends(struct words *w, struct spec *s)
{
    if (s->kind == SPEC_ERROR)
        s->error = spec_index(w, spec_errors, "ICMP error");
    spec_flow(w, &s->src, &s->dst);
    if (s->kind == SPEC_TCP)
        (void)read_flags(w, &s->flags);
    if (s->kind != SPEC_ERROR)
        return;
    words_expect(w, "about");
    spec_flow(w, &s->about_src, &s->about_dst);
}

static void begin(struct words *w, const struct spec *last, struct spec *s)
{
    *s = (struct spec){.seq = 1000, .ack = 2000, .window = 500, .id = 1, .sequence = 1};
    if (words_take(w, "same")) {
        *s = *last;
        if (s->kind == SPEC_NONE)
            words_bad(w, "\"same\" as what? there was no frame before");
        return;
    }
    s->kind = (enum spec_kind)spec_index(w, kinds, "kind of frame");
    switch (s->kind) {
    case SPEC_MIG:
        begin_mig(w, s);
        break;
    case SPEC_ARP:
    case SPEC_ND:
        begin_question(w, s);
        break;
    case SPEC_RAW:
        s->payload_len = read_hex(w, s->payload, sizeof s->payload);
        break;
    case SPEC_TCP:
    case SPEC_UDP:
    case SPEC_ECHO:
    case SPEC_ECHO_REPLY:
    case SPEC_ERROR:
    case SPEC_ETHER:
        begin_ends(w, s);
        break;
    case SPEC_NONE:
        words_bad(w, "a frame of no kind");
    }
}

void spec_more(struct words *w, struct spec *out)
{
    while (!words_end(w)) {
        bool known = read_payload(w, out) || read_layers(w, out) || read_damage(w, out) ||
                     (out->kind == SPEC_MIG && read_beat(w, out)) ||
                     (out->kind == SPEC_MIG && read_mig(w, &out->mig)) || read_numbers(w, out) ||
                     (out->kind == SPEC_TCP && read_flags(w, &out->flags));
        if (!known)
            words_done(w);
    }
}

void spec_read(struct words *w, const struct spec *last, struct spec *out)
{
    begin(w, last, out);
    spec_more(w, out);
}
