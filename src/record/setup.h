/* The first block of a recording: what machine was recorded, and everything it was made of. Its numbers
 * and bytes are coded as those of calls are. */
#ifndef CAPY_RECORD_SETUP_H
#define CAPY_RECORD_SETUP_H

#include "base/siphash.h"
#include "record/format.h"
#include <stdbool.h>

enum capy_record_kind {
    CAPY_RECORD_HOST = 1, /* a stack, as src/sock runs it */
    CAPY_RECORD_PLANE,    /* the switch's plane, as switch/user runs it */
    CAPY_RECORD_KIND_END,
};

struct capy_record_setup {
    enum capy_record_kind kind;
    const char *build; /* of the program that recorded, for people */
    const char *calls; /* its table of calls as text: a replay needs the same */
    const char *self;  /* the server's name; "": a host in no rack, or the switch */
    bool whole_frames;
    uint64_t wall_ns;         /* since 1970, at `now` */
    uint64_t now;             /* when the machine was made */
    struct capy_key hash_key; /* random */
    uint64_t incarnation;     /* random; the switch's boot id */
    const char *rack;         /* the rack file's text */
    size_t rack_len;
};

/* Bytes written to out; 0: they do not fit cap. */
size_t capy_record_setup_encode(const struct capy_record_setup *setup, uint8_t *out, size_t cap);
/* Texts point into `in`, whose bytes are changed (each text gets an end). False: not a setup. */
bool capy_record_setup_decode(struct capy_record_setup *setup, uint8_t *in, size_t len);

/* Of this program. */
const char *capy_record_build(void);

#endif
