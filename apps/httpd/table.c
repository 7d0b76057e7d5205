/* Slots, run queue and timer heap. The heap is a binary one of slot indices, each slot knowing its
 * place, so that a connection's end takes its timer out in O(log n). */
#include "apps/httpd/table.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NONE CAPY_HTTPD_NO_SLOT

bool capy_httpd_table_open(struct capy_httpd_table *t, uint32_t cnt)
{
    *t = (struct capy_httpd_table){.cnt = cnt, .run_head = NONE, .run_tail = NONE};
    t->slots = calloc(cnt, sizeof *t->slots);
    t->heap = calloc(cnt, sizeof *t->heap);
    if (!t->slots || !t->heap) {
        capy_httpd_table_close(t);
        return false;
    }
    for (uint32_t i = 0; i < cnt; i++)
        t->slots[i].next = i + 1 < cnt ? i + 1 : NONE;
    return true;
}

void capy_httpd_table_close(struct capy_httpd_table *t)
{
    free(t->slots);
    free(t->heap);
    t->slots = NULL;
    t->heap = NULL;
}

static uint32_t index_of(const struct capy_httpd_table *t, const struct capy_httpd_slot *slot)
{
    return (uint32_t)(slot - t->slots);
}

struct capy_httpd_slot *capy_httpd_slot_take(struct capy_httpd_table *t, int qd)
{
    if (t->live_cnt == t->cnt)
        return NULL;
    struct capy_httpd_slot *slot = &t->slots[t->free_head];
    t->free_head = slot->next;
    t->live_cnt++;
    *slot = (struct capy_httpd_slot){
        .qd = qd,
        .generation = slot->generation + 1,
        .heap_pos = NONE,
        .due_at = CAPY_HTTPD_NEVER,
        .live = true,
    };
    return slot;
}

void capy_httpd_slot_give(struct capy_httpd_table *t, struct capy_httpd_slot *slot)
{
    assert(slot->live && !slot->session.x);
    capy_httpd_run_never(t, slot);
    capy_httpd_timer_set(t, slot, CAPY_HTTPD_NEVER);
    slot->live = false;
    slot->next = t->free_head;
    t->free_head = index_of(t, slot);
    t->live_cnt--;
}

uint64_t capy_httpd_slot_user(const struct capy_httpd_table *t, const struct capy_httpd_slot *slot)
{
    return (uint64_t)slot->generation << 32 | index_of(t, slot);
}

struct capy_httpd_slot *capy_httpd_slot_find(struct capy_httpd_table *t, uint64_t user)
{
    uint32_t idx = (uint32_t)user;
    if (idx >= t->cnt)
        return NULL;
    struct capy_httpd_slot *slot = &t->slots[idx];
    return slot->live && slot->generation == user >> 32 ? slot : NULL;
}

/* ---- whose turn it is ---- */

void capy_httpd_run_later(struct capy_httpd_table *t, struct capy_httpd_slot *slot)
{
    if (slot->queued)
        return;
    uint32_t idx = index_of(t, slot);
    slot->queued = true;
    slot->prev = t->run_tail;
    slot->next = NONE;
    if (t->run_tail != NONE)
        t->slots[t->run_tail].next = idx;
    else
        t->run_head = idx;
    t->run_tail = idx;
}

void capy_httpd_run_never(struct capy_httpd_table *t, struct capy_httpd_slot *slot)
{
    if (!slot->queued)
        return;
    slot->queued = false;
    if (slot->prev != NONE)
        t->slots[slot->prev].next = slot->next;
    else
        t->run_head = slot->next;
    if (slot->next != NONE)
        t->slots[slot->next].prev = slot->prev;
    else
        t->run_tail = slot->prev;
}

struct capy_httpd_slot *capy_httpd_run_next(struct capy_httpd_table *t)
{
    if (t->run_head == NONE)
        return NULL;
    struct capy_httpd_slot *slot = &t->slots[t->run_head];
    capy_httpd_run_never(t, slot);
    return slot;
}

/* ---- who waits for a time ---- */

static uint64_t due_of(const struct capy_httpd_table *t, uint32_t pos)
{
    return t->slots[t->heap[pos]].due_at;
}

static void place(struct capy_httpd_table *t, uint32_t pos, uint32_t idx)
{
    t->heap[pos] = idx;
    t->slots[idx].heap_pos = pos;
}

/* Moves the member at pos, whose time may be too early or too late for its place, to where it fits.
 */
static void settle(struct capy_httpd_table *t, uint32_t pos)
{
    uint32_t idx = t->heap[pos];
    uint64_t due_at = t->slots[idx].due_at;
    while (pos > 0 && due_of(t, (pos - 1) / 2) > due_at) {
        place(t, pos, t->heap[(pos - 1) / 2]);
        pos = (pos - 1) / 2;
    }
    for (uint32_t child; (child = 2 * pos + 1) < t->heap_cnt; pos = child) {
        if (child + 1 < t->heap_cnt && due_of(t, child + 1) < due_of(t, child))
            child++;
        if (due_of(t, child) >= due_at)
            break;
        place(t, pos, t->heap[child]);
    }
    place(t, pos, idx);
}

void capy_httpd_timer_set(struct capy_httpd_table *t, struct capy_httpd_slot *slot, uint64_t due_at)
{
    uint32_t pos = slot->heap_pos;
    if (due_at == slot->due_at)
        return;
    slot->due_at = due_at;
    if (due_at == CAPY_HTTPD_NEVER) {
        slot->heap_pos = NONE;
        if (pos != --t->heap_cnt) { /* the last member takes the free place */
            place(t, pos, t->heap[t->heap_cnt]);
            settle(t, pos);
        }
        return;
    }
    if (pos == NONE) {
        pos = t->heap_cnt++;
        place(t, pos, index_of(t, slot));
    }
    settle(t, pos);
}

uint64_t capy_httpd_timer_next(const struct capy_httpd_table *t)
{
    return t->heap_cnt > 0 ? due_of(t, 0) : CAPY_HTTPD_NEVER;
}

struct capy_httpd_slot *capy_httpd_timer_due(struct capy_httpd_table *t, uint64_t now)
{
    if (capy_httpd_timer_next(t) > now)
        return NULL;
    struct capy_httpd_slot *slot = &t->slots[t->heap[0]];
    capy_httpd_timer_set(t, slot, CAPY_HTTPD_NEVER);
    return slot;
}
