/* The functions that make recorded calls again, out of a table of calls (record/call.h). Whoever includes
 * this says how an argument of a kind is taken from the recording (TAKE_kind), what is compared after
 * the call (CHECK_kind), and what the recording has of a result (RESULT_kind); `p` is the replay. */
#ifndef CAPY_REPLAY_CALLS_H
#define CAPY_REPLAY_CALLS_H

#include "record/call.h"
#include "replay/machine.h"

#define REPLAY_TAKE(kind, name) TAKE_##kind(name)
#define REPLAY_CHECK(kind, name) CHECK_##kind(name)

/* Of function(object, ...). Where the recording ends inside the arguments it was not called. */
#define REPLAY_CALL(function, object, result, name, ...)                                           \
    static void call_##name(struct replay *p)                                                      \
    {                                                                                              \
        CAPY_EACH(REPLAY_TAKE, __VA_ARGS__)                                                        \
        if (!capy_read_whole(p->read))                                                             \
            return;                                                                                \
        CAPY_KEEP_##result(function(object CAPY_EACH(CAPY_PASS, __VA_ARGS__)));                    \
        CAPY_EACH(REPLAY_CHECK, __VA_ARGS__)                                                       \
        RESULT_##result                                                                            \
    }

/* Its row in the machine's table. */
#define REPLAY_ROW(result, name, ...) {#name, call_##name},

#endif
