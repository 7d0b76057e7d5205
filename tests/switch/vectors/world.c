/* The steps of a vector: time, configuration, frames in; contract in world.h. */
#include "world.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIG_PORT_FIRST = 61440 };

void world_fail(struct world *w, const struct words *words, const char *format, ...)
{
    va_list args;
    w->failures++;
    printf("FAIL %s:%u: \"%s\" (plane %s, rack %s)\n", words->file, words->line, w->vector,
           w->plane->name, rack_names[w->rack]);
    if (w->input[0])
        printf("  after     %s\n", w->input);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
}

/* ---- configuration ---- */

static struct capy_ip ip_of(enum rack_kind rack, uint8_t n, uint8_t version)
{
    struct capy_ip ip;
    struct place p = {.n = n, .version = version};
    place_address(rack, &p, ip.b);
    return ip;
}

static struct capy_mac mac_of(uint8_t n)
{
    struct capy_mac mac;
    place_mac(n, mac.b);
    return mac;
}

void world_begin(struct world *w, const struct plane *plane, enum rack_kind rack,
                 const char *vector)
{
    uint8_t primary = rack == RACK_V6 ? '6' : '4';
    struct capy_switch_cfg *c = &w->cfg;
    *w = (struct world){.plane = plane, .rack = rack, .vector = vector, .now = CAPY_SEC(1)};
    capy_switch_cfg_default(c);
    c->mac = mac_of(PLACE_SW);
    c->ip = ip_of(rack, PLACE_SW, primary);
    c->key = (struct capy_key){BUILD_KEY0, BUILD_KEY1};
    c->hash_key = (struct capy_key){3, 4};
    c->slots = 1024;
    c->port_cnt = PORTS;
    c->server_cnt = SERVERS;
    if (rack == RACK_BOTH)
        c->ip6 = ip_of(rack, PLACE_SW, '6');
    for (uint16_t i = 0; i < SERVERS; i++) {
        c->role[i] = CAPY_PORT_SERVER;
        c->server[i].ip = ip_of(rack, (uint8_t)(i + 1), primary);
        if (rack == RACK_BOTH)
            c->server[i].ip6 = ip_of(rack, (uint8_t)(i + 1), '6');
        c->server[i].mac = mac_of((uint8_t)(i + 1));
        c->server[i].port = i;
    }
}

/* "vip maglev 80 443": the service address, its policy and its ports. */
static void configure_vip(struct world *w, struct words *words)
{
    struct capy_switch_cfg *c = &w->cfg;
    static const char *const policies[] = {"maglev", "least_loaded", NULL};
    c->vip.ip = ip_of(w->rack, PLACE_VIP, w->rack == RACK_V6 ? '6' : '4');
    if (w->rack == RACK_BOTH)
        c->vip.ip6 = ip_of(w->rack, PLACE_VIP, '6');
    c->vip.policy = spec_index(words, policies, "policy");
    while (words_is_number(words) && c->vip.port_cnt < CAPY_VIP_PORT_CNT)
        c->vip.port[c->vip.port_cnt++] = (uint16_t)words_number(words, 65535);
}

static void configure(struct world *w, struct words *words)
{
    struct capy_switch_cfg *c = &w->cfg;
    if (w->sw)
        words_bad(words, "config after the switch began; move it up");
    while (!words_end(words)) {
        if (words_take(words, "slots"))
            c->slots = (uint32_t)words_number(words, 1u << 20);
        else if (words_take(words, "levels"))
            c->levels = (uint32_t)words_number(words, 8);
        else if (words_take(words, "lease"))
            c->lease_ns = words_ns(words);
        else if (words_take(words, "learn"))
            c->learn_ns = words_ns(words);
        else if (words_take(words, "age"))
            c->age_ns = words_ns(words);
        else if (words_take(words, "linger"))
            c->linger_ns = words_ns(words);
        else if (words_take(words, "noip6"))
            memset(&c->server[place_server(words, words_next(words))].ip6, 0,
                   sizeof(struct capy_ip));
        else if (words_take(words, "vip")) /* POLICY PORT... */
            configure_vip(w, words);
        else if (words_take(words, "cold"))
            w->cold = true;
        else
            words_done(words);
    }
}

static void open_plane(struct world *w, struct words *words)
{
    const char *why = NULL;
    w->cfg.boot_id = ++w->boots;
    w->booted_at = w->now;
    w->sw = w->plane->open(&w->cfg, w->now, &why);
    if (!w->sw)
        words_bad(words, "plane %s does not start: %s", w->plane->name, why ? why : "?");
}

/* Past the learning time, with all servers heard. */
static void warm_up(struct world *w, struct words *words)
{
    struct words none = *words;
    none.cnt = none.at;
    w->now = w->booted_at + w->cfg.learn_ns;
    for (uint16_t i = 0; i < SERVERS; i++)
        shorthand_beat(w, i, &none);
    w->plane->expire(w->sw, w->now);
}

void world_boot(struct world *w, struct words *words)
{
    if (w->sw)
        return;
    open_plane(w, words);
    if (!w->cold)
        warm_up(w, words);
    w->input[0] = 0;
    check_count_base(w);
}

static void reboot(struct world *w, struct words *words)
{
    world_boot(w, words);
    w->plane->close(w->sw);
    open_plane(w, words);
    check_count_base(w);
}

/* ---- frames ---- */

void world_feed(struct world *w, uint16_t port, const struct spec *s)
{
    static struct frame frame;
    build_in(w->rack, s, &frame);
    memset(w->said, 0, sizeof w->said);
    w->out.cnt = 0;
    if (frame.len < w->plane->len_min) {
        w->unfed = true;
        return;
    }
    w->plane->input(w->sw, port, frame.data, frame.len, w->now, &w->out);
}

/* "in" is followed by all that comes out; of what "do" makes nothing is asked. */
static void input(struct world *w, struct words *words, bool asked)
{
    const struct spec before = w->last;
    uint16_t port = place_port(words);
    spec_read(words, &before, &w->last);
    world_feed(w, port, &w->last);
    w->open = asked ? OPEN_FRAMES : OPEN_NOTHING;
}

/* "at 30ms": since the vector began; "after 5ms": from now. */
static void set_time(struct world *w, struct words *words, bool absolute)
{
    uint64_t start = w->booted_at + (w->cold ? 0 : w->cfg.learn_ns), ns = words_ns(words);
    uint64_t to = absolute ? start + ns : w->now + ns;
    if (to < w->now)
        words_bad(words, "time does not go back");
    w->now = to;
}

static bool time_or_frame(struct world *w, struct words *words, const char *line)
{
    if (words_take(words, "in") || words_take(words, "do")) {
        bool asked = strcmp(words->word[0], "in") == 0;
        snprintf(w->input, sizeof w->input, "%.*s", (int)strcspn(line, "\n"), line);
        input(w, words, asked);
    } else if (words_take(words, "at")) {
        set_time(w, words, true);
    } else if (words_take(words, "after")) {
        set_time(w, words, false);
    } else if (words_take(words, "expire")) {
        w->plane->expire(w->sw, w->now);
    } else if (words_take(words, "reboot")) {
        reboot(w, words);
    } else {
        return false;
    }
    return true;
}

void world_close_group(struct world *w, const struct words *words)
{
    if (w->open != OPEN_NOTHING)
        check_leftovers(w, words);
    w->open = OPEN_NOTHING;
}

void world_step(struct world *w, struct words *words, const char *line)
{
    if (w->unfed)
        return;
    if (words_take(words, "config")) {
        configure(w, words);
        return;
    }
    world_boot(w, words);
    if (!check_step(w, words)) {
        world_close_group(w, words);
        if (!time_or_frame(w, words, line) && !shorthand_step(w, words))
            words_bad(words, "\"%s\" is no step; README.md lists them", words_peek(words));
    }
    words_done(words);
}

void world_end(struct world *w, struct words *words)
{
    if (!w->unfed)
        world_close_group(w, words);
    if (w->sw)
        w->plane->close(w->sw);
    w->sw = NULL;
}
