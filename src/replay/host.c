/* A stack, replayed: the functions that make a recorded call again, from the table in sock/calls.h. */
#include "rack/text.h"
#include "replay/calls.h"
#include "sock/calls.h"
#include "sock/config.h"
#include <stdlib.h>
#include <sys/mman.h>

#define TAKE_nothing(name)
#define CHECK_nothing(name)
#define TAKE_time(name) const uint64_t name = p->now;
#define CHECK_time(name)
#define TAKE_u16(name) const uint16_t name = (uint16_t)take_number(p, #name);
#define CHECK_u16(name)
#define TAKE_u32(name) const uint32_t name = (uint32_t)take_number(p, #name);
#define CHECK_u32(name)
#define TAKE_u64(name) const uint64_t name = take_number(p, #name);
#define CHECK_u64(name)
#define TAKE_flag(name) const bool name = take_number(p, #name) != 0;
#define CHECK_flag(name)
#define TAKE_option(name) const enum capy_option name = take_option(p);
#define CHECK_option(name)
#define TAKE_address(name) const struct capy_ip name##_is = take_address(p), *name = &name##_is;
#define CHECK_address(name)
#define TAKE_bytes(name)                                                                           \
    uint32_t name##_len;                                                                           \
    const uint8_t *name = take_bytes(p, #name, &name##_len);
#define CHECK_bytes(name)
#define TAKE_frame(name)                                                                           \
    size_t name##_len;                                                                             \
    const uint8_t *name = take_frame(p, &name##_len);
#define CHECK_frame(name)
#define TAKE_done(name)                                                                            \
    const struct capy_offload name##_is = capy_record_offload_of(capy_get_number(p->read)),        \
                              *name = &name##_is;
#define CHECK_done(name)
#define TAKE_how(name)                                                                             \
    struct capy_offload name##_is = capy_record_offload_of(capy_get_number(p->read)),              \
                        *name = &name##_is;
#define CHECK_how(name) replay_expect_number(p, "offload", capy_record_offload(name));
#define TAKE_to_frame(name) uint8_t *name = p->frame;
#define CHECK_to_frame(name) replay_expect_frame(p, "", name, result);
#define TAKE_to_handle(name) capy_handle name##_is = 0, *name = &name##_is;
#define CHECK_to_handle(name) replay_expect_number(p, #name, result == CAPY_OK ? *name : 0);
#define TAKE_to_event(name) struct capy_stack_event name##_is = {0}, *name = &name##_is;
#define CHECK_to_event(name) check_event(p, name);

#define RESULT_none
#define RESULT_status replay_expect_signed(p, "result", result);
#define RESULT_taken replay_expect_signed(p, "result", result);
#define RESULT_at replay_expect_number(p, "result", result);
#define RESULT_found (void)result;
#define RESULT_length

static uint64_t take_number(struct replay *p, const char *what)
{
    uint64_t v = capy_get_number(p->read);
    replay_say(p, " %s=%llu", what, (unsigned long long)v);
    return v;
}

static enum capy_option take_option(struct replay *p)
{
    uint64_t v = take_number(p, "option");
    if (v >= CAPY_OPTION_CNT)
        capy_read_nonsense(p->read, "sets an option that there is not");
    return (enum capy_option)v;
}

static struct capy_ip take_address(struct replay *p)
{
    struct capy_ip ip = {{0}};
    char text[CAPY_IP_TEXT_MAX];
    size_t len;
    const uint8_t *bytes = capy_get_bytes(p->read, &len);
    if (len == sizeof ip.b)
        memcpy(ip.b, bytes, sizeof ip.b);
    else
        capy_read_nonsense(p->read, "has an address that is none");
    replay_say(p, " %s", capy_ip_format(&ip, text));
    return ip;
}

static const uint8_t *take_bytes(struct replay *p, const char *what, uint32_t *len)
{
    size_t got;
    const uint8_t *bytes = capy_get_bytes(p->read, &got);
    *len = (uint32_t)got;
    replay_say(p, " %s of %zu bytes", what, got);
    return bytes;
}

static const uint8_t *take_frame(struct replay *p, size_t *len)
{
    const uint8_t *frame = capy_get_bytes(p->read, len);
    if (*len > CAPY_LARGE_FRAME_MAX)
        capy_read_nonsense(p->read, "has a frame larger than any");
    else if (capy_read_whole(p->read))
        replay_frame_in(p, "", frame, *len);
    return frame;
}

static void check_event(struct replay *p, const struct capy_stack_event *ev)
{
    replay_expect_number(p, "conn", ev->conn);
    replay_expect_number(p, "bits", ev->bits);
    replay_expect_number(p, "user", ev->user);
    replay_expect_number(p, "reason", (unsigned)ev->reason << 8 | ev->verdict);
}

#define CALL(result, name, ...) REPLAY_CALL(capy_stack_##name, p->stack, result, name, __VA_ARGS__)
CAPY_HOST_CALLS(CALL)

static const struct replay_call calls[CAPY_HOST_CALL_CNT] = {CAPY_HOST_CALLS(REPLAY_ROW)};

static int host_start(struct replay *p, char *err, size_t err_len)
{
    struct capy_stack_cfg cfg;
    const struct capy_host_seed seed = {p->setup->hash_key, (uint32_t)p->setup->incarnation};
    bool alone = p->setup->self[0] == 0;
    int self = alone ? 0 : capy_rack_server_index(&p->rack, p->setup->self);
    if (self >= 0 && (p->rack.server_cnt > 0 || !alone))
        capy_host_cfg(&p->rack, alone ? -1 : self, &seed, &cfg);
    p->stack_size = self >= 0 && p->rack.server_cnt > 0 ? capy_stack_size(&cfg) : 0;
    if (p->stack_size == 0) {
        (void)snprintf(err, err_len, "%s: the recorded rack makes no stack; the file is damaged",
                       p->opt->file);
        return CAPY_E_FORMAT;
    }
    void *mem = mmap(NULL, p->stack_size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    p->frame = malloc(CAPY_LARGE_FRAME_MAX);
    if (mem == MAP_FAILED || !p->frame) {
        (void)snprintf(err, err_len, "out of memory: the recorded stack takes %zu MiB",
                       p->stack_size >> 20);
        return CAPY_E_NOMEM;
    }
    p->stack = capy_stack_init(mem, &cfg, p->setup->now);
    return CAPY_OK;
}

static void host_print_state(struct replay *p)
{
    replay_print_connections(p->stack, p->opt->out);
}

static void host_stop(struct replay *p)
{
    if (p->stack)
        (void)munmap(p->stack, p->stack_size);
    free(p->frame);
}

const struct replay_machine replay_host = {
    .calls_text = CAPY_HOST_CALLS_TEXT,
    .calls = calls,
    .call_cnt = CAPY_HOST_CALL_CNT,
    .start = host_start,
    .print_state = host_print_state,
    .stop = host_stop,
};
