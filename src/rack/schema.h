/* The keys of a rack file as tables: one row per key, with its place in struct capy_rack, its range
 * and what to write instead of a wrong value. Reading, range checks, the list of known keys in
 * error lines and writing all come from these rows, so they cannot disagree. Constant data;
 * room-internal. */
#ifndef CAPY_RACK_SCHEMA_H
#define CAPY_RACK_SCHEMA_H

#include "capy/rack.h"

enum rack_type {
    RACK_U8,
    RACK_U16,
    RACK_U32,
    RACK_BOOL,
    RACK_TEXT, /* max: longest text in bytes, without its NUL */
    RACK_IP,
    RACK_MAC,
    RACK_KEY,   /* 32 hex digits */
    RACK_INNER, /* a group or list that has its own rows: here only to be a known key */
};

struct rack_field {
    const char *name;
    enum rack_type type;
    size_t offset;    /* in struct capy_rack, or in one member of a list */
    int64_t min, max; /* of integers */
    bool required;
    const char *remedy; /* what to write, for error lines */
};

struct rack_group {
    const char *path; /* as in error lines and in the file: "rack", "switch.directory" */
    const struct rack_field *fields;
    unsigned field_cnt;
};

/* Single groups: fields are offsets in struct capy_rack. Inner groups come after their outer. */
extern const struct rack_group rack_groups[];
extern const unsigned rack_group_cnt;

/* Lists of groups: fields are offsets in one member. */
struct rack_list {
    struct rack_group group;
    size_t array, stride, cnt; /* offsets of the array and its count; size of a member */
    unsigned cnt_max;
    bool required;
};

extern const struct rack_list rack_lists[];
extern const unsigned rack_list_cnt;

#endif
