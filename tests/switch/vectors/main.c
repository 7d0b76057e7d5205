/* Runs vectors on a plane:
 *
 *     vectors PLANE FILE... [--only WORD] [--left-out FILE]
 *
 * The file of those left out names, a line each, vectors that the plane does not honour: "WORDS: why not".
 * Exit status 0 when all hold, 1 when one does not, 2 on a file that is no vector file, 77 when the
 * plane cannot run here, with the reason as the last line. */
#include "world.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct plane *const planes[] = {&plane_user, &plane_xdp, &plane_bmv2};
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
    FILE *left_out; /* or NULL */
    unsigned vectors, runs, failed, unfed, not_honoured;
};

/* True, and said why, when this plane does not honour it. */
static bool is_left_out(struct tally *t, const char *name)
{
    const size_t len = strlen(name);
    char line[LINE_MAX];
    if (!t->left_out)
        return false;
    rewind(t->left_out);
    while (fgets(line, sizeof line, t->left_out))
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            printf("left out: \"%s\"%s", name, line + len);
            return true;
        }
    return false;
}

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
    if (is_left_out(t, v->name)) {
        t->not_honoured++;
        return;
    }
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

static FILE *open_list(const char *file)
{
    FILE *f = fopen(file, "r");
    if (!f) {
        fprintf(stderr, "%s: cannot be read; name the list of vectors to leave out\n", file);
        exit(2);
    }
    return f;
}

/* Those at the end; what is left of argc. */
static int read_options(struct tally *t, int argc, char **argv)
{
    for (; argc > 4 && strncmp(argv[argc - 2], "--", 2) == 0; argc -= 2) {
        if (strcmp(argv[argc - 2], "--only") == 0)
            t->only = argv[argc - 1];
        else if (strcmp(argv[argc - 2], "--left-out") == 0)
            t->left_out = open_list(argv[argc - 1]);
    }
    return argc;
}

int main(int argc, char **argv)
{
    struct tally t = {.plane = argc > 2 ? find(argv[1]) : NULL};
    if (!t.plane) {
        fprintf(stderr, "usage: vectors PLANE FILE... [--only WORDS] [--left-out FILE]; planes:");
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
    argc = read_options(&t, argc, argv);
    for (int i = 2; i < argc; i++)
        run_file(&t, argv[i]);
    printf("%u vectors on %s, %u runs: %u left out, %u failed", t.vectors, t.plane->name, t.runs,
           t.unfed, t.failed);
    if (t.not_honoured)
        printf("; %u more vectors are not this plane's", t.not_honoured);
    putchar('\n');
    return t.failed != 0 || t.runs == 0;
}
