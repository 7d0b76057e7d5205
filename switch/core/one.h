/* What state.h asks of a plane, for one that runs alone in one thread: user space and the simulator.
 * There is nobody to exclude, and frames go to the caller's list (plane.h). */
#ifndef CAPY_SWITCH_ONE_H
#define CAPY_SWITCH_ONE_H

#include "switch/core/state.h"
#include <string.h>

struct capy_lock; /* never one */

static inline bool capy_plane_is_empty(const struct capy_switch *sw)
{
    return sw->dir.used == 0;
}

static inline struct capy_lock *capy_plane_lock_of(struct capy_switch *sw, uint64_t hash)
{
    (void)hash;
    return (struct capy_lock *)sw;
}

static inline struct capy_lock *capy_plane_lock_of_servers(struct capy_switch *sw)
{
    return (struct capy_lock *)sw;
}

static inline void capy_plane_lock(struct capy_lock *lock)
{
    (void)lock;
}

static inline void capy_plane_unlock(struct capy_lock *lock)
{
    (void)lock;
}

static inline uint32_t capy_plane_look(const struct capy_lock *lock)
{
    (void)lock;
    return 0;
}

static inline bool capy_plane_looked(const struct capy_lock *lock, uint32_t turn)
{
    (void)lock, (void)turn;
    return true;
}

static inline void capy_plane_put(struct capy_job *j, uint16_t port, uint8_t *frame, size_t len)
{
    j->out->frame[j->out->cnt].port = port;
    j->out->frame[j->out->cnt].data = frame;
    j->out->frame[j->out->cnt].len = len;
    j->out->cnt++;
}

/* The frame in hand. */
static inline void capy_plane_send(struct capy_job *j, uint16_t port)
{
    capy_plane_put(j, port, j->frame, (size_t)(j->end - j->frame));
}

/* len: not more than it has. */
static inline void capy_plane_cut(struct capy_job *j, size_t len)
{
    j->end = j->frame + len;
}

static inline uint16_t capy_plane_choose(struct capy_switch *sw, const struct capy_switch_ask *ask)
{
    return capy_switch_choose(sw, ask);
}

static inline uint32_t capy_plane_least(const struct capy_switch *sw, uint64_t now)
{
    return capy_switch_least(sw, now);
}

void capy_plane_send_both(struct capy_job *j, uint16_t peer, uint16_t sender);
uint64_t capy_plane_payload_hash(const struct capy_mig_job *m);
void capy_plane_answer_heartbeat(struct capy_mig_job *m, const struct capy_mig_heartbeat_ack *ack);

/* local.c: echo, neighbour discovery, errors. */
void capy_switch_icmp(struct capy_job *j);

#endif
