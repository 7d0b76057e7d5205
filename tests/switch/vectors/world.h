/* One vector running on one plane in one kind of rack: the switch's configuration, the time, what came
 * out, and what the vector still has to account for. */
#ifndef CAPY_TESTS_VECTORS_WORLD_H
#define CAPY_TESTS_VECTORS_WORLD_H

#include "build.h"
#include "plane.h"

#define WORLD_ENTRIES_MAX 64u
#define WORLD_COUNTERS_MAX 160u
#define WORLD_FANS_MAX 20000u

/* What must be said in whole, and in one group of lines: as long as the group goes on, what was
 * said is crossed off; at its end nothing may be left. */
enum world_open { OPEN_NOTHING, OPEN_FRAMES, OPEN_ENTRIES };

struct world {
    const struct plane *plane;
    enum rack_kind rack;
    const char *vector;
    struct capy_switch_cfg cfg;
    bool cold; /* do not wait for learning, nor send heartbeats */
    void *sw;  /* NULL: not booted yet */
    uint64_t booted_at, now;
    struct spec last; /* input */
    char input[LINE_MAX];
    struct plane_out out;
    bool said[PLANE_OUT_MAX];
    enum world_open open;
    struct capy_switch_entry_info entry[WORLD_ENTRIES_MAX];
    bool entry_said[WORLD_ENTRIES_MAX];
    unsigned entry_cnt;
    uint64_t count[WORLD_COUNTERS_MAX]; /* at the last "count" */
    uint64_t boots;
    uint8_t fan_of[WORLD_FANS_MAX]; /* the server of the i-th */
    unsigned failures;
    bool unfed; /* the plane cannot be fed one of its frames: nothing is judged */
};

void world_begin(struct world *w, const struct plane *plane, enum rack_kind rack,
                 const char *vector);
void world_end(struct world *w, struct words *words);

/* Carries out one line of a vector; w->failures counts what did not hold. */
void world_step(struct world *w, struct words *words, const char *line);

/* Pieces for the steps' files. */
void world_boot(struct world *w, struct words *words);
void world_feed(struct world *w, uint16_t port, const struct spec *s);
void world_fail(struct world *w, const struct words *words, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void world_close_group(struct world *w, const struct words *words);

/* check.c: lines that say what must be. */
bool check_step(struct world *w, struct words *words);
void check_leftovers(struct world *w, const struct words *words);
void check_count_base(struct world *w);

/* shorthand.c: lines that stand for several messages. */
bool shorthand_step(struct world *w, struct words *words);
void shorthand_beat(struct world *w, uint16_t server, struct words *words);

#endif
