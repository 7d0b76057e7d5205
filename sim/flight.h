/* Frames under way: what was put on a link and has not arrived. A heap by time of arrival; ties go in
 * the order of sending, so that the same run always happens the same way. */
#ifndef CAPY_SIM_FLIGHT_H
#define CAPY_SIM_FLIGHT_H

#include "base/pool.h"
#include "wire/ether.h"
#include <stdbool.h>

/* What the simulation knows of a frame beyond its bytes. It follows the frame through the switch. */
struct sim_stamp {
    uint64_t sent_at; /* left its host */
    uint16_t from;    /* the host */
    uint32_t turn;    /* of the connection's owners, when a server sent it (sim/oracle) */
    bool corrupted;   /* a bit was turned over on the way */
};

struct sim_frame {
    uint64_t at, order;
    struct sim_stamp stamp;
    uint16_t link; /* the host's whose link it is on */
    bool to_switch;
    uint16_t len;
    uint8_t data[CAPY_FRAME_MAX];
};

struct sim_flight {
    struct sim_frame *frames;
    struct capy_pool pool;
    void *pool_mem;
    uint32_t *heap, cnt;
    uint64_t order;
};

/* Room for max frames, from the heap; free gives it back. */
void sim_flight_init(struct sim_flight *f, uint32_t max);
void sim_flight_free(struct sim_flight *f);
/* Forgets all frames. */
void sim_flight_clear(struct sim_flight *f);
/* Room for one more, to be filled in by the caller and then added by its arrival; NULL: too many. */
struct sim_frame *sim_flight_new(struct sim_flight *f);
void sim_flight_add(struct sim_flight *f, struct sim_frame *frame);
/* When the next one arrives; CAPY_NEVER: none is under way. */
uint64_t sim_flight_next_at(const struct sim_flight *f);
/* Takes the next one out; the caller gives it back. */
struct sim_frame *sim_flight_take(struct sim_flight *f);
void sim_flight_give(struct sim_flight *f, struct sim_frame *frame);

#endif
