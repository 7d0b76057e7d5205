/* Calls as tables. A deterministic machine has one table of the calls that change it, a row each:
 *
 *     CALL(result, name, (kind, argument), (kind, argument), ...)
 *
 * and from that one row come the function that makes and records the call, and the one that reads
 * it back, makes it again and compares (src/replay). A kind says how an argument is declared (PARAM), given
 * on (PASS), written before the call (PUT), and, when the call gives something back through it, written
 * after it (OUT). A result says its type (TYPE), how it is returned (GIVE), kept (KEEP) and, with the end
 * of the call, written (FINISH). `r` is the recording, `result` the result.
 *
 * What every machine may use is here; kinds of its own are beside its table: src/sock/calls.h,
 * switch/user/calls.h. A row, and so every kind, is part of the format: a replay needs the same text. */
#ifndef CAPY_RECORD_CALL_H
#define CAPY_RECORD_CALL_H

#include "base/assert.h"
#include "record/put.h"
#include "wire/addr.h"
#include "wire/offload.h"

/* DO(kind, argument) for each; seven at most. */
#define CAPY_EACH(DO, ...)                                                                         \
    CAPY_EACH_PICK(__VA_ARGS__, CAPY_EACH_7, CAPY_EACH_6, CAPY_EACH_5, CAPY_EACH_4, CAPY_EACH_3,   \
                   CAPY_EACH_2, CAPY_EACH_1, none)                                                 \
    (DO, __VA_ARGS__)
#define CAPY_EACH_PICK(_1, _2, _3, _4, _5, _6, _7, each, ...) each
#define CAPY_EACH_1(DO, x) DO x
#define CAPY_EACH_2(DO, x, ...) DO x CAPY_EACH_1(DO, __VA_ARGS__)
#define CAPY_EACH_3(DO, x, ...) DO x CAPY_EACH_2(DO, __VA_ARGS__)
#define CAPY_EACH_4(DO, x, ...) DO x CAPY_EACH_3(DO, __VA_ARGS__)
#define CAPY_EACH_5(DO, x, ...) DO x CAPY_EACH_4(DO, __VA_ARGS__)
#define CAPY_EACH_6(DO, x, ...) DO x CAPY_EACH_5(DO, __VA_ARGS__)
#define CAPY_EACH_7(DO, x, ...) DO x CAPY_EACH_6(DO, __VA_ARGS__)

#define CAPY_PARAM(kind, name) CAPY_PARAM_##kind(name)
#define CAPY_PASS(kind, name) CAPY_PASS_##kind(name)
#define CAPY_PUT(kind, name) CAPY_PUT_##kind(name)
#define CAPY_OUT(kind, name) CAPY_OUT_##kind(name)

/* A row as it stands, for the setup of a recording. */
#define CAPY_CALL_TEXT(result, name, ...) #result " " #name " " #__VA_ARGS__ "\n"

/* ---- kinds: what goes in ---- */
#define CAPY_PARAM_nothing(name)
#define CAPY_PASS_nothing(name)
#define CAPY_PUT_nothing(name)
#define CAPY_OUT_nothing(name)

/* Now; begin wrote it already. */
#define CAPY_PARAM_time(name) , uint64_t name
#define CAPY_PASS_time(name) , name
#define CAPY_PUT_time(name) CAPY_ASSERT(name == r->now);
#define CAPY_OUT_time(name)

#define CAPY_PARAM_u16(name) , uint16_t name
#define CAPY_PASS_u16(name) , name
#define CAPY_PUT_u16(name) capy_put_number(r, name);
#define CAPY_OUT_u16(name)

#define CAPY_PARAM_u32(name) , uint32_t name
#define CAPY_PASS_u32(name) , name
#define CAPY_PUT_u32(name) capy_put_number(r, name);
#define CAPY_OUT_u32(name)

#define CAPY_PARAM_u64(name) , uint64_t name
#define CAPY_PASS_u64(name) , name
#define CAPY_PUT_u64(name) capy_put_number(r, name);
#define CAPY_OUT_u64(name)

#define CAPY_PARAM_flag(name) , bool name
#define CAPY_PASS_flag(name) , name
#define CAPY_PUT_flag(name) capy_put_number(r, name);
#define CAPY_OUT_flag(name)

#define CAPY_PARAM_address(name) , const struct capy_ip *name
#define CAPY_PASS_address(name) , name
#define CAPY_PUT_address(name) capy_put_bytes(r, name->b, sizeof name->b);
#define CAPY_OUT_address(name)

/* Of the application. */
#define CAPY_PARAM_bytes(name) , const uint8_t *name, uint32_t name##_len
#define CAPY_PASS_bytes(name) , name, name##_len
#define CAPY_PUT_bytes(name) capy_put_bytes(r, name, name##_len);
#define CAPY_OUT_bytes(name)

#define CAPY_PARAM_frame(name) , const uint8_t *name, size_t name##_len
#define CAPY_PASS_frame(name) , name, name##_len
#define CAPY_PUT_frame(name) capy_put_bytes(r, name, name##_len);
#define CAPY_OUT_frame(name)

/* What a device did to a received frame. */
#define CAPY_PARAM_done(name) , const struct capy_offload *name
#define CAPY_PASS_done(name) , name
#define CAPY_PUT_done(name) capy_put_number(r, capy_record_offload(name));
#define CAPY_OUT_done(name)

/* ---- kinds: what comes out ---- */
/* What a device can do to a frame that is sent; and what it must. */
#define CAPY_PARAM_how(name) , struct capy_offload *name
#define CAPY_PASS_how(name) , name
#define CAPY_PUT_how(name) capy_put_number(r, capy_record_offload(name));
#define CAPY_OUT_how(name) capy_put_number(r, capy_record_offload(name));

/* The result is the frame's length. */
#define CAPY_PARAM_to_frame(name) , uint8_t *name
#define CAPY_PASS_to_frame(name) , name
#define CAPY_PUT_to_frame(name)
#define CAPY_OUT_to_frame(name) capy_put_output(r, name, result);

/* ---- results ---- */
#define CAPY_TYPE_none void
#define CAPY_GIVE_none(call) call
#define CAPY_KEEP_none(call) call
#define CAPY_FINISH_none                                                                           \
    capy_put_end(r);                                                                               \
    return;

/* CAPY_OK or a code. */
#define CAPY_TYPE_status int
#define CAPY_GIVE_status(call) return call
#define CAPY_KEEP_status(call) const int result = call
#define CAPY_FINISH_status                                                                         \
    capy_put_signed(r, result);                                                                    \
    capy_put_end(r);                                                                               \
    return result;

/* How much, or a code. */
#define CAPY_TYPE_taken int64_t
#define CAPY_GIVE_taken(call) return call
#define CAPY_KEEP_taken(call) const int64_t result = call
#define CAPY_FINISH_taken                                                                          \
    capy_put_signed(r, result);                                                                    \
    capy_put_end(r);                                                                               \
    return result;

/* A time. */
#define CAPY_TYPE_at uint64_t
#define CAPY_GIVE_at(call) return call
#define CAPY_KEEP_at(call) const uint64_t result = call
#define CAPY_FINISH_at                                                                             \
    capy_put_number(r, result);                                                                    \
    capy_put_end(r);                                                                               \
    return result;

/* Something, or false, and then nothing has changed. */
#define CAPY_TYPE_found bool
#define CAPY_GIVE_found(call) return call
#define CAPY_KEEP_found(call) const bool result = call
#define CAPY_FINISH_found                                                                          \
    if (result)                                                                                    \
        capy_put_end(r);                                                                           \
    else                                                                                           \
        capy_put_take_back(r);                                                                     \
    return result;

/* A frame's length; 0: there is none, and to ask again before anything else changes nothing: of many
 * such calls in a row (a loop that spins) the first is recorded. */
#define CAPY_TYPE_length size_t
#define CAPY_GIVE_length(call) return call
#define CAPY_KEEP_length(call) const size_t result = call
#define CAPY_FINISH_length                                                                         \
    if (result == 0)                                                                               \
        capy_put_end_idle(r);                                                                      \
    else                                                                                           \
        capy_put_end(r);                                                                           \
    return result;

static inline uint64_t capy_record_offload(const struct capy_offload *o)
{
    return (uint64_t)o->segment << 2 | (unsigned)o->checked << 1 | (unsigned)o->partial;
}

static inline struct capy_offload capy_record_offload_of(uint64_t packed)
{
    return (struct capy_offload){.segment = (uint16_t)(packed >> 2),
                                 .checked = (packed & 2) != 0,
                                 .partial = (packed & 1) != 0};
}

#endif
