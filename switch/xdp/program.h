/* The loader's own state, shared by its files: load.c has the program and its memory, attach.c the
 * devices, aside.c the answers, run.c what runs the program for a test or a sweep. Private. */
#ifndef CAPY_XDP_PROGRAM_H
#define CAPY_XDP_PROGRAM_H

#include "capy/error.h"
#include "switch/xdp/layout.h"
#include "switch/xdp/xdp.h"
#include <stdio.h>

struct capy_xdp_bpf;
struct ring_buffer;

struct capy_xdp {
    struct capy_xdp_bpf *bpf;
    struct capy_switch_cfg cfg;
    struct capy_index index;
    uint8_t *memory;       /* the map, mapped */
    struct capy_switch sw; /* over it, and count */
    uint64_t count[CAPY_COUNT_END];
    uint64_t asided[CAPY_COUNT_END]; /* what was counted for frames set aside */
    struct capy_xdp_counts *per_cpu;
    unsigned cpu_cnt;
    char pin_dir[200]; /* "": none */
    struct ring_buffer *ring;
    uint64_t now;                                              /* of capy_xdp_answer */
    int link[CAPY_SWITCH_PORT_MAX], out[CAPY_SWITCH_PORT_MAX]; /* -1: none */
    const char *const *device; /* the caller's names, while it attaches */
    unsigned ifindex[CAPY_SWITCH_PORT_MAX];
    uint32_t ifindex_end; /* above all of them */
    bool generic, testing;
    uint8_t frame[CAPY_FRAME_MAX]; /* the frame being answered: the ring's memory is read-only */
    struct capy_switch_out answer;
};

/* aside.c: the answers' ring. CAPY_OK or CAPY_E_SYS. */
int capy_xdp_aside_open(struct capy_xdp *x);
/* An outgoing socket on the device. -1 with errno. */
int capy_xdp_aside_socket(unsigned ifindex);

/* For a test: what became of the frame set aside last. */
void capy_xdp_answer_to(struct capy_xdp *x, uint64_t now, struct capy_switch_out *out);
/* attach.c: closes what belongs to devices. */
void capy_xdp_detach(struct capy_xdp *x);

#endif
