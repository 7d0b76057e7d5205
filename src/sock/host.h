/* The calls that change the stack, as the library OS makes them: capy_host_write(os, ...) is
 * capy_stack_write, and is recorded when a recording runs; when none does it costs the test of a
 * pointer. Made of the table in calls.h. */
#ifndef CAPY_SOCK_HOST_H
#define CAPY_SOCK_HOST_H

#include "sock/calls.h"
#include "sock/os.h"

/* In record.c; os->record is not NULL. */
#define CALL(result, name, ...)                                                                    \
    CAPY_TYPE_##result capy_recorded_##name(struct capy *os CAPY_EACH(CAPY_PARAM, __VA_ARGS__));
CAPY_HOST_CALLS(CALL)
#undef CALL

#define CALL(result, name, ...)                                                                    \
    static inline CAPY_TYPE_##result capy_host_##name(                                             \
        struct capy *os CAPY_EACH(CAPY_PARAM, __VA_ARGS__))                                        \
    {                                                                                              \
        if (__builtin_expect(os->record != NULL, 0))                                               \
            CAPY_GIVE_##result(capy_recorded_##name(os CAPY_EACH(CAPY_PASS, __VA_ARGS__)));        \
        else                                                                                       \
            CAPY_GIVE_##result(capy_stack_##name(os->stack CAPY_EACH(CAPY_PASS, __VA_ARGS__)));    \
    }
CAPY_HOST_CALLS(CALL)
#undef CALL

/* Begins to record to opt->record: after capy_open_with, before anything else. CAPY_OK, or CAPY_E_SYS
 * with one line in err. */
int capy_host_record(struct capy *os, const struct capy_options *opt, char *err, size_t err_len);

#endif
