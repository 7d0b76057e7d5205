/* Runs vectors on a plane:
 *
 *     vectors PLANE FILE... [--only WORD]
 *
 * Exit status 0 when all hold, 1 when one does not, 2 on a file that is no vector file, 77 when the
 * plane cannot run here, with the reason as the last line. */
#include "world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct plane *const planes[] = {&plane_user, &plane_xdp};
enum { SKIPPED = 77 };
enum { PLANES = sizeof planes / sizeof planes[0] };

#define VECTOR_LINES_MAX 200u

/* A vector: a heading "vector WORDS", what it needs, and its steps. */
struct vector {
    char name[160];
    unsigned first_line, cnt;
    char line[VECTOR_LINES_MAX][LINE_MAX];
    bool rack[RACK_KINDS];
};

struct tally {
    const struct plane *plane;
    const char *only;
    unsigned vectors, runs, failed, unfed;
};

static void run_in(struct tally *t, const char *file, const struct vector *v, enum rack_kind rack)
{
    static struct world w;
    static struct words words;
    world_begin(&w, t->plane, rack, v->name);
    for (unsigned i = 0; i < v->cnt; i++) {
        words_split(&words, file, v->first_line + i, v->line[i]);
        if (words.cnt)
            world_step(&w, &words, v->line[i]);
    }
    world_end(&w, &words);
    t->runs++;
    t->failed += w.failures != 0;
    t->unfed += w.unfed;
    if (w.unfed)
        printf("left out: \"%s\" has a frame that plane %s cannot be fed\n", v->name,
               t->plane->name);
}

static void run(struct tally *t, const char *file, const struct vector *v)
{
    if (!v->name[0] || (t->only && !strstr(v->name, t->only)))
        return;
    t->vectors++;
    for (int rack = 0; rack < RACK_KINDS; rack++)
        if (v->rack[rack])
            run_in(t, file, v, (enum rack_kind)rack);
}

/* "vector NAME" or "vector NAME (only v4 both)" */
static void begin(struct vector *v, const char *heading, unsigned line)
{
    size_t len = strcspn(heading, "\n(");
    const char *only = strstr(heading, "(only ");
    while (len > 0 && heading[len - 1] == ' ')
        len--;
    snprintf(v->name, sizeof v->name, "%.*s", (int)len, heading);
    v->first_line = line + 1;
    v->cnt = 0;
    for (int rack = 0; rack < RACK_KINDS; rack++)
        v->rack[rack] = !only || strstr(only, rack_names[rack]);
}

static void run_file(struct tally *t, const char *file)
{
    static struct vector v;
    char line[LINE_MAX];
    unsigned number = 0;
    FILE *f = fopen(file, "r");
    if (!f) {
        fprintf(stderr, "%s: cannot be read; name a vector file\n", file);
        exit(2);
    }
    v.name[0] = 0;
    while (fgets(line, sizeof line, f)) {
        number++;
        if (strncmp(line, "vector ", 7) == 0) {
            run(t, file, &v);
            begin(&v, line + 7, number);
        } else if (v.name[0] && v.cnt < VECTOR_LINES_MAX) {
            memcpy(v.line[v.cnt++], line, sizeof line);
        } else if (v.name[0] || (line[0] != '#' && line[0] != '\n')) {
            fprintf(stderr, "%s:%u: outside of a vector, or a vector of more than %u lines\n", file,
                    number, VECTOR_LINES_MAX);
            exit(2);
        }
    }
    run(t, file, &v);
    fclose(f);
}

static const struct plane *find(const char *name)
{
    for (size_t i = 0; i < PLANES; i++)
        if (strcmp(planes[i]->name, name) == 0)
            return planes[i];
    return NULL;
}

/* False, and why: a plane may need root, a kernel, or a program that is not here. */
static bool can_run(const struct plane *plane, const char **why)
{
    static struct world w;
    world_begin(&w, plane, RACK_V4, "can it run?");
    w.cfg.boot_id = 1;
    void *sw = plane->open(&w.cfg, w.now, why);
    if (sw)
        plane->close(sw);
    return sw != NULL;
}

int main(int argc, char **argv)
{
    struct tally t = {.plane = argc > 2 ? find(argv[1]) : NULL};
    if (!t.plane) {
        fprintf(stderr, "usage: vectors PLANE FILE... [--only WORDS]; planes:");
        for (size_t i = 0; i < PLANES; i++)
            fprintf(stderr, " %s", planes[i]->name);
        fputc('\n', stderr);
        return 2;
    }
    const char *why = "no reason given";
    if (!can_run(t.plane, &why)) {
        printf("plane %s: %s\n", t.plane->name, why);
        return SKIPPED;
    }
    if (argc > 4 && strcmp(argv[argc - 2], "--only") == 0) {
        t.only = argv[argc - 1];
        argc -= 2;
    }
    for (int i = 2; i < argc; i++)
        run_file(&t, argv[i]);
    printf("%u vectors on %s, %u runs: %u left out, %u failed\n", t.vectors, t.plane->name, t.runs,
           t.unfed, t.failed);
    return t.failed != 0 || t.runs == 0;
}
