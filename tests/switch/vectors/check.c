/* The lines of a vector that say what must be: frames out, entries of the directory, counters. Each
 * is compared whole: a frame to the last byte, a directory to the last entry, counters to the last
 * one that moved. */
#include "describe.h"
#include "world.h"
#include <stdio.h>
#include <string.h>

/* ---- frames ---- */

/* "flood" may be one frame or one per port but the ingress. */
static bool same_frame(const struct world *w, unsigned i, uint16_t port, const struct frame *f)
{
    return !w->said[i] && w->out.frame[i].port == port && w->out.frame[i].len == f->len &&
           memcmp(w->out.frame[i].data, f->data, f->len) == 0;
}

static void hexdump(const char *title, const uint8_t *p, size_t len, size_t mark)
{
    printf("  %s\n", title);
    for (size_t at = 0; at < len; at += 16) {
        printf("    %04zx ", at);
        for (size_t i = at; i < at + 16 && i < len; i++)
            printf(i == mark ? "[%02x]" : " %02x ", p[i]);
        putchar('\n');
    }
}

static void show_difference(struct world *w, const struct frame *f, unsigned i)
{
    const uint8_t *got = w->out.frame[i].data;
    size_t len = w->out.frame[i].len, at = 0;
    while (at < len && at < f->len && got[at] == f->data[at])
        at++;
    if (at == len && at == f->len)
        return;
    printf("  they differ at byte %zu (lengths %zu and %zu)\n", at, f->len, len);
    hexdump("expected", f->data, f->len < 224 ? f->len : 224, at);
    hexdump("got", got, len < 224 ? len : 224, at);
}

static void show_frame(struct world *w, const char *title, uint16_t port, const uint8_t *data,
                       size_t len)
{
    char text[DESCRIBE_MAX];
    printf("  %-9s %s %s\n", title, place_port_name(port), describe(w->rack, data, len, text));
}

static void check_out(struct world *w, struct words *words)
{
    static struct frame f;
    struct spec s;
    uint16_t port = place_port(words);
    if (w->open != OPEN_FRAMES)
        words_bad(words, "\"out\" without an \"in\" before it");
    spec_read(words, &w->last, &s);
    build_out(w->rack, &s, port, &f);
    for (unsigned i = 0; i < w->out.cnt; i++)
        if (same_frame(w, i, port, &f)) {
            w->said[i] = true;
            return;
        }
    world_fail(w, words, "%s", "");
    show_frame(w, "expected", port, f.data, f.len);
    for (unsigned i = 0; i < w->out.cnt; i++) {
        if (w->said[i])
            continue;
        show_frame(w, "got", w->out.frame[i].port, w->out.frame[i].data, w->out.frame[i].len);
        if (w->out.frame[i].port == port)
            show_difference(w, &f, i);
        w->said[i] = true; /* said once */
    }
    if (w->out.cnt == 0)
        printf("  got       nothing\n");
}

/* ---- the directory ---- */

static void list_entries(struct world *w, struct words *words)
{
    uint32_t cursor = 0;
    w->entry_cnt = 0;
    memset(w->entry_said, 0, sizeof w->entry_said);
    while (w->plane->directory(w->sw, &cursor, &w->entry[w->entry_cnt]))
        if (++w->entry_cnt == WORLD_ENTRIES_MAX)
            words_bad(words, "more than %u entries", WORLD_ENTRIES_MAX);
}

static void show_entry(struct world *w, const struct capy_switch_entry_info *e)
{
    char owner[8] = "?", previous[8] = "?";
    if (e->owner < SERVERS)
        snprintf(owner, sizeof owner, "s%u", e->owner + 1u);
    if (e->previous < SERVERS)
        snprintf(previous, sizeof previous, "s%u", e->previous + 1u);
    printf("  entry     %s:%u > %s:%u %s %u %s:%u from %s:%u%s%s\n",
           place_of_address(w->rack, e->key.client.b), e->key.client_port,
           place_of_address(w->rack, e->key.home.b), e->key.home_port, spec_phases[e->phase],
           e->epoch, owner, e->owner_port, previous, e->previous_port, e->served ? " served" : "",
           e->owner_dead ? " dead" : "");
}

/* "entry CLIENT > HOME PHASE EPOCH OWNER:PORT from PREVIOUS:PORT [served] [dead]" */
static struct capy_switch_entry_info read_entry(struct world *w, struct words *words)
{
    struct capy_switch_entry_info e = {0};
    struct place client, home, owner, previous;
    spec_flow(words, &client, &home);
    place_address(w->rack, &client, e.key.client.b);
    place_address(w->rack, &home, e.key.home.b);
    e.key.client_port = client.port;
    e.key.home_port = home.port;
    e.phase = (enum capy_phase)spec_index(words, spec_phases, "phase");
    e.epoch = (uint32_t)words_number(words, UINT32_MAX);
    owner = place_read(words);
    previous = owner;
    if (words_take(words, "from"))
        previous = place_read(words);
    e.owner = (uint16_t)(owner.n - 1);
    e.owner_port = owner.port;
    e.previous = (uint16_t)(previous.n - 1);
    e.previous_port = previous.port;
    e.served = words_take(words, "served");
    e.owner_dead = words_take(words, "dead");
    return e;
}

static bool same_entry(const struct capy_switch_entry_info *a,
                       const struct capy_switch_entry_info *b)
{
    return capy_flow_key_eq(&a->key, &b->key) && a->phase == b->phase && a->epoch == b->epoch &&
           a->owner == b->owner && a->owner_port == b->owner_port && a->previous == b->previous &&
           a->previous_port == b->previous_port && a->served == b->served &&
           a->owner_dead == b->owner_dead;
}

static void check_entry(struct world *w, struct words *words)
{
    if (w->open != OPEN_ENTRIES) {
        world_close_group(w, words);
        list_entries(w, words);
        w->open = OPEN_ENTRIES;
    }
    if (words_take(words, "none"))
        return;
    const struct capy_switch_entry_info e = read_entry(w, words);
    for (unsigned i = 0; i < w->entry_cnt; i++)
        if (!w->entry_said[i] && same_entry(&w->entry[i], &e)) {
            w->entry_said[i] = true;
            return;
        }
    world_fail(w, words, "  the directory has no such entry; it has %u:\n", w->entry_cnt);
    for (unsigned i = 0; i < w->entry_cnt; i++) {
        show_entry(w, &w->entry[i]);
        w->entry_said[i] = true;
    }
}

void check_leftovers(struct world *w, const struct words *words)
{
    unsigned left = 0;
    for (unsigned i = 0; w->open == OPEN_FRAMES && i < w->out.cnt; i++)
        left += !w->said[i];
    for (unsigned i = 0; w->open == OPEN_ENTRIES && i < w->entry_cnt; i++)
        left += !w->entry_said[i];
    if (left == 0)
        return;
    world_fail(w, words, "  and this the lines before do not say:\n");
    for (unsigned i = 0; w->open == OPEN_FRAMES && i < w->out.cnt; i++)
        if (!w->said[i])
            show_frame(w, "out", w->out.frame[i].port, w->out.frame[i].data, w->out.frame[i].len);
    for (unsigned i = 0; w->open == OPEN_ENTRIES && i < w->entry_cnt; i++)
        if (!w->entry_said[i])
            show_entry(w, &w->entry[i]);
}

/* ---- counters ---- */

static bool is_counted(const char *name)
{
    return strcmp(name, "frames_in") != 0;
}

void check_count_base(struct world *w)
{
    uint64_t value;
    for (unsigned i = 0; i < WORLD_COUNTERS_MAX && w->plane->counter(w->sw, i, &value); i++)
        w->count[i] = value;
}

/* "count NAME [N] ...": what moved since the last "count", and nothing else did. */
static void check_count(struct world *w, struct words *words)
{
    uint64_t said[WORLD_COUNTERS_MAX] = {0}, value;
    const char *name;
    while (!words_end(words)) {
        const char *wanted = words_next(words);
        unsigned i = 0;
        if (strcmp(wanted, "nothing") == 0)
            break;
        while ((name = w->plane->counter(w->sw, i, &value)) && strcmp(name, wanted) != 0)
            i++;
        if (!name)
            words_bad(words, "\"%s\" is no counter; switch/core/state.h lists them", wanted);
        said[i] = words_is_number(words) ? words_number(words, UINT64_MAX) : 1;
    }
    bool right = true;
    for (unsigned i = 0; (name = w->plane->counter(w->sw, i, &value)) != NULL; i++)
        right = right && (!is_counted(name) || value - w->count[i] == said[i]);
    if (!right) {
        world_fail(w, words, "  counters moved by");
        for (unsigned i = 0; (name = w->plane->counter(w->sw, i, &value)) != NULL; i++)
            if (is_counted(name) && value != w->count[i])
                printf(" %s %llu", name, (unsigned long long)(value - w->count[i]));
        putchar('\n');
    }
    check_count_base(w);
}

bool check_step(struct world *w, struct words *words)
{
    if (words_take(words, "out")) {
        check_out(w, words);
    } else if (words_take(words, "entry")) {
        check_entry(w, words);
    } else if (words_take(words, "count")) {
        world_close_group(w, words);
        check_count(w, words);
    } else {
        return false;
    }
    return true;
}
