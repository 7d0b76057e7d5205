/* A replay under way, as the files of this room see it: run.c reads calls and stops, host.c and plane.c
 * are the machines that can be replayed, compare.c says what differs, describe.c what a frame is,
 * table.c prints connections. */
#ifndef CAPY_REPLAY_MACHINE_H
#define CAPY_REPLAY_MACHINE_H

#include "capy/rack.h"
#include "record/read.h"
#include "replay/replay.h"
#include "stack/stack.h"
#include "switch/core/plane.h"

struct capy_pcapng;
struct replay;

/* A call that a recording may have, and how it is made again: calls.h. */
struct replay_call {
    const char *name;
    void (*make)(struct replay *p);
};

/* What can be replayed; a constant table each. */
struct replay_machine {
    const char *calls_text; /* its calls as text: what a recording must have, too */
    const struct replay_call *calls;
    unsigned call_cnt;
    /* CAPY_OK, or a code and one line in err. */
    int (*start)(struct replay *p, char *err, size_t err_len);
    void (*print_state)(struct replay *p);
    void (*stop)(struct replay *p);
};
extern const struct replay_machine replay_host, replay_plane;

struct replay {
    const struct capy_replay_options *opt;
    struct capy_read *read;
    const struct capy_record_setup *setup;
    const struct replay_machine *machine;
    struct capy_rack rack;
    uint64_t now;
    bool differs;    /* nothing after it makes sense */
    bool unanswered; /* the recording ends inside the call in hand: there is nothing to compare */
    uint64_t frames_in, frames_out, bytes_in, bytes_out;
    struct capy_pcapng *pcap;
    char *line; /* being printed: LINE_MAX */
    size_t line_len;

    struct capy_stack *stack; /* host.c */
    size_t stack_size;
    uint8_t *frame;            /* room for any that is sent */
    struct capy_switch *plane; /* plane.c */
    struct capy_switch_out *out;
};

/* ---- compare.c ---- */
/* Adds to the line of the call in hand, when lines are printed. */
void replay_say(struct replay *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Each takes the recorded value from the call in hand and compares. */
void replay_expect_number(struct replay *p, const char *what, uint64_t got);
void replay_expect_signed(struct replay *p, const char *what, int64_t got);
void replay_expect_frame(struct replay *p, const char *port, const uint8_t *frame, size_t len);
/* A frame that goes in. */
void replay_frame_in(struct replay *p, const char *port, const uint8_t *frame, size_t len);

/* ---- describe.c ---- */
#define REPLAY_FRAME_TEXT_MAX 256u
/* "10.99.0.101:40000 > 10.99.0.11:80 [S] seq 1 win 64240": what its header says. */
const char *replay_describe(const uint8_t *frame, size_t len, uint16_t tcpmig_port,
                            char out[REPLAY_FRAME_TEXT_MAX]);

/* ---- table.c ---- */
void replay_print_connections(struct capy_stack *stack, FILE *out);
void replay_print_entries(const struct replay *p, FILE *out);

#endif
