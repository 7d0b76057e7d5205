/* A frame's way in, and an entry's end by age: what every plane does alike. Header only; needs a plane's
 * functions: state.h. */
#ifndef CAPY_SWITCH_INPUT_H
#define CAPY_SWITCH_INPUT_H

#include "switch/core/arbiter.h"
#include "switch/core/own.h"

/* Learns where the sender is. False: it claims to be a server, or us, and is elsewhere. */
static inline bool capy_input_learn(struct capy_job *j)
{
    struct capy_switch *sw = j->sw;
    if (j->frame + CAPY_ETHER_LEN > j->end)
        return false; /* never: it has a view */
    const uint64_t src = capy_l2_word(j->frame + 6);
    if (capy_l2_knows(&sw->l2, src, j->port, j->now)) /* so it is no server, and not us */
        return true;
    if (src == capy_l2_word(sw->cfg->mac.b))
        return false;
    uint16_t id = capy_switch_server_of_mac(sw, src);
    if (id != CAPY_SERVER_ANY)
        return CAPY_SWITCH_PLACE(sw, id)->port == j->port;
    capy_l2_learn(&sw->l2, src, j->port, j->now);
    return true;
}

/* Reads the frame into j->view. False: dropped. */
static inline bool capy_input_begin(struct capy_job *j, size_t len)
{
    capy_switch_count(j->sw, CAPY_COUNT_frames_in);
    if (j->port >= j->sw->cfg->port_cnt || len > CAPY_FRAME_MAX) {
        capy_job_drop(j, CAPY_COUNT_drop_bad_port);
        return false;
    }
    capy_view_parse(j->frame, j->end, j->view);
    if (j->view->kind == CAPY_VIEW_RUNT || j->view->kind == CAPY_VIEW_MIXED) {
        capy_job_drop(j, j->view->kind == CAPY_VIEW_RUNT ? CAPY_COUNT_drop_runt
                                                         : CAPY_COUNT_drop_mixed_ip);
        return false;
    }
    if (!capy_input_learn(j)) {
        capy_job_drop(j, CAPY_COUNT_drop_mac_spoofed);
        return false;
    }
    return true;
}

/* UDP on the TCPMig port is for the switch alone, from servers alone, whoever it is addressed to. True:
 * it is a message; otherwise it was dealt with. */
static inline bool capy_input_udp(struct capy_job *j)
{
    struct capy_switch *sw = j->sw;
    bool to_us = capy_switch_is_own(sw, &j->view->dst);
    if (j->view->dst_port != sw->cfg->tcpmig_port) {
        if (to_us)
            capy_job_drop(j, CAPY_COUNT_drop_to_switch);
        else
            capy_flow_forward(j);
    } else if (!to_us && capy_switch_server_of(sw, &j->view->dst) == CAPY_SERVER_ANY) {
        capy_flow_forward(j); /* somebody else's traffic with the same port number */
    } else if (sw->cfg->role[j->port % CAPY_SWITCH_PORT_MAX] != CAPY_PORT_SERVER) {
        capy_job_drop(j, CAPY_COUNT_drop_mig_client_port);
    } else if (!to_us) {
        capy_job_drop(j, CAPY_COUNT_drop_mig_bypass);
    } else {
        return true;
    }
    return false;
}

/* An entry's look at the clock, under its lock: its servers' deaths, and its own age. */
static inline void capy_input_age(struct capy_switch *sw, struct capy_entry *e, uint64_t now)
{
    capy_switch_refresh(sw, e, now);
    if (capy_entry_over(e, now, sw->cfg->linger_ns, sw->cfg->age_ns)) {
        capy_directory_remove(&sw->dir, e);
        capy_switch_count(sw, CAPY_COUNT_entries_aged);
    }
}

#endif
