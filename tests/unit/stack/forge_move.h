/* Between two forged hosts of a rack (forge_rack.h), o and t, and the switch: what one says the other
 * hears, as the switch would pass it on. Header only; one program each. */
#ifndef CAPY_TESTS_STACK_FORGE_MOVE_H
#define CAPY_TESTS_STACK_FORGE_MOVE_H

#include "forge_rack.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct forge o, t;       /* servers 0 and 1: one clock */
static struct capy_mig_msg msg; /* the last one that either sent; its payload in state_bytes */
static uint8_t state_bytes[CAPY_MIG_PAYLOAD_MAX];

static inline void hear(struct forge *f, enum capy_mig_type type)
{
    assert_true(forge_rack_hears(f, type, &msg));
    if (msg.length > 0)
        memcpy(state_bytes, msg.payload, msg.length);
    msg.payload = state_bytes;
}

/* As the switch passes it on, or bounces it. */
static inline void pass(struct forge *f, enum capy_mig_verdict verdict, enum capy_phase phase,
                        uint16_t owner, uint32_t entry_epoch)
{
    struct capy_mig_msg m = msg;
    m.verdict = (uint8_t)verdict;
    m.phase = (uint8_t)phase;
    m.owner = owner;
    m.entry_epoch = entry_epoch;
    forge_rack_says(f, &m, FORGE_SERVER(f == &t ? 0 : 1));
}

/* The bits of all events that wait, and the connection of the last. */
static inline uint32_t take_events(struct forge *f, capy_handle *of)
{
    struct capy_stack_event ev;
    uint32_t bits = 0;
    while (capy_stack_event(f->s, &ev)) {
        bits |= ev.bits;
        *of = ev.conn;
    }
    return bits;
}

#endif
