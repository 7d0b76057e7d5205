/* Snapshots (tcp/snapshot.h): the head is encoded once, the queues are read in place. The parts lie
 * one behind the other; a read that spans parts is cut at their borders. */
#include "tcp/snapshot.h"
#include "tcp/open.h"
#include "tcp/snapshot_head.h"
#include <string.h>

void capy_snap_take(struct capy_snap *snap, struct capy_tcp *tcb, const struct capy_tcp_env *env,
                    const struct capy_snap_meta *meta, struct capy_stream *app)
{
    CAPY_ASSERT(tcb->state >= CAPY_TCP_ESTABLISHED && meta->app_len <= CAPY_APP_STATE_MAX);
    CAPY_ASSERT(app || meta->app_len == 0);
    struct capy_codec c = {.p = snap->head, .max = sizeof snap->head, .now = env->now};
    struct capy_tcp_marks marks;
    struct capy_snap_meta m = *meta;
    bool marked = capy_tcp_marks_used(capy_tcp_marks(tcb, env));
    if (marked)
        marks = *capy_tcp_marks(tcb, env);
    capy_snap_head_walk(&c, tcb, env, marked ? &marks : NULL, &m);
    snap->tcb = tcb;
    snap->app = app;
    snap->head_len = c.at;
    snap->recv_len = capy_tcp_readable(tcb) + tcb->rcv.ooo;
    snap->send_len = capy_tcp_unacked(tcb);
    snap->app_len = meta->app_len;
}

uint32_t capy_snap_len(const struct capy_snap *snap)
{
    return snap->head_len + snap->recv_len + snap->send_len + snap->app_len;
}

/* A piece of a read that is still to be served. */
struct piece {
    const struct capy_blocks *blocks;
    uint32_t skip, len; /* of what follows, skip bytes are not wanted, then len are */
    uint8_t *out;
};

/* Serves what of the piece lies in the next part_len bytes: where in the part it begins and how
 * much it is (0: nothing), and moves on. */
static uint32_t cut(struct piece *p, uint32_t part_len, uint32_t *from)
{
    *from = capy_min32(p->skip, part_len);
    p->skip -= *from;
    return capy_min32(p->len, part_len - *from);
}

static void serve(struct piece *p, struct capy_stream *s, uint64_t offset, uint32_t part_len)
{
    uint32_t from, n = cut(p, part_len, &from);
    if (n == 0)
        return;
    capy_stream_read(s, p->blocks, offset + from, p->out, n);
    p->out += n;
    p->len -= n;
}

void capy_snap_read(struct capy_snap *snap, const struct capy_blocks *blocks, uint32_t offset,
                    uint8_t *out, uint32_t len)
{
    CAPY_ASSERT(offset <= capy_snap_len(snap) && len <= capy_snap_len(snap) - offset);
    if (offset == 0 && len == snap->head_len) { /* that is all, of a connection that rests */
        memcpy(out, snap->head, len);
        return;
    }
    struct capy_tcp *tcb = snap->tcb;
    struct piece p = {blocks, offset, len, out};
    uint32_t from, n = cut(&p, snap->head_len, &from);
    memcpy(p.out, snap->head + from, n);
    p.out += n;
    p.len -= n;

    serve(&p, &tcb->rcv.queue, tcb->rcv.queue.start, capy_tcp_readable(tcb));
    if (tcb->rcv.ooo > 0) {
        const struct capy_tcp_marks *m = capy_tcp_marks_in(tcb, blocks);
        for (uint32_t i = 0; i < m->ooo.cnt; i++)
            serve(&p, &tcb->rcv.queue, m->ooo.r[i].left,
                  (uint32_t)(m->ooo.r[i].right - m->ooo.r[i].left));
    }
    serve(&p, &tcb->snd.queue, tcb->snd.queue.start, snap->send_len);
    if (snap->app_len > 0)
        serve(&p, snap->app, snap->app->start, snap->app_len);
}

/* ---- restoring ---- */

/* Copies len bytes, of which there are seldom any, at in's *at to a stream, from offset `to` on, and moves *at. */
static bool copy_some(const struct capy_snap_source *in, uint64_t *at, struct capy_stream *out,
                      uint64_t to, uint64_t len, struct capy_blocks *blocks)
{
    while (len > 0) {
        uint32_t n;
        const uint8_t *p = capy_snap_source_span(in, blocks, *at, (uint32_t)len, &n);
        if (capy_stream_write(out, blocks, to, p, n) != CAPY_OK)
            return false;
        *at += n;
        to += n;
        len -= n;
    }
    return true;
}

static inline bool copy(const struct capy_snap_source *in, uint64_t *at, struct capy_stream *out,
                        uint64_t to, uint64_t len, struct capy_blocks *blocks)
{
    return len == 0 || copy_some(in, at, out, to, len, blocks);
}

static bool copy_queues(const struct capy_snap_source *in, uint64_t at, struct capy_tcp *tcb,
                        const struct capy_tcp_env *env, const struct capy_tcp_marks *marks,
                        const struct capy_snap_meta *meta, struct capy_stream *app)
{
    struct capy_stream *rcv = &tcb->rcv.queue, *snd = &tcb->snd.queue;
    if (!copy(in, &at, rcv, rcv->start, capy_tcp_readable(tcb), env->blocks))
        return false;
    for (uint32_t i = 0; i < marks->ooo.cnt; i++) {
        const struct capy_tcp_range *r = &marks->ooo.r[i];
        if (!copy(in, &at, rcv, r->left, r->right - r->left, env->blocks))
            return false;
    }
    if (!copy(in, &at, snd, snd->start, capy_tcp_unacked(tcb), env->blocks) ||
        !copy(in, &at, app, 0, meta->app_len, env->blocks))
        return false;
    if (!capy_tcp_marks_used(marks))
        return true;
    struct capy_tcp_marks *m = capy_tcp_marks_need(tcb, env);
    if (m)
        *m = *marks;
    return m;
}

_Static_assert(CAPY_SNAP_HEAD_MAX <= CAPY_BLOCK_LEN, "a head is read where it lies, in one block");

/* The head, checked against itself and the length of the whole. Its length, 0 when it is no good.
 * *marks: in *room, or the empty ones. */
static uint32_t restore_head(const struct capy_snap_source *in, uint32_t len, struct capy_tcp *tcb,
                             const struct capy_tcp_env *env, struct capy_tcp_marks *room,
                             const struct capy_tcp_marks **marks, struct capy_snap_meta *meta)
{
    uint32_t head_max = capy_min32(len, CAPY_SNAP_HEAD_MAX), got;
    const uint8_t *head = capy_snap_source_span(in, env->blocks, 0, head_max, &got);
    CAPY_ASSERT(got == head_max);
    /* A decoder writes nothing. */
    struct capy_codec c = {
        .p = (uint8_t *)(uintptr_t)head, .max = head_max, .decoding = true, .now = env->now};
    const struct capy_tcp_marks *m = capy_tcp_marks(tcb, env);
    if (capy_snap_head_walk(&c, tcb, env, room, meta))
        m = room;
    if (c.bad || !capy_snap_head_ok(tcb, env, m, meta))
        return 0;
    tcb->rcv.ooo = capy_tcp_ranges_total(&m->ooo);
    if (tcb->sack_ok)
        tcb->snd.sacked = capy_tcp_ranges_total(&m->sacked);
    *marks = m;
    uint64_t whole = (uint64_t)c.at + capy_tcp_readable(tcb) + tcb->rcv.ooo +
                     capy_tcp_unacked(tcb) + meta->app_len;
    return whole == len ? c.at : 0;
}

int capy_snap_restore(const struct capy_snap_source *in, uint32_t len, struct capy_tcp *tcb,
                      const struct capy_tcp_env *env, struct capy_snap_meta *meta,
                      struct capy_stream *app)
{
    struct capy_tcp_marks room;
    const struct capy_tcp_marks *marks;
    capy_tcp_blank(tcb);
    capy_stream_init(app, 0);
    *meta = (struct capy_snap_meta){0};
    uint32_t head_len = len > 0 ? restore_head(in, len, tcb, env, &room, &marks, meta) : 0;
    if (head_len > 0 && copy_queues(in, head_len, tcb, env, marks, meta, app))
        return CAPY_OK;
    if (head_len > 0)
        capy_tcp_free(tcb, env);
    capy_stream_clear(app, env->blocks);
    capy_tcp_blank(tcb);
    return head_len > 0 ? CAPY_E_NOMEM : CAPY_E_FORMAT;
}
