/* Migrations, as marks. See marks.h. */
#include "apps/load/marks.h"

#include "apps/common/jsonl.h"
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_MS 5000
#define FIRST_ROOM 1024u
#define NEITHER "no server's socket, nor a file of JSON lines"

struct reader {
    struct load_marks *m;
    uint64_t from_ns, to_ns;
    char *err; /* the first thing that went wrong */
    size_t err_len;
};

static int fail(struct reader *r, const char *path, const char *why)
{
    if (r->err[0] == '\0')
        snprintf(r->err, r->err_len, "--marks %s: %s", path, why);
    return -1;
}

static void add(struct load_marks *m, uint64_t at_ns, uint64_t mig_id)
{
    if (m->cnt == m->room) {
        m->room = m->room ? 2 * m->room : FIRST_ROOM;
        m->mark = realloc(m->mark, m->room * sizeof *m->mark);
        if (!m->mark) {
            fputs("capy load: out of memory for marks\n", stderr);
            exit(1);
        }
    }
    m->mark[m->cnt++] = (struct load_mark){at_ns, mig_id};
}

static uint64_t number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static void take_sample(struct reader *r, const json_t *sample)
{
    const char *step = json_string_value(json_object_get(sample, "step"));
    if (!json_object_get(sample, "at_ns") || (step && strcmp(step, "import") != 0))
        return;
    const char *id = json_string_value(json_object_get(sample, "mig_id"));
    uint64_t at = number(sample, "at_ns") + number(sample, "duration_ns");
    if (at >= r->from_ns && at <= r->to_ns)
        add(r->m, at, id ? strtoull(id, NULL, 16) : 0);
}

/* One object: a sample, or a server's answer with many. */
static void take_object(struct reader *r, const json_t *object)
{
    size_t i;
    json_t *sample;
    take_sample(r, object);
    json_array_foreach(json_object_get(object, "samples"), i, sample)
    {
        take_sample(r, sample);
    }
}

/* A server keeps so many samples: are those of the time that we ask for no longer all there? */
static bool lacks_some(const struct reader *r, const json_t *page)
{
    const json_t *oldest = json_array_get(json_object_get(page, "samples"), 0);
    return number(page, "first") > 0 && oldest && number(oldest, "at_ns") > r->from_ns;
}

static int read_socket(struct reader *r, const char *path)
{
    uint64_t next = 0;
    int rc = 0;
    for (bool more = true; more;) {
        json_t *page = capy_jsonl_ask(
            path, json_pack("{s:s, s:I}", "cmd", "samples", "since", (json_int_t)next), ANSWER_MS);
        if (!page)
            return fail(r, path, strerror(errno));
        if (!json_object_get(page, "samples")) {
            json_decref(page);
            return fail(r, path, NEITHER);
        }
        if (next == 0 && lacks_some(r, page))
            rc = fail(r, path, "keeps its latest samples only, and had more in this time");
        take_object(r, page);
        next = number(page, "next");
        more = json_is_true(json_object_get(page, "more"));
        json_decref(page);
    }
    return rc;
}

static int read_file(struct reader *r, const char *path)
{
    FILE *in = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    int rc = 0;
    if (!in)
        return fail(r, path, strerror(errno));
    while (getline(&line, &room, in) > 0) {
        if (line[strspn(line, " \t\r\n")] == '\0')
            continue;
        json_t *object = json_loads(line, 0, NULL);
        if (json_is_object(object))
            take_object(r, object);
        else
            rc = fail(r, path, NEITHER);
        json_decref(object);
    }
    free(line);
    fclose(in);
    return rc;
}

/* Its sockets, but for those that are no server's. */
static bool is_server_socket(const char *name)
{
    size_t len = strlen(name);
    return len > 5 && strcmp(name + len - 5, ".sock") == 0 && strcmp(name, "switch.sock") != 0 &&
           strcmp(name, "rack.sock") != 0;
}

static int read_directory(struct reader *r, const char *path)
{
    char file[600];
    DIR *dir = opendir(path);
    int rc = 0;
    bool any = false;
    if (!dir)
        return fail(r, path, strerror(errno));
    for (struct dirent *d; (d = readdir(dir));) {
        if (!is_server_socket(d->d_name))
            continue;
        any = true;
        snprintf(file, sizeof file, "%s/%s", path, d->d_name);
        if (read_socket(r, file) < 0)
            rc = -1;
    }
    closedir(dir);
    return any ? rc : fail(r, path, "no server's control socket in it");
}

static int by_time(const void *a, const void *b)
{
    const struct load_mark *x = a, *y = b;
    return (x->at_ns > y->at_ns) - (x->at_ns < y->at_ns);
}

static int by_migration(const void *a, const void *b)
{
    const struct load_mark *x = a, *y = b;
    if (x->mig_id != y->mig_id)
        return x->mig_id < y->mig_id ? -1 : 1;
    return by_time(a, b);
}

/* State in several pieces is several samples; the connection runs when the last one is in. */
static void keep_last_of_each(struct load_marks *m)
{
    size_t kept = 0;
    if (m->cnt == 0)
        return;
    qsort(m->mark, m->cnt, sizeof *m->mark, by_migration);
    for (size_t i = 0; i < m->cnt; i++) {
        uint64_t id = m->mark[i].mig_id;
        if (id == 0 || i + 1 == m->cnt || m->mark[i + 1].mig_id != id)
            m->mark[kept++] = m->mark[i];
    }
    m->cnt = kept;
    qsort(m->mark, m->cnt, sizeof *m->mark, by_time);
}

int load_marks_read(struct load_marks *m, const char *path, uint64_t from_ns, uint64_t to_ns,
                    char *err, size_t err_len)
{
    struct reader r = {m, from_ns, to_ns, err, err_len};
    struct stat st;
    err[0] = '\0';
    int rc = stat(path, &st) < 0    ? fail(&r, path, strerror(errno))
             : S_ISDIR(st.st_mode)  ? read_directory(&r, path)
             : S_ISSOCK(st.st_mode) ? read_socket(&r, path)
                                    : read_file(&r, path);
    keep_last_of_each(m);
    return rc;
}

void load_marks_free(struct load_marks *m)
{
    free(m->mark);
    *m = (struct load_marks){0};
}
