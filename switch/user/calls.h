/* Every call by which the switch program changes its plane, as a table (record/call.h): from it come the
 * functions below, their recording (record.c), and the replay (src/replay/plane.c). */
#ifndef CAPY_SWITCH_CALLS_H
#define CAPY_SWITCH_CALLS_H

#include "record/call.h"
#include "switch/core/plane.h"

/* clang-format off */
#define CAPY_PLANE_CALLS(CALL)                                                                     \
    CALL(none, input,  (u16, port), (io_frame, frame), (time, now), (to_out, out))                 \
    CALL(at,   expire, (time, now))
/* clang-format on */

enum capy_plane_call {
#define CALL(result, name, ...) CAPY_PLANE_##name,
    CAPY_PLANE_CALLS(CALL)
#undef CALL
        CAPY_PLANE_CALL_CNT
};

/* The table as it stands, for the setup of a recording. */
#define CAPY_PLANE_CALLS_TEXT CAPY_PLANE_CALLS(CAPY_CALL_TEXT)

/* ---- kinds of its own ---- */
/* Rewritten in place. */
#define CAPY_PARAM_io_frame(name) , uint8_t *name, size_t name##_len
#define CAPY_PASS_io_frame(name) , name, name##_len
#define CAPY_PUT_io_frame(name) capy_put_bytes(r, name, name##_len);
#define CAPY_OUT_io_frame(name)

#define CAPY_PARAM_to_out(name) , struct capy_switch_out *name
#define CAPY_PASS_to_out(name) , name
#define CAPY_PUT_to_out(name)
#define CAPY_OUT_to_out(name)                                                                      \
    capy_put_number(r, name->cnt);                                                                 \
    for (unsigned i = 0; i < name->cnt; i++) {                                                     \
        capy_put_number(r, name->frame[i].port);                                                   \
        capy_put_output(r, name->frame[i].data, name->frame[i].len);                               \
    }

#endif
