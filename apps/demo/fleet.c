/* The servers' control sockets. See fleet.h. */
#include "apps/demo/fleet.h"

#include "apps/common/jsonl.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MS 5000
#define MARKS_UNREAD_MAX 32768u /* half of the ring that a server keeps */
#define MARKS_OUT 3u /* samples that a migration leaves at its origin: prepare, export, free */
#define MARKS_IN 2u  /* and at its target: admit, import */

static uint64_t number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

/* The answer when it is ok; else NULL and one line in err. Steals question. */
static json_t *ask(struct demo_server *s, json_t *question, char *err, size_t err_len)
{
    json_t *answer = NULL;
    if (capy_jsonl_write(s->fd, question) == 0) {
        answer = capy_jsonl_read(s->fd, ANSWER_MS, NULL);
    }
    json_decref(question);
    if (!answer) {
        snprintf(err, err_len, "%s: %s", s->name, strerror(errno));
        return NULL;
    }
    const char *why = json_string_value(json_object_get(answer, "error"));
    if (why) {
        snprintf(err, err_len, "%s: %s", s->name, why);
        json_decref(answer);
        return NULL;
    }
    return answer;
}

int demo_fleet_open(struct demo_fleet *f, const struct capy_rack *rack, char *err, size_t err_len)
{
    char path[300];
    *f = (struct demo_fleet){0};
    for (; f->cnt < rack->server_cnt; f->cnt++) {
        struct demo_server *s = &f->server[f->cnt];
        snprintf(s->name, sizeof s->name, "%s", rack->server[f->cnt].name);
        snprintf(path, sizeof path, "%s/%s.sock", rack->run_dir, rack->server[f->cnt].name);
        s->fd = capy_jsonl_connect(path);
        if (s->fd < 0) {
            snprintf(err, err_len, "%s: %s", path, strerror(errno));
            return -1;
        }
    }
    json_t *status = ask(&f->server[0], json_pack("{s:s}", "cmd", "status"), err, err_len);
    if (!status) {
        return -1;
    }
    const char *driver = json_string_value(json_object_get(status, "driver"));
    snprintf(f->driver, sizeof f->driver, "%s", driver ? driver : "unknown");
    json_decref(status);
    return 0;
}

static int read_status(struct demo_server *s, char *err, size_t err_len)
{
    json_t *status = ask(s, json_pack("{s:s}", "cmd", "status"), err, err_len);
    if (!status) {
        return -1;
    }
    s->connections = (uint32_t)number(status, "connections");
    s->under_way = (uint32_t)(number(status, "migrating_out") + number(status, "migrating_in"));
    const json_t *moves = json_object_get(status, "moves");
    s->begun = number(moves, "to_start") + number(moves, "in_flight");
    s->moved_out = number(status, "migrations_out");
    s->moved_in = number(status, "migrations_in");
    s->mark_total = MARKS_OUT * s->moved_out + MARKS_IN * s->moved_in;
    json_decref(status);
    return 0;
}

/* Migrations that their server kept, whatever the reason. */
static int read_refused(struct demo_server *s, char *err, size_t err_len)
{
    static const char prefix[] = "kept_reason_";
    const char *key;
    json_t *value, *counters = ask(s, json_pack("{s:s}", "cmd", "counters"), err, err_len);
    if (!counters) {
        return -1;
    }
    s->refused = 0;
    json_object_foreach(json_object_get(counters, "migration"), key, value)
    {
        if (strncmp(key, prefix, sizeof prefix - 1) == 0) {
            s->refused += (uint64_t)json_integer_value(value);
        }
    }
    json_decref(counters);
    return 0;
}

/* One sample of a page. What is not understood is left out: its migration will miss a step. */
static void take_mark(struct demo_marks *marks, const json_t *row)
{
    const char *id = json_string_value(json_object_get(row, "mig_id"));
    const char *step = json_string_value(json_object_get(row, "step"));
    for (unsigned i = 0; id && step && i < DEMO_STEP_CNT; i++) {
        if (strcmp(step, demo_step_name[i]) == 0) {
            struct demo_mark mark = {.mig_id = strtoull(id, NULL, 16),
                                     .at_ns = number(row, "at_ns"),
                                     .duration_ns = number(row, "duration_ns"),
                                     .step = (enum demo_step)i};
            demo_marks_add(marks, &mark);
        }
    }
}

static int read_marks(struct demo_server *s, struct demo_marks *marks, char *err, size_t err_len)
{
    for (bool more = true; more;) {
        size_t i;
        json_t *row,
            *page =
                ask(s, json_pack("{s:s, s:I}", "cmd", "samples", "since", (json_int_t)s->mark_next),
                    err, err_len);
        if (!page) {
            return -1;
        }
        json_array_foreach(json_object_get(page, "samples"), i, row)
        {
            take_mark(marks, row);
        }
        s->mark_next = number(page, "next");
        more = json_is_true(json_object_get(page, "more"));
        json_decref(page);
    }
    return 0;
}

int demo_fleet_read(struct demo_fleet *f, struct demo_marks *marks, bool all, char *err,
                    size_t err_len)
{
    for (unsigned i = 0; i < f->cnt; i++) {
        struct demo_server *s = &f->server[i];
        if (read_status(s, err, err_len) < 0) {
            return -1;
        }
        if ((all || s->mark_total > s->mark_next + MARKS_UNREAD_MAX) &&
            read_marks(s, marks, err, err_len) < 0) {
            return -1;
        }
        if (all && read_refused(s, err, err_len) < 0) {
            return -1;
        }
    }
    return 0;
}

int demo_fleet_move(struct demo_fleet *f, uint64_t cnt, char *err, size_t err_len)
{
    uint64_t all = 0, left = cnt;
    for (unsigned i = 0; i < f->cnt; i++) {
        all += f->server[i].connections;
    }
    for (unsigned i = 0; i < f->cnt && all > 0; i++) {
        struct demo_server *s = &f->server[i];
        uint64_t share = (cnt * s->connections + all - 1) / all;
        share = share < left ? share : left;
        if (share == 0) {
            continue;
        }
        left -= share;
        json_t *answer = ask(
            s,
            json_pack("{s:s, s:I, s:n}", "cmd", "migrate_n", "count", (json_int_t)share, "target"),
            err, err_len);
        if (!answer) {
            return -1;
        }
        json_decref(answer);
    }
    return 0;
}

void demo_fleet_close(struct demo_fleet *f)
{
    for (unsigned i = 0; i < f->cnt; i++) {
        close(f->server[i].fd);
    }
    f->cnt = 0;
}

uint64_t demo_fleet_moved(const struct demo_fleet *f)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < f->cnt; i++) {
        sum += f->server[i].moved_out;
    }
    return sum;
}

uint64_t demo_fleet_refused(const struct demo_fleet *f)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < f->cnt; i++) {
        sum += f->server[i].refused;
    }
    return sum;
}

uint32_t demo_fleet_under_way(const struct demo_fleet *f)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < f->cnt; i++) {
        sum += f->server[i].under_way;
    }
    return sum;
}

uint64_t demo_fleet_begun(const struct demo_fleet *f)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < f->cnt; i++) {
        sum += f->server[i].begun;
    }
    return sum;
}
