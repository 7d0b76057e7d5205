/* The connections of one HTTP server: slots of a fixed table, found by the user value of their
 * queue; a run queue of those whose turn it is; and a heap of those that wait for a time. All
 * memory is taken at start. */
#ifndef CAPY_APPS_HTTPD_TABLE_H
#define CAPY_APPS_HTTPD_TABLE_H

#include "apps/httpd/session.h"

#define CAPY_HTTPD_NO_SLOT UINT32_MAX
#define CAPY_HTTPD_NEVER UINT64_MAX

struct capy_httpd_slot {
    struct capy_httpd_session session;
    uint64_t due_at; /* in the heap under this time */
    int qd;
    uint32_t generation; /* of the slot: tells late completions of an earlier user apart */
    uint32_t prev, next; /* run queue; next: also the free list */
    uint32_t heap_pos;   /* CAPY_HTTPD_NO_SLOT: not in the heap */
    uint32_t avail;      /* unread bytes when last told */
    bool live, queued;
    bool popped;   /* a pop is outstanding */
    bool released; /* let go: untouchable until MIGRATED_OUT or MIGRATE_KEPT */
};

struct capy_httpd_table {
    struct capy_httpd_slot *slots;
    uint32_t *heap;
    uint32_t cnt, live_cnt, free_head, run_head, run_tail, heap_cnt;
};

bool capy_httpd_table_open(struct capy_httpd_table *t, uint32_t cnt); /* false: out of memory */
void capy_httpd_table_close(struct capy_httpd_table *t);

/* A cleared slot for queue qd, or NULL when all are taken. */
struct capy_httpd_slot *capy_httpd_slot_take(struct capy_httpd_table *t, int qd);
/* Leaves run queue and heap. The session must have ended. */
void capy_httpd_slot_give(struct capy_httpd_table *t, struct capy_httpd_slot *slot);
/* The value that names the slot to libcapy, and back: NULL when its user has gone. */
uint64_t capy_httpd_slot_user(const struct capy_httpd_table *t, const struct capy_httpd_slot *slot);
struct capy_httpd_slot *capy_httpd_slot_find(struct capy_httpd_table *t, uint64_t user);

/* Its turn comes after those that wait already. */
void capy_httpd_run_later(struct capy_httpd_table *t, struct capy_httpd_slot *slot);
void capy_httpd_run_never(struct capy_httpd_table *t, struct capy_httpd_slot *slot);
/* The next one, off the queue; NULL when there is none. */
struct capy_httpd_slot *capy_httpd_run_next(struct capy_httpd_table *t);

/* Sets, moves or (CAPY_HTTPD_NEVER) clears the slot's time. */
void capy_httpd_timer_set(struct capy_httpd_table *t, struct capy_httpd_slot *slot,
                          uint64_t due_at);
/* The earliest time, CAPY_HTTPD_NEVER when nobody waits. */
uint64_t capy_httpd_timer_next(const struct capy_httpd_table *t);
/* A slot whose time has come, its timer cleared; NULL when there is none. */
struct capy_httpd_slot *capy_httpd_timer_due(struct capy_httpd_table *t, uint64_t now);

#endif
