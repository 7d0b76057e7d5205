/* Every call by which the library OS changes its stack, as a table (record/call.h): from it come the
 * functions of host.h, their recording (record.c), and the replay (src/replay/host.c). Calls that only look
 * are not here and go to the stack directly; tools/tidy knows which those are. */
#ifndef CAPY_SOCK_CALLS_H
#define CAPY_SOCK_CALLS_H

#include "record/call.h"
#include "stack/stack.h"

/* clang-format off */
#define CAPY_HOST_CALLS(CALL)                                                                      \
    CALL(none,   input_offloaded,  (frame, frame), (done, done), (time, now))                      \
    CALL(length, output_offloaded, (to_frame, frame), (how, how), (time, now))                     \
    CALL(none,   expire,           (time, now))                                                    \
    CALL(found,  event,            (to_event, event))                                              \
    CALL(status, listen,           (u16, port), (u64, user))                                       \
    CALL(status, unlisten,         (u16, port))                                                    \
    CALL(status, listen_pause,     (u16, port), (flag, paused))                                    \
    CALL(status, take_opened,      (u64, user))                                                    \
    CALL(none,   refuse_opened,    (nothing, nothing))                                             \
    CALL(status, connect,          (address, ip), (u16, port), (u16, local_port), (u64, user),     \
                                   (to_handle, conn), (time, now))                                 \
    CALL(status, set,              (u32, conn), (option, option), (u64, value), (time, now))       \
    CALL(status, listener_set,     (u16, port), (option, option), (u64, value))                    \
    CALL(status, set_user,         (u32, conn), (u64, user))                                       \
    CALL(status, consume,          (u32, conn), (u32, cnt), (time, now))                           \
    CALL(taken,  write,            (u32, conn), (bytes, data), (time, now))                        \
    CALL(taken,  write_more,       (u32, conn), (bytes, data), (time, now))                        \
    CALL(status, close,            (u32, conn), (time, now))                                       \
    CALL(status, abort,            (u32, conn), (time, now))                                       \
    CALL(status, migrate,          (u32, conn), (u16, target), (time, now))                        \
    CALL(status, release,          (u32, conn), (bytes, state), (u64, flags), (time, now))         \
    CALL(status, veto,             (u32, conn), (time, now))                                       \
    CALL(none,   app_state_drop,   (u32, conn))                                                    \
    CALL(none,   set_load,         (u32, load))                                                    \
    CALL(none,   set_draining,     (flag, draining))
/* clang-format on */

enum capy_host_call {
#define CALL(result, name, ...) CAPY_HOST_##name,
    CAPY_HOST_CALLS(CALL)
#undef CALL
        CAPY_HOST_CALL_CNT
};

/* The table as it stands, for the setup of a recording. */
#define CAPY_HOST_CALLS_TEXT CAPY_HOST_CALLS(CAPY_CALL_TEXT)

/* ---- kinds of its own ---- */
#define CAPY_PARAM_option(name) , enum capy_option name
#define CAPY_PASS_option(name) , name
#define CAPY_PUT_option(name) capy_put_number(r, (unsigned)name);
#define CAPY_OUT_option(name)

#define CAPY_PARAM_to_handle(name) , capy_handle *name
#define CAPY_PASS_to_handle(name) , name
#define CAPY_PUT_to_handle(name)
#define CAPY_OUT_to_handle(name) capy_put_number(r, result == CAPY_OK ? *name : 0);

#define CAPY_PARAM_to_event(name) , struct capy_stack_event *name
#define CAPY_PASS_to_event(name) , name
#define CAPY_PUT_to_event(name)
#define CAPY_OUT_to_event(name)                                                                    \
    if (result) {                                                                                  \
        capy_put_number(r, name->conn);                                                            \
        capy_put_number(r, name->bits);                                                            \
        capy_put_number(r, name->user);                                                            \
        capy_put_number(r, (unsigned)name->reason << 8 | name->verdict);                           \
    }

#endif
