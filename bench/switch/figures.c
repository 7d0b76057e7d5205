/* See figures.h. */
#include "figures.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUNDS = 15,
    FRAMES = 20000, /* of one run: some milliseconds */
    MANY = 4096,
    LEVELS = 2, /* the default directory */
    SLOTS = 65536,
};

/* Frames of one flow; of MANY flows, each once, after other tables were used; of MANY in turn, as they go on. */
enum turn { ONE, FIRST, TURNS, TURN_CNT };

static const char *const turn_name[TURN_CNT] = {"one", "first", "many"};

/* How full the directory is; from FEW on, all flows that are measured are in it. */
enum fill { NOTHING, FEW, HALF, FULL, FILLS };

static const char *const fill_name[FILLS] = {"empty", "few", "half", "full"};

static struct rack_flow unknown[MANY];

uint64_t plane_counter(struct plane *p, const char *name)
{
    uint64_t value = 0;
    const char *is;
    p->kind->count(p);
    for (unsigned i = 0; (is = capy_switch_counter(p->view, i, &value)) != NULL; i++)
        if (strcmp(is, name) == 0)
            return value;
    CAPY_ASSERT(false); /* no counter of the plane */
    return 0;
}

/* ---- planes ---- */

static void must_open(struct plane *p, const struct plane_kind *kind, uint32_t levels,
                      uint32_t slots)
{
    char err[256];
    *p = (struct plane){.kind = kind};
    rack_cfg(&p->cfg, levels, slots);
    if (!kind->open(p, err, sizeof err)) {
        fprintf(stderr, "switch: %s: %s\n", kind->name, err);
        exit(EXIT_FAILURE);
    }
    rack_begin(&p->cfg, kind->feed, p);
}

static uint32_t entries(struct plane *p)
{
    p->kind->count(p);
    return capy_switch_entry_cnt(p->view);
}

/* Announces flows until so many entries are there; not all find room. */
static void fill(struct plane *p, struct rack_flow (*flow)(uint32_t), uint32_t wanted)
{
    for (uint32_t n = 0; entries(p) < wanted; n += 64)
        for (uint32_t i = n; i < n + 64; i++)
            rack_announce(&p->cfg, p->kind->feed, p, flow(i));
}

/* One plane, filled, and its flows. */
struct filled {
    struct plane plane;
    struct rack_flow known[MANY];
};

static void open_filled(struct filled *f, const struct plane_kind *kind, enum fill how)
{
    const uint32_t slots = LEVELS * SLOTS;
    const uint32_t wanted[FILLS] = {0, MANY, slots / 2, slots - slots / 64};
    must_open(&f->plane, kind, LEVELS, SLOTS);
    if (how == NOTHING)
        return;
    fill(&f->plane, rack_flow_measured, MANY);
    uint32_t cnt = rack_flows_in(f->plane.view, f->known, MANY);
    CAPY_ASSERT(cnt == MANY);
    fill(&f->plane, rack_flow_filler, wanted[how]);
}

/* ---- figures ---- */

static bool is_hit(enum rack_way way)
{
    return way == RACK_HIT_FORWARD || way == RACK_HIT_REVERSE;
}

/* One run: nanoseconds per frame. Each frame must have been counted as what it should be. */
static double take(struct filled *f, enum rack_way way, uint32_t flow_cnt, bool bare, uint32_t cnt)
{
    struct rack_load load;
    struct plane *p = &f->plane;
    rack_load(&load, &p->cfg, way);
    const struct plane_run run = {.load = &load,
                                  .flow = is_hit(way) ? f->known : unknown,
                                  .flow_cnt = flow_cnt,
                                  .cnt = cnt,
                                  .bare = bare};
    uint64_t before = plane_counter(p, load.counter);
    double ns = p->kind->run(p, &run);
    uint64_t counted = plane_counter(p, load.counter) - before;
    if (ns < 0 || counted != (bare ? 0 : cnt)) {
        fprintf(stderr, "switch: %s %s: %llu of %u frames were %s\n", p->kind->name,
                rack_way_name(way), (unsigned long long)counted, cnt, load.counter);
        exit(EXIT_FAILURE);
    }
    return ns;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of one thing measured. */
struct series {
    double ns[ROUNDS], over[ROUNDS]; /* over the bare forwarder of the same round */
};

static json_t *summary(struct series *s, bool bare)
{
    qsort(s->ns, ROUNDS, sizeof *s->ns, by_value);
    qsort(s->over, ROUNDS, sizeof *s->over, by_value);
    json_t *j = json_pack("{s:f, s:[f,f]}", "ns", s->ns[ROUNDS / 2], "quartiles", s->ns[ROUNDS / 4],
                          s->ns[ROUNDS - 1 - ROUNDS / 4]);
    if (!bare)
        json_object_set_new(j, "over_bare_ns", json_real(s->over[ROUNDS / 2]));
    return j;
}

/* All of one kind, in one round. The last row is the bare forwarder's. */
struct table {
    struct filled *filled; /* FILLS of them */
    struct series series[FILLS + 1][RACK_WAYS][TURN_CNT];
};

/* Many in turn are so many that their first pass, which is cold, does not count for much: the kernel waits and patches
 * code before each run, and a pass before it would not warm anything. */
static double take_turn(struct filled *f, enum rack_way way, enum turn turn, bool bare)
{
    const uint32_t cnt[TURN_CNT] = {FRAMES, MANY, 48 * MANY};
    return take(f, way, turn == ONE ? 1 : MANY, bare, cnt[turn]);
}

static void take_way(struct table *t, unsigned round, enum rack_way way)
{
    double bare[TURN_CNT];
    for (enum turn turn = ONE; turn < TURN_CNT; turn++) {
        bare[turn] = take_turn(&t->filled[NOTHING], RACK_MISS, turn, true);
        t->series[FILLS][way][turn].ns[round] = bare[turn];
    }
    for (enum fill how = is_hit(way) ? FEW : NOTHING; how < FILLS; how++)
        for (enum turn turn = ONE; turn < TURN_CNT; turn++) {
            struct series *s = &t->series[how][way][turn];
            s->ns[round] = take_turn(&t->filled[how], way, turn, false);
            s->over[round] = s->ns[round] - bare[turn];
        }
}

static void take_round(struct table *t, unsigned round)
{
    for (enum rack_way way = 0; way < RACK_WAYS; way++)
        take_way(t, round, way);
}

static json_t *by_turn(struct series s[TURN_CNT], bool bare)
{
    json_t *j = json_object();
    for (enum turn turn = ONE; turn < TURN_CNT; turn++)
        json_object_set_new(j, turn_name[turn], summary(&s[turn], bare));
    return j;
}

static void put_program(json_t *to, const struct plane *p)
{
    uint32_t instructions, bytes;
    if (p->kind->program && p->kind->program(p, &instructions, &bytes))
        json_object_set_new(to, "whole_program",
                            json_pack("{s:I, s:I}", "bpf_instructions", (json_int_t)instructions,
                                      "machine_code_bytes", (json_int_t)bytes));
}

static void put_table(json_t *to, struct table *t)
{
    put_program(to, &t->filled[NOTHING].plane);
    json_object_set_new(to, "bare", by_turn(t->series[FILLS][RACK_MISS], true));
    for (enum fill how = 0; how < FILLS; how++) {
        json_t *row = json_pack("{s:I}", "entries", (json_int_t)entries(&t->filled[how].plane));
        for (enum rack_way way = 0; way < RACK_WAYS; way++)
            if (how != NOTHING || !is_hit(way))
                json_object_set_new(row, rack_way_name(way), by_turn(t->series[how][way], false));
        json_object_set_new(to, fill_name[how], row);
    }
}

void figures_take(json_t *all, const struct plane_kind *const *kind, unsigned kind_cnt)
{
    static struct table table[2];
    for (uint32_t i = 0; i < MANY; i++)
        unknown[i] = rack_flow_unknown(i);
    for (unsigned k = 0; k < kind_cnt; k++) {
        table[k].filled = calloc(FILLS, sizeof *table[k].filled);
        CAPY_ASSERT(table[k].filled);
        for (enum fill how = 0; how < FILLS; how++)
            open_filled(&table[k].filled[how], kind[k], how);
    }
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned k = 0; k < kind_cnt; k++)
            take_round(&table[k], round);
    for (unsigned k = 0; k < kind_cnt; k++) {
        put_table(json_object_get(all, kind[k]->name), &table[k]);
        for (enum fill how = 0; how < FILLS; how++)
            kind[k]->close(&table[k].filled[how].plane);
        free(table[k].filled);
    }
    json_object_set_new(all, "rounds", json_integer(ROUNDS));
}

/* ---- for callgrind ---- */

int figures_count(int argc, char **argv)
{
    static struct filled f;
    const bool bare = argc == 2 && strcmp(argv[0], "bare") == 0;
    enum fill how = NOTHING;
    enum rack_way way = bare ? RACK_MISS : RACK_FORWARD;
    while (!bare && how < FILLS && strcmp(fill_name[how], argv[0]) != 0)
        how++;
    while (argc == 3 && way < RACK_WAYS && strcmp(rack_way_name(way), argv[1]) != 0)
        way++;
    if (argc != (bare ? 2 : 3) || how == FILLS || way == RACK_WAYS)
        return 2;
    open_filled(&f, &plane_user, how);
    for (uint32_t i = 0; i < MANY; i++)
        unknown[i] = rack_flow_unknown(i);
    (void)take(&f, way, MANY, bare, (uint32_t)atoi(argv[argc - 1]));
    return EXIT_SUCCESS;
}
