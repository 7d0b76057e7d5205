/* Faults for tests and demonstrations: loss, duplication, reordering and delay of the frames that
 * enter the switch at one port, and a filter that loses TCPMig messages of one type, to stop a
 * migration at a given step. Pure: time and the seed come in, frames come out; the same calls give
 * the same faults. One caller-owned allocation, bounded; a frame that finds the queue full is lost
 * and counted. One thread.
 *
 * Every entering frame is lost, or queued (copied) once or twice with a time at which it is due.
 *   delay     delay_us, and per copy a uniform 0..jitter_us more: jitter lets frames overtake
 *   reorder   the copy waits until 1..CAPY_FAULT_BEHIND_MAX later frames have gone ahead of it, but
 *             at most CAPY_FAULT_HOLD_NS beyond its delay
 *   rate      a narrow line: one copy after the other, each for as long as its bytes take, and then
 *             the delay; a copy that finds `queue` bytes waiting for the line is lost */
#ifndef CAPY_SWITCH_FAULT_H
#define CAPY_SWITCH_FAULT_H

#include "base/bits.h"
#include <stdbool.h>

#define CAPY_FAULT_PPM_MAX 1000000u
#define CAPY_FAULT_DELAY_MAX_US 10000000u
#define CAPY_FAULT_BEHIND_MAX 4u
#define CAPY_FAULT_HOLD_NS CAPY_MS(1)
#define CAPY_FAULT_RATE_MIN 1000u /* slower, a frame would take more than a second */
#define CAPY_FAULT_QUEUE_DEFAULT 262144u

struct capy_fault_cfg {
    uint32_t loss_ppm, dup_ppm, reorder_ppm;
    uint32_t delay_us, jitter_us;
    uint32_t rate;  /* bytes/s; 0: as fast as they come */
    uint32_t queue; /* bytes before the line; 0: CAPY_FAULT_QUEUE_DEFAULT */
    uint64_t seed;
    uint8_t drop_type; /* enum capy_mig_type; 0: none */
    uint32_t drop_cnt; /* only the next so many of them; 0: all */
};

/* Something is on. */
bool capy_fault_cfg_is_set(const struct capy_fault_cfg *cfg);
/* Every rate, time and type is in its range. */
bool capy_fault_cfg_is_valid(const struct capy_fault_cfg *cfg);

struct capy_fault_counters {
    uint64_t entered; /* frames that came while faults were on */
    uint64_t lost, duplicated, reordered, delayed;
    uint64_t filtered; /* TCPMig messages lost by drop_type */
    uint64_t overflowed;
    uint64_t queue_full; /* lost before a narrow line */
};

struct capy_fault;

/* pending_max: frames that can wait at once, 1 and more. tcpmig_port: where the filter looks. */
size_t capy_fault_size(uint32_t pending_max);
struct capy_fault *capy_fault_init(void *mem, uint32_t pending_max, uint16_t tcpmig_port);

/* From now on; cfg is valid (asserted). Reseeds; frames already waiting still come out when due. */
void capy_fault_set(struct capy_fault *f, const struct capy_fault_cfg *cfg);
/* False when there is nothing to do: no fault set and nothing waiting. Frames may then pass by. */
bool capy_fault_active(const struct capy_fault *f);

/* A frame enters. Borrowed; len 1..CAPY_FRAME_MAX. */
void capy_fault_input(struct capy_fault *f, const uint8_t *frame, size_t len, uint64_t now);
/* The next frame due at now, or NULL. Lent, and writable, until the next call on f. */
uint8_t *capy_fault_output(struct capy_fault *f, uint64_t now, size_t *len);
/* When capy_fault_output will have the next frame; CAPY_NEVER when none waits. */
uint64_t capy_fault_due_at(const struct capy_fault *f);

void capy_fault_get(const struct capy_fault *f, struct capy_fault_cfg *cfg,
                    struct capy_fault_counters *counters);

#endif
