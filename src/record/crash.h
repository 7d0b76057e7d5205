/* When the program dies of its own doing, a recording must hold what it died of. */
#ifndef CAPY_RECORD_CRASH_H
#define CAPY_RECORD_CRASH_H

#include "record/record.h"

#define CAPY_RECORD_CRASH_MS 2000u /* what a dying program waits for its disk */

/* From now on SIGABRT (a failed assertion), SIGSEGV, SIGBUS, SIGFPE and SIGILL save r first, where
 * nobody else handles them; NULL: as before. One recording per program: the last one that asked. */
void capy_record_watch_crash(struct capy_record *r);
/* Saves r; in record.c. Async-signal-safe. */
void capy_record_crashed(struct capy_record *r);

#endif
