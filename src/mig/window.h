/* Inside src/mig only: which fragment of a CONN_STATE the origin sends next, and how many at most
 * may be under way. The values are struct capy_mig_window in the origin's slot (mig.h).
 *
 * Fragments go out in passes, each in rising order over what the target is not known to have, so
 * an acknowledgement of one settles all before it in its pass: they arrived, or they are lost and
 * wait for the next pass. A pass pauses while CAPY_MIG_WINDOW fragments are unsettled. The next
 * one begins when everything of the last is settled, or when the repeat timer says so.
 *
 * The last fragment commits at the switch. It leaves only when all others arrived or are under way
 * in the same pass: from the commit on the flow depends on these alone. */
#ifndef CAPY_MIG_WINDOW_H
#define CAPY_MIG_WINDOW_H

#include "mig/mig.h"

/* Fragments under way at most. Rings, socket buffers and switch queues hold a few hundred frames
 * or more, so a migration, even with some others beside it, overruns none; and 64 x 1352 bytes are
 * what 10 Gb/s carry in 70 us, more than a rack's round trip. */
#define CAPY_MIG_WINDOW 64u

void capy_mig_window_open(struct capy_mig_window *w, uint32_t cnt);
/* A new pass. repeat: the repeat timer's; the last fragment goes out even if it is known to have
 * arrived, for it asks for the final acknowledgement. */
void capy_mig_window_pass(struct capy_mig_window *w, bool repeat);
/* The fragment to send now. False: none before an acknowledgement or the repeat timer. */
CAPY_MUST_USE bool capy_mig_window_next(struct capy_mig_window *w, uint32_t *idx);
/* That fragment left. */
void capy_mig_window_sent(struct capy_mig_window *w);
/* Takes the target's bitmap in (len bytes); begins the next pass when that settles the present one.
 * True: it shows fragments that were not known to have arrived. */
CAPY_MUST_USE bool capy_mig_window_ack(struct capy_mig_window *w, const uint8_t *bitmap,
                                       uint32_t len);

#endif
