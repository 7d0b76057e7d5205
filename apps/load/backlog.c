/* Requests that are due and not yet sent. See backlog.h. */
#include "apps/load/backlog.h"

#include <stdlib.h>

#define NONE UINT32_MAX

bool load_backlog_init(struct load_backlog *b, uint32_t queue_cnt, uint32_t room)
{
    *b = (struct load_backlog){.queue_cnt = queue_cnt,
                               .room = room,
                               .due = malloc(room * sizeof *b->due),
                               .head = malloc(queue_cnt * sizeof *b->head),
                               .tail = malloc(queue_cnt * sizeof *b->tail)};
    if (!b->due || !b->head || !b->tail) {
        load_backlog_free(b);
        return false;
    }
    for (uint32_t i = 0; i < room; i++)
        b->due[i].next = i + 1 < room ? i + 1 : NONE;
    for (uint32_t i = 0; i < queue_cnt; i++)
        b->head[i] = b->tail[i] = NONE;
    return true;
}

bool load_backlog_put(struct load_backlog *b, uint32_t queue, uint64_t at_ns)
{
    uint32_t idx = b->free_head;
    if (idx == NONE)
        return false;
    b->free_head = b->due[idx].next;
    b->due[idx] = (struct load_due){.at_ns = at_ns, .next = NONE};
    if (b->head[queue] == NONE)
        b->head[queue] = idx;
    else
        b->due[b->tail[queue]].next = idx;
    b->tail[queue] = idx;
    b->cnt++;
    return true;
}

bool load_backlog_take(struct load_backlog *b, uint32_t queue, uint64_t *at_ns)
{
    uint32_t idx = b->head[queue];
    if (idx == NONE)
        return false;
    *at_ns = b->due[idx].at_ns;
    b->head[queue] = b->due[idx].next;
    b->due[idx].next = b->free_head;
    b->free_head = idx;
    b->cnt--;
    return true;
}

void load_backlog_free(struct load_backlog *b)
{
    free(b->due);
    free(b->head);
    free(b->tail);
    *b = (struct load_backlog){0};
}
