/* Tables; see table.h. Out of memory ends the program: it is a tool that prints and exits. */
#define _GNU_SOURCE /* vasprintf */
#include "apps/ctl/table.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *mem)
{
    if (!mem) {
        fputs("capy ctl: out of memory\n", stderr);
        exit(1);
    }
    return mem;
}

static void add(struct ctl_table *t, char *text)
{
    if (t->cell_cnt == t->cell_room) {
        t->cell_room = t->cell_room ? 2 * t->cell_room : 128;
        t->cells = must(realloc(t->cells, t->cell_room * sizeof *t->cells));
    }
    size_t column = t->cell_cnt % t->column_cnt;
    if (strlen(text) > t->width[column])
        t->width[column] = strlen(text);
    t->cells[t->cell_cnt++] = text;
}

void ctl_table_init(struct ctl_table *t, const char *heading)
{
    *t = (struct ctl_table){0};
    for (const char *p = heading; *p; p += strspn(p, " ")) {
        t->right[t->column_cnt++] = *p == '#';
        p += strcspn(p, " ");
    }
    for (const char *p = heading; *p; p += strspn(p, " ")) {
        size_t len = strcspn(p, " ");
        add(t, must(strndup(p + (*p == '#'), len - (*p == '#'))));
        p += len;
    }
}

void ctl_cell(struct ctl_table *t, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    add(t, must(text));
}

void ctl_table_print(struct ctl_table *t, FILE *out)
{
    for (size_t i = 0; i < t->cell_cnt; i++) {
        size_t column = i % t->column_cnt;
        bool last = column + 1 == t->column_cnt;
        int width = (int)t->width[column];
        if (t->right[column])
            fprintf(out, "%*s", width, t->cells[i]);
        else
            fprintf(out, "%-*s", last ? 0 : width, t->cells[i]);
        fputs(last ? "\n" : "  ", out);
        free(t->cells[i]);
    }
    free(t->cells);
}
