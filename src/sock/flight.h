/* How many moves a server keeps in flight when it moves many: as many as bring something. TCP's answer
 * to the same question (RFC 5681), with moves in place of segments:
 *
 *   a move ended well, the window was full     one more, up to what was borne before; beyond, one more
 *                                              per window, and only while answers come soon
 *   the target had no room, or nobody          half as many, once for all that are in flight: what they
 *   answered in time                           say was known
 *   messages were lost                         likewise, but not below what fits any queue. A core that
 *                                              is given to others for some milliseconds looks the same
 *
 * More moves in flight make larger bursts and cost less each. But each waits in line behind all others,
 * and its client waits with it; and so do the frames of those that are served. Plain values, no clock. */
#ifndef CAPY_SOCK_FLIGHT_H
#define CAPY_SOCK_FLIGHT_H

#include "base/bits.h"
#include <stdint.h>

/* New moves begin by the train, a quarter of the window at once: their messages stay together on the
 * way, and each program on it wakes up once for all of them. One by one, as room comes, they would
 * scatter until each had a wake-up of its own. */
#define CAPY_FLIGHT_TRAINS 4u
#define CAPY_FLIGHT_LEAST 8u  /* so that a drain goes on, whatever happens */
#define CAPY_FLIGHT_FIRST 16u /* nobody knows the rack yet */
/* A burst of the driver, some 20 KB of messages: fits any queue, and kept two cores busy. */
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

/* Room for less than this is left until there is more. */
static inline uint32_t capy_flight_train(const struct capy_flight *f)
{
    return capy_max32(f->window / CAPY_FLIGHT_TRAINS, 1);
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
    if (capy_flight_is_known(f) || in_flight + capy_flight_train(f) <= f->window ||
        f->window >= f->most)
        return;
    if (f->window < f->borne) {
        f->window++;
    } else if (trip_ns < CAPY_FLIGHT_SOON_NS && ++f->credit >= f->window) {
        f->window++;
        f->credit = 0;
    }
}

static inline void capy_flight_halve(struct capy_flight *f, uint32_t least, uint32_t in_flight)
{
    if (f->known > 0 || f->window <= least)
        return;
    f->window = capy_max32(f->window / 2u, least);
    f->borne = f->window;
    f->credit = 0;
    f->known = in_flight;
}

/* A move failed for want of room or time; in_flight others go on. */
static inline void capy_flight_failed(struct capy_flight *f, uint32_t in_flight)
{
    capy_flight_halve(f, CAPY_FLIGHT_LEAST, in_flight);
}

/* A message was lost. */
static inline void capy_flight_lost(struct capy_flight *f, uint32_t in_flight)
{
    capy_flight_halve(f, CAPY_FLIGHT_BORNE, in_flight);
}

#endif
