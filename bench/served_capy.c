/* Our stack as a server (served.h): what a run loop does for one frame. */
#include "served.h"
#include "stack/stack.h"

#include <stdlib.h>

static void answer(struct capy_stack *s, const struct served *served, capy_handle c)
{
    static const uint8_t bytes[65536];
    bool fin;
    int64_t n;
    while ((n = capy_stack_readable(s, c, &fin)) > 0) {
        uint32_t take = served->role == SERVED_ECHO ? served->size : (uint32_t)n, got;
        if (n < take)
            return;
        (void)capy_stack_read_span(s, c, 0, &got);
        (void)capy_stack_consume(s, c, take, served->now);
        if (served->role == SERVED_ECHO)
            (void)capy_stack_write(s, c, bytes, take, served->now);
    }
    if (served->role == SERVED_SOURCE)
        (void)capy_stack_write(s, c, bytes, sizeof bytes, served->now);
    if (fin)
        (void)capy_stack_close(s, c, served->now);
}

static void turn(struct served *served, const uint8_t *frame, size_t len, struct served_out *out)
{
    struct capy_stack *s = served->state;
    struct capy_stack_event ev;
    if (capy_stack_next_at(s) <= served->now)
        capy_stack_expire(s, served->now);
    if (frame)
        capy_stack_input(s, frame, len, served->now);
    while (capy_stack_event(s, &ev))
        if (!(ev.bits & CAPY_EV_ANY_DEAD))
            answer(s, served, ev.conn);
    while (out->cnt < SERVED_FRAMES && (out->frame[out->cnt].len = capy_stack_output(
                                            s, out->frame[out->cnt].data, served->now)) > 0)
        out->cnt++;
}

static void join_rack(struct capy_stack_cfg *cfg)
{
    enum { SELF, OTHER, TOR };
    struct capy_stack_peer peer[] = {
        [SELF] = {.ip = cfg->ip, .mac = cfg->mac},
        [OTHER] = {.ip = capy_ip_from_v4(SERVED_IP + 10), .mac = served_mac(SERVED_IP + 10)},
        [TOR] = {.ip = capy_ip_from_v4(SERVED_IP + 20), .mac = served_mac(SERVED_IP + 20)}};
    cfg->self = SELF;
    cfg->peer_cnt = TOR;
    cfg->peers[SELF] = peer[SELF];
    cfg->peers[OTHER] = peer[OTHER];
    cfg->tor = peer[TOR];
    cfg->tcpmig_port = 7777;
    cfg->mig_port_first = 61440;
    cfg->mig_port_cnt = 4096;
    cfg->rack_key = (struct capy_key){3, 4};
    cfg->incarnation = 1;
}

static void serve(struct served *served, uint32_t conn_max, bool member)
{
    struct capy_stack_cfg cfg;
    capy_stack_cfg_default(&cfg);
    cfg.mac = served_mac(SERVED_IP);
    cfg.ip = capy_ip_from_v4(SERVED_IP);
    cfg.netmask = capy_ip_from_v4(0xffffff00u);
    cfg.conn_max = conn_max;
    cfg.block_cnt = 4096;
    cfg.hash_key = (struct capy_key){1, 2};
    if (member)
        join_rack(&cfg);
    size_t size = capy_stack_size(&cfg);
    void *mem = aligned_alloc(64, (size + 63u) & ~(size_t)63u);
    CAPY_ASSERT(size > 0 && mem);
    *served = (struct served){.name = "capybara", .now = CAPY_SEC(1), .turn = turn};
    served->state = capy_stack_init(mem, &cfg, served->now);
    CAPY_ASSERT(capy_stack_listen(served->state, SERVED_PORT, 0) == CAPY_OK);
}

void served_by_capy(struct served *served, uint32_t conn_max)
{
    serve(served, conn_max, false);
}

void served_by_member(struct served *served, uint32_t conn_max)
{
    serve(served, conn_max, true);
}

void served_by_capy_end(struct served *served)
{
    free(served->state); /* the stack lies at the beginning of its memory */
}
