/* The ring of frames that are ready to go and belong to no connection. Written in place by whoever
 * owes one, in the order in which they were owed. */
#include "stack/host.h"

uint8_t *capy_control_reserve(struct capy_stack *s)
{
    struct capy_control *c = &s->control;
    if (c->cnt == CAPY_CONTROL_FRAMES) {
        s->count.control_full++;
        return NULL;
    }
    if (c->cnt == 0)
        c->first = 0; /* the same few frames again: they are in the cache */
    return c->frames + (size_t)((c->first + c->cnt) % CAPY_CONTROL_FRAMES) * CAPY_FRAME_MAX;
}

void capy_control_commit(struct capy_stack *s, size_t len)
{
    struct capy_control *c = &s->control;
    CAPY_ASSERT(len <= CAPY_FRAME_MAX && c->cnt < CAPY_CONTROL_FRAMES);
    if (len == 0)
        return; /* reserved, then there was nothing to say */
    c->lens[(c->first + c->cnt) % CAPY_CONTROL_FRAMES] = (uint16_t)len;
    c->cnt++;
}

size_t capy_control_pop(struct capy_stack *s, uint8_t *frame)
{
    struct capy_control *c = &s->control;
    if (c->cnt == 0)
        return 0;
    size_t len = c->lens[c->first];
    memcpy(frame, c->frames + (size_t)c->first * CAPY_FRAME_MAX, len);
    c->first = (c->first + 1) % CAPY_CONTROL_FRAMES;
    c->cnt--;
    return len;
}
