/* What the BPF program and its loader agree on: the maps' values. Compiled by both. The maps marked
 * "kept" are pinned and taken over by the next loader, if it says the same CAPY_XDP_LAYOUT. */
#ifndef CAPY_XDP_LAYOUT_H
#define CAPY_XDP_LAYOUT_H

#include "switch/core/state.h"

/* Changes with anything that is kept between programs. */
#define CAPY_XDP_LAYOUT 3u

#define CAPY_XDP_BOTH 0xfffeu    /* egress: one to the peer, one back to the sender */
#define CAPY_XDP_MESSAGE 0xfffcu /* no egress: TCPMig */
#define CAPY_XDP_NOWHERE 0xfffdu /* egress: dropped, or with the loader */

/* Kept; one per CPU. */
struct capy_xdp_counts {
    uint64_t count[CAPY_COUNT_END];
    int64_t used;   /* entries installed here less entries removed here */
    uint32_t level; /* capy_directory_in */
};

/* A frame that the loader answers: echo, neighbour solicitations. */
struct capy_xdp_aside {
    uint32_t port, len;
    uint8_t frame[CAPY_FRAME_MAX];
};

/* Frames handed over to a part of the program that is verified by itself. One per CPU. */
struct capy_xdp_scratch {
    uint64_t now;
    struct capy_view view;
    uint32_t port;
    struct capy_mig_msg msg;
    uint64_t hash; /* what decides about the message needs, and says */
    uint32_t epoch;
    uint16_t sender, peer, home, owner;
    uint8_t phase, todo, verdict;
};

/* For tests, in the metadata before a frame: what it cannot say when it is fed by BPF_PROG_TEST_RUN, and
 * where it would go. */
struct capy_xdp_test {
    uint64_t now;
    uint32_t port, egress;
};

#endif
