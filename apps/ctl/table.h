/* A table for people: rows of cells, columns as wide as their widest cell. */
#ifndef CAPY_APPS_CTL_TABLE_H
#define CAPY_APPS_CTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CTL_COLUMN_MAX 16u

struct ctl_table {
    unsigned column_cnt, at; /* at: column of the next cell */
    size_t width[CTL_COLUMN_MAX];
    bool right[CTL_COLUMN_MAX]; /* numbers */
    char **cells;               /* row by row; the first row is the heading */
    size_t cell_cnt, cell_room;
};

/* heading: names separated by spaces; a name that begins with '#' heads a column of numbers. */
void ctl_table_init(struct ctl_table *t, const char *heading);
/* The next cell, left to right. */
void ctl_cell(struct ctl_table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints and frees. */
void ctl_table_print(struct ctl_table *t, FILE *out);

#endif
