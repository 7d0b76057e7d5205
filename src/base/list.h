/* Intrusive doubly linked lists over indices instead of pointers: the members live in one array,
 * each holding a struct capy_link at a fixed place. Indices keep the arrays movable, half the size
 * of pointers, and bounded by construction. Header only; O(1); no ownership taken. */
#ifndef CAPY_BASE_LIST_H
#define CAPY_BASE_LIST_H

#include "base/assert.h"
#include "base/bits.h"
#include <stdbool.h>

struct capy_link {
    uint32_t prev, next; /* CAPY_NONE at the ends of the list and when not in one */
};

/* Where the links of an array's members are: first link, and distance to the next in bytes. */
struct capy_list {
    uint8_t *links;
    size_t stride;
    uint32_t head, tail, cnt;
};

static inline struct capy_link *capy_list_link(const struct capy_list *l, uint32_t idx)
{
    return (struct capy_link *)(void *)(l->links + (size_t)idx * l->stride);
}

/* first_link: address of member 0's link. stride: sizeof one member. */
static inline void capy_list_init(struct capy_list *l, struct capy_link *first_link, size_t stride)
{
    *l = (struct capy_list){(uint8_t *)first_link, stride, CAPY_NONE, CAPY_NONE, 0};
}

static inline void capy_list_push_tail(struct capy_list *l, uint32_t idx)
{
    *capy_list_link(l, idx) = (struct capy_link){l->tail, CAPY_NONE};
    if (l->tail != CAPY_NONE)
        capy_list_link(l, l->tail)->next = idx;
    else
        l->head = idx;
    l->tail = idx;
    l->cnt++;
}

static inline void capy_list_push_head(struct capy_list *l, uint32_t idx)
{
    *capy_list_link(l, idx) = (struct capy_link){CAPY_NONE, l->head};
    if (l->head != CAPY_NONE)
        capy_list_link(l, l->head)->prev = idx;
    else
        l->tail = idx;
    l->head = idx;
    l->cnt++;
}

static inline void capy_list_remove(struct capy_list *l, uint32_t idx)
{
    struct capy_link *k = capy_list_link(l, idx);
    CAPY_ASSERT(l->cnt > 0);
    if (k->prev != CAPY_NONE)
        capy_list_link(l, k->prev)->next = k->next;
    else
        l->head = k->next;
    if (k->next != CAPY_NONE)
        capy_list_link(l, k->next)->prev = k->prev;
    else
        l->tail = k->prev;
    *k = (struct capy_link){CAPY_NONE, CAPY_NONE};
    l->cnt--;
}

/* Head's index, removed; CAPY_NONE when empty. */
static inline uint32_t capy_list_pop_head(struct capy_list *l)
{
    uint32_t idx = l->head;
    if (idx == CAPY_NONE)
        return idx;
    struct capy_link *k = capy_list_link(l, idx);
    l->head = k->next;
    if (k->next != CAPY_NONE)
        capy_list_link(l, k->next)->prev = CAPY_NONE;
    else
        l->tail = CAPY_NONE;
    *k = (struct capy_link){CAPY_NONE, CAPY_NONE};
    l->cnt--;
    return idx;
}

#endif
