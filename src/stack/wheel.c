/* See wheel.h. An entry lies on the level of the highest 6-bit digit in which its tick differs from
 * the wheel's; hence its slot number there is always above the wheel's digit, no slot ever holds
 * two rounds, and the lowest bit of the lowest occupied level is the earliest slot. */
#include "stack/wheel.h"
#include "base/assert.h"

#define DUE_SLOT (CAPY_WHEEL_LEVELS * CAPY_WHEEL_SLOTS) /* head of what is due already */

static uint32_t head_of(const struct capy_wheel *w, uint32_t slot)
{
    return w->cnt + slot;
}

void capy_wheel_init(struct capy_wheel *w, struct capy_arena *a, uint32_t cnt, uint64_t now)
{
    *w = (struct capy_wheel){.cnt = cnt, .tick = now >> CAPY_WHEEL_TICK_BITS};
    w->entries = capy_arena_take(a, (size_t)cnt + DUE_SLOT + 1, sizeof *w->entries);
    if (!w->entries)
        return;
    for (uint32_t i = 0; i < cnt + DUE_SLOT + 1; i++)
        w->entries[i] = (struct capy_wheel_entry){CAPY_NEVER, i, i};
}

/* Deadlines round up: a timer never fires early. */
static uint64_t tick_of(uint64_t at)
{
    uint64_t tick = at >> CAPY_WHEEL_TICK_BITS;
    return tick + ((at & ((1u << CAPY_WHEEL_TICK_BITS) - 1)) != 0);
}

static void link_in(struct capy_wheel *w, uint32_t idx)
{
    struct capy_wheel_entry *e = &w->entries[idx];
    uint64_t tick = tick_of(e->at);
    uint32_t slot = DUE_SLOT;
    if (tick > w->tick) {
        uint32_t top = 63u - (uint32_t)__builtin_clzll(tick ^ w->tick);
        uint32_t level = top / CAPY_WHEEL_SLOT_BITS;
        uint32_t digit = (tick >> (level * CAPY_WHEEL_SLOT_BITS)) & (CAPY_WHEEL_SLOTS - 1);
        w->occupied[level] |= (uint64_t)1 << digit;
        slot = level * CAPY_WHEEL_SLOTS + digit;
    }
    uint32_t head = head_of(w, slot);
    e->next = head;
    e->prev = w->entries[head].prev;
    w->entries[e->prev].next = idx;
    w->entries[head].prev = idx;
}

static void unlink_entry(struct capy_wheel *w, uint32_t idx)
{
    struct capy_wheel_entry *e = &w->entries[idx];
    w->entries[e->prev].next = e->next;
    w->entries[e->next].prev = e->prev;
    if (e->prev == e->next && e->prev >= w->cnt) { /* was alone: the ring head knows its slot */
        uint32_t slot = e->prev - w->cnt;
        if (slot < DUE_SLOT)
            w->occupied[slot / CAPY_WHEEL_SLOTS] &= ~((uint64_t)1 << slot % CAPY_WHEEL_SLOTS);
    }
    e->prev = e->next = idx;
}

void capy_wheel_arm(struct capy_wheel *w, uint32_t idx, uint64_t at)
{
    CAPY_ASSERT(idx < w->cnt);
    if (w->entries[idx].at != CAPY_NEVER)
        unlink_entry(w, idx);
    w->entries[idx].at = at;
    if (at != CAPY_NEVER)
        link_in(w, idx);
}

/* First tick of the earliest occupied slot; CAPY_NEVER when the wheel is empty. */
static uint64_t next_tick(const struct capy_wheel *w, uint32_t *slot)
{
    for (uint32_t level = 0; level < CAPY_WHEEL_LEVELS; level++) {
        if (!w->occupied[level])
            continue;
        uint32_t digit = (uint32_t)__builtin_ctzll(w->occupied[level]);
        uint32_t shift = level * CAPY_WHEEL_SLOT_BITS;
        uint64_t above = shift + CAPY_WHEEL_SLOT_BITS >= 64
                             ? 0
                             : w->tick >> (shift + CAPY_WHEEL_SLOT_BITS)
                                              << (shift + CAPY_WHEEL_SLOT_BITS);
        *slot = level * CAPY_WHEEL_SLOTS + digit;
        return above | (uint64_t)digit << shift;
    }
    return CAPY_NEVER;
}

/* Moves time to now; what a slot held goes to finer slots or to the due ring. */
static void advance(struct capy_wheel *w, uint64_t now)
{
    uint64_t target = now >> CAPY_WHEEL_TICK_BITS;
    uint32_t slot = 0;
    uint64_t start;
    while ((start = next_tick(w, &slot)) <= target) {
        w->tick = start;
        uint32_t head = head_of(w, slot);
        while (w->entries[head].next != head) {
            uint32_t idx = w->entries[head].next;
            unlink_entry(w, idx);
            link_in(w, idx);
        }
    }
    if (target > w->tick)
        w->tick = target;
}

uint32_t capy_wheel_due(struct capy_wheel *w, uint64_t now)
{
    uint32_t head = head_of(w, DUE_SLOT);
    if (w->entries[head].next == head)
        advance(w, now);
    uint32_t idx = w->entries[head].next;
    if (idx == head)
        return CAPY_NONE;
    unlink_entry(w, idx);
    w->entries[idx].at = CAPY_NEVER;
    return idx;
}

uint64_t capy_wheel_next_at(const struct capy_wheel *w)
{
    uint32_t head = head_of(w, DUE_SLOT), slot = 0;
    if (w->entries[head].next != head)
        return w->tick << CAPY_WHEEL_TICK_BITS;
    uint64_t tick = next_tick(w, &slot);
    return tick == CAPY_NEVER ? CAPY_NEVER : tick << CAPY_WHEEL_TICK_BITS;
}
