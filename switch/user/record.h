/* The calls that change the plane, as the switch program makes them: plane_input is capy_switch_input, and
 * is recorded when a recording runs; when none does it costs the test of a pointer. Made of the table in
 * calls.h. */
#ifndef CAPY_SWITCH_RECORD_H
#define CAPY_SWITCH_RECORD_H

#include "switch/user/calls.h"
#include "switch/user/program.h"

/* In record.c; p->record is not NULL. */
#define CALL(result, name, ...)                                                                    \
    CAPY_TYPE_##result plane_recorded_##name(struct program *p CAPY_EACH(CAPY_PARAM, __VA_ARGS__));
CAPY_PLANE_CALLS(CALL)
#undef CALL

#define CALL(result, name, ...)                                                                    \
    static inline CAPY_TYPE_##result plane_##name(                                                 \
        struct program *p CAPY_EACH(CAPY_PARAM, __VA_ARGS__))                                      \
    {                                                                                              \
        if (__builtin_expect(p->record != NULL, 0))                                                \
            CAPY_GIVE_##result(plane_recorded_##name(p CAPY_EACH(CAPY_PASS, __VA_ARGS__)));        \
        else                                                                                       \
            CAPY_GIVE_##result(capy_switch_##name(p->plane CAPY_EACH(CAPY_PASS, __VA_ARGS__)));    \
    }
CAPY_PLANE_CALLS(CALL)
#undef CALL

/* Begins to record as run says: after the plane was made, before anything else. CAPY_OK, or CAPY_E_SYS
 * with one line in err. */
int plane_record(struct program *p, const struct capy_switch_run *run, char *err, size_t err_len);

#endif
