/* The origin's window over the fragments of one CONN_STATE (window.h; docs/protocol.md, section 3).
 * Plain values in the origin's slot; called by origin.c only. */
#include "mig/window.h"
#include "base/assert.h"
#include "mig/message.h"
#include <string.h>

void capy_mig_window_open(struct capy_mig_window *w, uint32_t cnt)
{
    CAPY_ASSERT(cnt >= 1 && cnt <= CAPY_MIG_FRAGMENT_MAX);
    memset(w, 0, offsetof(struct capy_mig_window, done));
    for (uint32_t i = 0; i < (cnt + 63u) / 64u; i++)
        w->done[i] = 0;
    w->cnt = cnt;
}

void capy_mig_window_pass(struct capy_mig_window *w, bool repeat)
{
    w->next = w->settled = w->flight = 0;
    w->repeat = repeat;
}

/* Fragments in [from, end) that the target is not known to have. */
static uint32_t missing(const struct capy_mig_window *w, uint32_t from, uint32_t end)
{
    uint32_t n = 0;
    for (uint32_t i = from; i < end; i++)
        n += !capy_mig_bit(w->done, i);
    return n;
}

bool capy_mig_window_next(struct capy_mig_window *w, uint32_t *idx)
{
    uint32_t last = w->cnt - 1u;
    if (w->flight >= CAPY_MIG_WINDOW)
        return false;
    while (w->next < last && capy_mig_bit(w->done, w->next))
        w->next++;
    if (w->next > last)
        return false;
    if (w->next == last) {
        bool wanted = w->repeat || !capy_mig_bit(w->done, last);
        if (!wanted || missing(w, 0, w->settled) > 0) /* a lost one first */
            return false;
    }
    *idx = w->next;
    return true;
}

void capy_mig_window_sent(struct capy_mig_window *w)
{
    w->flight += !capy_mig_bit(w->done, w->next);
    w->next++;
}

bool capy_mig_window_ack(struct capy_mig_window *w, const uint8_t *bitmap, uint32_t len)
{
    uint32_t words = (w->cnt + 63u) / 64u;
    bool news = false;
    if (len != words * 8u)
        return false;
    for (uint32_t i = 0; i < w->cnt; i++) {
        if (capy_mig_bit(w->done, i) || !(capy_load64(bitmap + 8u * (i / 64u)) >> (i % 64u) & 1u))
            continue;
        capy_mig_bit_set(w->done, i);
        news = true;
        if (i < w->next) /* else of an earlier pass: it tells nothing of this one */
            w->settled = capy_max32(w->settled, i + 1u);
    }
    if (!news)
        return false;
    w->flight = missing(w, w->settled, w->next);
    if (w->flight == 0 && w->next + 1u >= w->cnt)
        capy_mig_window_pass(w, false);
    return true;
}
