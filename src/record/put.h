/* Appends calls to a recording: begin, arguments, (the call itself,) results, end. Header only: a few
 * nanoseconds each. Once a recording is over begin says so, and nothing else may follow. */
#ifndef CAPY_RECORD_PUT_H
#define CAPY_RECORD_PUT_H

#include "record/record.h"

static inline uint8_t *capy_record_number(uint8_t *at, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *at++ = (uint8_t)(v | 0x80);
    *at++ = (uint8_t)v;
    return at;
}

static inline void capy_put_number(struct capy_record *r, uint64_t v)
{
    r->at = capy_record_number(r->at, v);
}

static inline void capy_put_signed(struct capy_record *r, int64_t v)
{
    capy_put_number(r, (uint64_t)v << 1 ^ (uint64_t)(v < 0 ? -1 : 0));
}

static inline void capy_put_hash(struct capy_record *r, uint64_t hash)
{
    capy_store64(r->at, hash);
    r->at += sizeof hash;
}

/* False: the recording is over, the call goes unrecorded. */
static inline bool capy_put_begin(struct capy_record *r, uint8_t call, uint64_t now)
{
    if (r->end - r->at < (ptrdiff_t)CAPY_RECORD_HEAD_MAX || now >= r->block_due)
        if (!capy_record_next_block(r, now))
            return false;
    r->call_at = r->at;
    r->call_now = r->now;
    *r->at++ = now == r->now ? call : (uint8_t)(call | CAPY_RECORD_TIME_PASSED);
    if (now != r->now)
        capy_put_number(r, now - r->now);
    r->now = now;
    return true;
}

/* Bytes may fill blocks; behind them there is room for the rest of the call again, or it is over and
 * what follows goes nowhere. */
void capy_put_bytes_slowly(struct capy_record *r, const uint8_t *data, size_t len);

static inline void capy_put_bytes(struct capy_record *r, const uint8_t *data, size_t len)
{
    capy_put_number(r, len);
    if (r->end - r->at < (ptrdiff_t)(len + CAPY_RECORD_HEAD_MAX)) {
        capy_put_bytes_slowly(r, data, len);
        return;
    }
    if (len > 0)
        memcpy(r->at, data, len);
    r->at += len;
}

/* A frame that was put out, of which a replay must give the same. */
static inline void capy_put_output(struct capy_record *r, const uint8_t *frame, size_t len)
{
    if (r->whole_frames) {
        capy_put_bytes(r, frame, len);
        return;
    }
    capy_put_number(r, len);
    if (len > 0)
        capy_put_hash(r, capy_record_hash(frame, len));
}

static inline void capy_put_end(struct capy_record *r)
{
    r->call_cnt++;
}

/* The call changed nothing, and had no bytes: as if it had not been. */
static inline void capy_put_take_back(struct capy_record *r)
{
    r->at = r->call_at;
    r->now = r->call_now;
}

/* The end of a call that gave nothing: kept once until something else happens. */
static inline void capy_put_end_idle(struct capy_record *r)
{
    if (r->idle_cnt == r->call_cnt) {
        capy_put_take_back(r);
        return;
    }
    r->call_cnt++;
    r->idle_cnt = r->call_cnt;
}

#endif
