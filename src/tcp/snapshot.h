/* The canonical encoding of what moves: versioned, pointer-free, big-endian; timers as remaining
 * durations, the timestamp clock as its present value (design: a connection is a value).
 * decode(encode(x)) behaves exactly like x. The same bytes are what CONN_STATE carries.
 *
 * The encoding is a byte string of four parts, in order:
 *   head   fixed fields, then ranges and send records; at most CAPY_SNAP_HEAD_MAX
 *   recv   unconsumed in-order bytes, then the bytes of each out-of-order range
 *   send   bytes from snd_una on, sent or not
 *   app    the application's own bytes (0..CAPY_APP_STATE_MAX)
 * Only the head is materialised; the rest is read out of the frozen connection's queues piece by
 * piece, so that moving 1 MiB needs no 1 MiB buffer. */
#ifndef CAPY_TCP_SNAPSHOT_H
#define CAPY_TCP_SNAPSHOT_H

#include "tcp/tcp.h"

#define CAPY_SNAP_VERSION 7u
#define CAPY_SNAP_HEAD_MAX 1536u
#define CAPY_APP_STATE_MAX 65536u

/* What moves beside the control block, owned by the layers above TCP. */
struct capy_snap_meta {
    struct capy_mac next_hop; /* the MAC that the peer's frames come from, so that the target
                                 need not ask ARP before its first segment */
    uint32_t app_len;         /* bytes of application state */
    uint64_t user_flags;      /* libcapy's own per-queue flags (src/sock), opaque here */
};

/* A frozen connection ready to be read out. Borrows tcb and app until the migration ends. */
struct capy_snap {
    struct capy_tcp *tcb;
    struct capy_stream *app;
    uint32_t head_len, recv_len, send_len, app_len;
    uint8_t head[CAPY_SNAP_HEAD_MAX];
};

/* Encodes the head. tcb must not change until the snapshot is dropped. */
void capy_snap_take(struct capy_snap *snap, struct capy_tcp *tcb, const struct capy_tcp_env *env,
                    const struct capy_snap_meta *meta, struct capy_stream *app);
uint32_t capy_snap_len(const struct capy_snap *snap);
/* Copies bytes [offset, offset + len) of the encoding; within capy_snap_len (asserted). */
void capy_snap_read(struct capy_snap *snap, const struct capy_blocks *blocks, uint32_t offset,
                    uint8_t *out, uint32_t len);

/* Where an encoding lies: in one piece, as it came in one message, or at offsets 0.. of a stream. */
struct capy_snap_source {
    const uint8_t *piece; /* NULL: in the stream */
    struct capy_stream *stream;
};

/* Lends what lies together at `at`, at most len bytes (>= 1), and says how many in *got. */
static inline const uint8_t *capy_snap_source_span(const struct capy_snap_source *in,
                                                   const struct capy_blocks *blocks, uint64_t at,
                                                   uint32_t len, uint32_t *got)
{
    if (!in->piece)
        return capy_stream_span(in->stream, blocks, at, len, got);
    *got = len;
    return in->piece + at;
}

/* Which version of the encoding it is; the source is not empty. */
static inline uint8_t capy_snap_source_version(const struct capy_snap_source *in,
                                               const struct capy_blocks *blocks)
{
    uint32_t got;
    return *capy_snap_source_span(in, blocks, 0, 1, &got);
}

/* Rebuilds a connection from the whole encoding, len bytes of the source. Checks every
 * field: CAPY_OK; CAPY_E_FORMAT (never to be trusted: malformed, inconsistent or another version);
 * CAPY_E_NOMEM (no blocks). On an error *tcb and *app own nothing. The source keeps what it has. */
CAPY_MUST_USE int capy_snap_restore(const struct capy_snap_source *in, uint32_t len,
                                    struct capy_tcp *tcb, const struct capy_tcp_env *env,
                                    struct capy_snap_meta *meta, struct capy_stream *app);

#endif
