/* Requests that are due and not yet sent, because their connection still waits for an answer: first in,
 * first out, one queue per connection and one that is everybody's. They keep the time when they should
 * have been sent; that is what makes their latency free of coordinated omission. */
#ifndef CAPY_APPS_LOAD_BACKLOG_H
#define CAPY_APPS_LOAD_BACKLOG_H

#include <stdbool.h>
#include <stdint.h>

struct load_due {
    uint64_t at_ns;
    uint32_t next;
};

struct load_backlog {
    uint32_t queue_cnt, room, free_head, cnt; /* cnt: waiting, in all queues */
    struct load_due *due;
    uint32_t *head, *tail;
};

/* Room for so many in all. False: out of memory. load_backlog_free frees. */
bool load_backlog_init(struct load_backlog *b, uint32_t queue_cnt, uint32_t room);
/* False: full. */
bool load_backlog_put(struct load_backlog *b, uint32_t queue, uint64_t at_ns);
/* False: the queue is empty. */
bool load_backlog_take(struct load_backlog *b, uint32_t queue, uint64_t *at_ns);
void load_backlog_free(struct load_backlog *b);

#endif
