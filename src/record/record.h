/* Writes a recording (format.h) while a program runs. The program's thread appends to blocks in memory,
 * a thread of the recording's own writes them: the program never waits for a disk. Memory is bounded:
 * when all blocks wait to be written the recording ends, marked SLOW, and the program goes on. So it
 * does at the size limit (LIMIT), and when the disk is full or fails (no mark: there is no room for
 * one). A block is handed over when it is full, or its first call a tenth of a second old: so much a
 * killed program may lose. A program that dies of its own (an assertion, a bad access) loses nothing:
 * its last call, too, is in the file. All calls are the program's one thread's. */
#ifndef CAPY_RECORD_RECORD_H
#define CAPY_RECORD_RECORD_H

#include "capy/error.h"
#include "record/format.h"
#include <stdbool.h>

#define CAPY_RECORD_BLOCK_CNT 32u /* 8 MiB: what a disk may be behind */
#define CAPY_RECORD_FLUSH_NS CAPY_MS(100)
#define CAPY_RECORD_HEAD_MAX 256u /* all of a call but its bytes */

struct capy_record_writer; /* record.c */

/* What the inline functions of put.h touch; the rest is the writer's. */
struct capy_record {
    uint8_t *at, *end;  /* the free part of the block in hand; equal once it is over */
    uint64_t now;       /* of the last call */
    uint64_t call_cnt;  /* whole calls so far */
    uint64_t block_due; /* the block in hand is handed over at this time */
    uint8_t *call_at;   /* where the call in hand began, to take it back */
    uint64_t call_now;  /* time before it */
    uint64_t idle_cnt;  /* calls, when the last one was one that gave nothing */
    bool whole_frames;  /* output frames whole, and not only their hash */
    struct capy_record_writer *writer;
};

struct capy_record_options {
    const char *path;  /* made anew, for its owner only; what was there is kept as PATH.old */
    uint64_t size_max; /* bytes; 0: no limit */
    bool whole_frames;
};

/* Starts a recording whose SETUP block has this payload (setup.h). NULL with one line in err. */
struct capy_record *capy_record_open(const struct capy_record_options *opt, const uint8_t *setup,
                                     size_t setup_len, uint64_t now, char *err, size_t err_len);
/* Writes what is left and the mark CLOSED, waiting some seconds for a slow disk. NULL is fine. */
void capy_record_close(struct capy_record *r);
/* Before a sleep until wake_at: hands over what a kill would lose. */
void capy_record_rest(struct capy_record *r, uint64_t now, uint64_t wake_at);

/* For people: the file, what is in it, and "recording", or why it ended. */
struct capy_record_status {
    const char *path;
    uint64_t call_cnt, bytes;
    const char *state;
};
void capy_record_status(const struct capy_record *r, struct capy_record_status *out);

/* ---- for put.h ---- */
/* Hands the block in hand over and takes the next one; false: it is over, and what the call in hand
 * still puts goes nowhere. */
bool capy_record_next_block(struct capy_record *r, uint64_t now);

#endif
