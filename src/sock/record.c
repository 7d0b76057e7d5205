/* Recording what a library OS does to its stack: the calls of calls.h, each with its arguments and what
 * it gave. The machine that a replay needs is in the setup: the rack, the random numbers, the time. */
#include "rack/text.h"
#include "record/setup.h"
#include "sock/host.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CALL(result, name, ...)                                                                    \
    CAPY_TYPE_##result capy_recorded_##name(struct capy *os CAPY_EACH(CAPY_PARAM, __VA_ARGS__))    \
    {                                                                                              \
        struct capy_record *r = os->record;                                                        \
        if (!capy_put_begin(r, CAPY_HOST_##name, os->now)) {                                       \
            CAPY_GIVE_##result(capy_stack_##name(os->stack CAPY_EACH(CAPY_PASS, __VA_ARGS__)));    \
        } else {                                                                                   \
            CAPY_EACH(CAPY_PUT, __VA_ARGS__)                                                       \
            CAPY_KEEP_##result(capy_stack_##name(os->stack CAPY_EACH(CAPY_PASS, __VA_ARGS__)));    \
            CAPY_EACH(CAPY_OUT, __VA_ARGS__)                                                       \
            CAPY_FINISH_##result                                                                   \
        }                                                                                          \
    }
CAPY_HOST_CALLS(CALL)
#undef CALL

static uint64_t wall_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return CAPY_SEC(ts.tv_sec) + (uint64_t)ts.tv_nsec;
}

int capy_host_record(struct capy *os, const struct capy_options *opt, char *err, size_t err_len)
{
    static const char no_memory[] = "record: out of memory";
    struct capy_record_setup setup = {
        .kind = CAPY_RECORD_HOST,
        .build = capy_record_build(),
        .calls = CAPY_HOST_CALLS_TEXT,
        .self = os->alone ? "" : os->rack.server[os->self].name,
        .whole_frames = opt->record_frames,
        .wall_ns = wall_ns(),
        .now = os->opened_at,
        .hash_key = os->seed.hash_key,
        .incarnation = os->seed.incarnation,
    };
    struct capy_record_options how = {
        .path = opt->record, .size_max = opt->record_mib << 20, .whole_frames = opt->record_frames};
    char *rack = capy_rack_text(&os->rack, &setup.rack_len);
    uint8_t *bytes = malloc(CAPY_RECORD_BLOCK_MAX);
    setup.rack = rack;
    size_t len = rack && bytes ? capy_record_setup_encode(&setup, bytes, CAPY_RECORD_BLOCK_MAX) : 0;
    (void)snprintf(err, err_len, no_memory);
    if (len > 0)
        os->record = capy_record_open(&how, bytes, len, os->opened_at, err, err_len);
    free(rack);
    free(bytes);
    return os->record ? CAPY_OK : CAPY_E_SYS;
}
