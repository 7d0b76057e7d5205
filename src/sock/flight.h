/* How many moves a server keeps in flight when it moves many: as many as bring something. TCP's answer
 * to the same question (RFC 5681), with moves in place of segments:
 *
 *   a move ended well, the window was full     one more, up to what was borne before; beyond, one more
 *                                              per window, and only while answers come soon
 *   messages were lost, or the target had no   half as many, once for all that are in flight: what they
 *   room, or answered too late                 say was known
 *
 * More moves in flight make larger bursts and cost less each. But each waits in line behind all others,
 * and its client waits with it; and so do the frames of those that are served. Plain values, no clock. */
#ifndef CAPY_SOCK_FLIGHT_H
#define CAPY_SOCK_FLIGHT_H

#include "base/bits.h"
#include <stdint.h>

#define CAPY_FLIGHT_LEAST 8u  /* so that a drain goes on, whatever happens */
#define CAPY_FLIGHT_FIRST 16u /* nobody knows the rack yet */
/* A burst of the driver: enough to keep two cores busy wherever it was measured. */
#define CAPY_FLIGHT_BORNE 64u
/* Beyond that: while a message is answered within this. A move takes two such trips, and shows in no
 * client's retransmission timer, whose least is 200 ms. */
#define CAPY_FLIGHT_SOON_NS CAPY_MS(1)

struct capy_flight {
    uint32_t most, window;
    uint32_t borne;  /* up to here one more with each move */
    uint32_t credit; /* moves towards the next one beyond it */
    uint32_t known;  /* moves in flight when it was halved, and not ended */
};

static inline void capy_flight_init(struct capy_flight *f, uint32_t most)
{
    *f = (struct capy_flight){.most = most, .borne = CAPY_FLIGHT_BORNE};
    f->window = capy_min32(most, CAPY_FLIGHT_FIRST);
}

/* A move has ended, well or not. True: it began before the window was halved last. */
static inline bool capy_flight_is_known(struct capy_flight *f)
{
    bool known = f->known > 0;
    f->known -= known;
    return known;
}

/* It ended well, one of in_flight; trip_ns: from a message to its answer, lately. */
static inline void capy_flight_moved(struct capy_flight *f, uint32_t in_flight, uint64_t trip_ns)
{
    if (capy_flight_is_known(f) || in_flight < f->window || f->window >= f->most)
        return;
    if (f->window < f->borne) {
        f->window++;
    } else if (trip_ns < CAPY_FLIGHT_SOON_NS && ++f->credit >= f->window) {
        f->window++;
        f->credit = 0;
    }
}

/* A message was lost, or a move failed for want of room or time; in_flight others go on. */
static inline void capy_flight_trouble(struct capy_flight *f, uint32_t in_flight)
{
    if (f->known > 0)
        return;
    f->window = capy_min32(f->most, capy_max32(f->window / 2u, CAPY_FLIGHT_LEAST));
    f->borne = f->window;
    f->credit = 0;
    f->known = in_flight;
}

#endif
