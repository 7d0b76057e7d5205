/* What the BPF program and its loader agree on: the maps' values. Compiled by both. The maps marked
 * "kept" are pinned and taken over by the next loader, if it says the same CAPY_XDP_LAYOUT. */
#ifndef CAPY_XDP_LAYOUT_H
#define CAPY_XDP_LAYOUT_H

#include "switch/core/state.h"

/* Changes with anything that is kept between programs. */
#define CAPY_XDP_LAYOUT 4u

#define CAPY_XDP_BOTH 0xfffeu     /* egress: one to the peer, one back to the sender */
#define CAPY_XDP_MESSAGE 0xfffcu  /* no egress: TCPMig */
#define CAPY_XDP_DECIDE 0xfffbu   /* no egress: TCPMig, about a flow */
#define CAPY_XDP_LONG_WAY 0xfffau /* no egress yet */
#define CAPY_XDP_NOWHERE 0xfffdu  /* egress: dropped, or with the loader */

/* What the switch knows is one value, for every look-up of a map costs: the server table, then stations, the
 * directory's tags and its entries. Kept. */
#define CAPY_XDP_STATIONS_AT ((uint32_t)((sizeof(struct capy_switch_live) + 63u) & ~63u))
#define CAPY_XDP_STATIONS_LEN                                                                      \
    ((uint32_t)(CAPY_L2_SETS * CAPY_L2_WAYS * sizeof(struct capy_station)))
#define CAPY_XDP_TAGS_AT (CAPY_XDP_STATIONS_AT + CAPY_XDP_STATIONS_LEN)

/* cnt: of the directory's slots. */
static inline uint32_t capy_xdp_entries_at(uint32_t cnt)
{
    return CAPY_XDP_TAGS_AT + ((cnt + 63u) & ~63u);
}

/* Whose memory it is; kept, too. */
struct capy_xdp_about {
    uint64_t print, boot_id;
    struct capy_key hash_key;
};

/* Kept; one per CPU. */
struct capy_xdp_counts {
    uint64_t count[CAPY_COUNT_END];
    int64_t used; /* entries installed here less entries removed here */
    uint32_t nil; /* capy_directory_forget */
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
    /* Of the message, and what was decided: capy_mig_job, capy_rule. */
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
