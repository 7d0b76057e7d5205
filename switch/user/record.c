/* Recording what the switch program does to its plane: the calls of calls.h, each with its arguments and
 * what it gave. Faults (fault.c) come before: what they lost is not in a recording. */
#include "switch/user/record.h"
#include "rack/text.h"
#include "record/setup.h"
#include <stdlib.h>
#include <time.h>

#define CALL(result, name, ...)                                                                    \
    CAPY_TYPE_##result plane_recorded_##name(struct program *p CAPY_EACH(CAPY_PARAM, __VA_ARGS__)) \
    {                                                                                              \
        struct capy_record *r = p->record;                                                         \
        if (!capy_put_begin(r, CAPY_PLANE_##name, p->now)) {                                       \
            CAPY_GIVE_##result(capy_switch_##name(p->plane CAPY_EACH(CAPY_PASS, __VA_ARGS__)));    \
        } else {                                                                                   \
            CAPY_EACH(CAPY_PUT, __VA_ARGS__)                                                       \
            CAPY_KEEP_##result(capy_switch_##name(p->plane CAPY_EACH(CAPY_PASS, __VA_ARGS__)));    \
            CAPY_EACH(CAPY_OUT, __VA_ARGS__)                                                       \
            CAPY_FINISH_##result                                                                   \
        }                                                                                          \
    }
CAPY_PLANE_CALLS(CALL)
#undef CALL

static uint64_t wall_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return CAPY_SEC(ts.tv_sec) + (uint64_t)ts.tv_nsec;
}

int plane_record(struct program *p, const struct capy_switch_run *run, char *err, size_t err_len)
{
    struct capy_record_setup setup = {
        .kind = CAPY_RECORD_PLANE,
        .build = capy_record_build(),
        .calls = CAPY_PLANE_CALLS_TEXT,
        .self = "",
        .whole_frames = run->record_frames,
        .wall_ns = wall_ns(),
        .now = p->started_at,
        .hash_key = p->cfg.hash_key,
        .incarnation = p->cfg.boot_id,
    };
    const struct capy_record_options how = {
        .path = run->record, .size_max = run->record_mib << 20, .whole_frames = run->record_frames};
    char *rack = capy_rack_text(&p->rack, &setup.rack_len);
    uint8_t *bytes = malloc(CAPY_RECORD_BLOCK_MAX);
    setup.rack = rack;
    size_t len = rack && bytes ? capy_record_setup_encode(&setup, bytes, CAPY_RECORD_BLOCK_MAX) : 0;
    snprintf(err, err_len, "record: out of memory");
    if (len > 0)
        p->record = capy_record_open(&how, bytes, len, p->started_at, err, err_len);
    free(rack);
    free(bytes);
    return p->record ? CAPY_OK : CAPY_E_SYS;
}
