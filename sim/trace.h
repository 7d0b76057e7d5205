/* The last events of a run, as plain values, cheap to keep and turned into text only for whoever
 * reads a failure, or asks for all of it. */
#ifndef CAPY_SIM_TRACE_H
#define CAPY_SIM_TRACE_H

#include "sim/rack.h"
#include <stdio.h>

enum { SIM_TRACE_MAX = 512, SIM_NOTE_MAX = 120 };

struct sim_record {
    uint64_t at;
    uint16_t host;
    uint8_t moment; /* enum sim_moment, or SIM_TRACE_NOTE */
    bool to_switch, corrupted;
    union {
        struct sim_view view;
        char note[SIM_NOTE_MAX];
    };
};

#define SIM_TRACE_NOTE 255u

struct sim_trace {
    uint64_t cnt; /* ever */
    uint32_t server_cnt;
    struct sim_record record[SIM_TRACE_MAX]; /* a ring */
};

struct sim_record *sim_trace_add(struct sim_trace *t, uint64_t at, unsigned host);
/* HEARTBEATs are left out: they are most of what happens. */
void sim_trace_frame(struct sim_trace *t, uint64_t at, enum sim_moment moment, unsigned host,
                     bool to_switch, bool corrupted, const struct sim_view *v);
/* One line: time in microseconds, who, what. */
void sim_trace_print_one(const struct sim_trace *t, const struct sim_record *r, FILE *out);
/* The last max of them, oldest first. */
void sim_trace_print(const struct sim_trace *t, uint32_t max, FILE *out);

#endif
