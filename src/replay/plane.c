/* The switch's plane, replayed: the functions that make a recorded call again, from the table in
 * switch/user/calls.h. */
#include "replay/calls.h"
#include "switch/user/calls.h"
#include "switch/user/config.h"
#include <stdlib.h>

#define TAKE_time(name) const uint64_t name = p->now;
#define CHECK_time(name)
#define TAKE_u16(name) const uint16_t name = (uint16_t)capy_get_number(p->read);
#define CHECK_u16(name)
#define TAKE_io_frame(name)                                                                        \
    uint8_t *name = p->frame;                                                                      \
    const size_t name##_len = take_frame(p, port);
#define CHECK_io_frame(name)
#define TAKE_to_out(name) struct capy_switch_out *name = p->out;
#define CHECK_to_out(name) check_out(p, name);

#define RESULT_none
#define RESULT_at replay_expect_number(p, "result", result);

static const char *port_name(const struct replay *p, uint16_t port, char out[40])
{
    const struct capy_rack *rack = &p->rack;
    if (port == CAPY_PORT_FLOOD)
        (void)snprintf(out, 40, "all: ");
    else if (port < rack->server_cnt)
        (void)snprintf(out, 40, "%s: ", rack->server[port].name);
    else if (port < rack->server_cnt + rack->client_port_cnt)
        (void)snprintf(out, 40, "%s: ", rack->client_port[port - rack->server_cnt].device);
    else
        (void)snprintf(out, 40, "port %u: ", port);
    return out;
}

static size_t take_frame(struct replay *p, uint16_t port)
{
    char name[40];
    size_t len;
    const uint8_t *frame = capy_get_bytes(p->read, &len);
    if (len > CAPY_LARGE_FRAME_MAX)
        capy_read_nonsense(p->read, "has a frame larger than any");
    if (!capy_read_whole(p->read))
        return 0;
    memcpy(p->frame, frame, len);
    replay_frame_in(p, port_name(p, port, name), p->frame, len);
    return len;
}

static void check_out(struct replay *p, const struct capy_switch_out *out)
{
    char name[40];
    replay_expect_number(p, "frames", out->cnt);
    for (unsigned i = 0; i < out->cnt && !p->differs; i++) {
        replay_expect_number(p, "port", out->frame[i].port);
        replay_expect_frame(p, port_name(p, out->frame[i].port, name), out->frame[i].data,
                            out->frame[i].len);
    }
}

#define CALL(result, name, ...) REPLAY_CALL(capy_switch_##name, p->plane, result, name, __VA_ARGS__)
CAPY_PLANE_CALLS(CALL)

static const struct replay_call calls[CAPY_PLANE_CALL_CNT] = {CAPY_PLANE_CALLS(REPLAY_ROW)};

static int plane_start(struct replay *p, char *err, size_t err_len)
{
    struct capy_switch_cfg cfg;
    capy_plane_cfg(&p->rack, p->setup->hash_key, p->setup->incarnation, &cfg);
    size_t size = capy_switch_size(&cfg);
    if (size == 0) {
        (void)snprintf(err, err_len, "%s: the recorded rack makes no switch; the file is damaged",
                       p->opt->file);
        return CAPY_E_FORMAT;
    }
    void *mem = aligned_alloc(64, (size + 63u) & ~(size_t)63u);
    p->frame = malloc(CAPY_LARGE_FRAME_MAX);
    p->out = calloc(1, sizeof *p->out);
    if (!mem || !p->frame || !p->out) {
        (void)snprintf(err, err_len, "out of memory: the recorded directory takes %zu MiB",
                       size >> 20);
        free(mem);
        return CAPY_E_NOMEM;
    }
    p->plane = capy_switch_init(mem, &cfg, p->setup->now);
    return CAPY_OK;
}

static void plane_print_state(struct replay *p)
{
    replay_print_entries(p, p->opt->out);
}

static void plane_stop(struct replay *p)
{
    free(p->plane);
    free(p->frame);
    free(p->out);
}

const struct replay_machine replay_plane = {
    .calls_text = CAPY_PLANE_CALLS_TEXT,
    .calls = calls,
    .call_cnt = CAPY_PLANE_CALL_CNT,
    .start = plane_start,
    .print_state = plane_print_state,
    .stop = plane_stop,
};
