/* Running the program without a device: a sweep of the directory, and frames of tests. */
#include "switch/xdp/program.h"

#include "switch/xdp/skeleton.h"

#include <bpf/bpf.h>
#include <string.h>

/* A frame through a program, in place. *len: in and out. What the program returns, or -1. */
static int run(const struct bpf_program *program, struct capy_xdp_test *test, uint8_t *frame,
               size_t *len)
{
    uint8_t in[sizeof *test + 2 * CAPY_FRAME_MAX], out[sizeof in];
    if (*len > sizeof in - sizeof *test)
        return -1;
    memcpy(in, test, sizeof *test);
    memcpy(in + sizeof *test, frame, *len);
    struct xdp_md ctx = {.data = sizeof *test, .data_end = (uint32_t)(sizeof *test + *len)};
    struct bpf_test_run_opts opts = {
        .sz = sizeof opts,
        .data_in = in,
        .data_size_in = ctx.data_end,
        .data_out = out,
        .data_size_out = sizeof out,
        .ctx_in = &ctx,
        .ctx_size_in = sizeof ctx,
        .repeat = 1,
    };
    if (bpf_prog_test_run_opts(bpf_program__fd(program), &opts) != 0)
        return -1;
    *len = opts.data_size_out - sizeof *test;
    memcpy(test, out, sizeof *test);
    memcpy(frame, out + sizeof *test, *len);
    return (int)opts.retval;
}

static void sweep(struct capy_xdp *x, uint64_t now)
{
    uint8_t nothing[64] = {0};
    size_t len = sizeof nothing;
    struct capy_xdp_test test = {.now = now};
    run(x->bpf->progs.capy_sweep, &test, nothing, &len);
}

/* The service address's table. Frames are looked up in it meanwhile, so it is filled aside. */
static void refill(struct capy_xdp *x, uint64_t now)
{
    struct capy_switch_live live = *x->sw.live;
    capy_switch_refill(&live, &x->cfg, now);
    if (live.maglev.members != x->sw.live->maglev.members)
        x->sw.live->maglev = live.maglev;
}

uint64_t capy_xdp_expire(struct capy_xdp *x, uint64_t now)
{
    sweep(x, now);
    refill(x, now);
    return now + CAPY_DIRECTORY_SWEEP_EVERY_NS;
}

void capy_xdp_expire_all(struct capy_xdp *x, uint64_t now)
{
    uint32_t cnt = x->cfg.levels * x->cfg.slots;
    for (uint32_t seen = 0; seen < cnt; seen += capy_directory_sweep_part(cnt))
        sweep(x, now);
    refill(x, now);
}

static void put(struct capy_switch_out *out, uint32_t port, uint8_t *data, size_t len)
{
    out->frame[out->cnt].port = (uint16_t)port;
    out->frame[out->cnt].data = data;
    out->frame[out->cnt].len = len;
    out->cnt++;
}

/* One message for two: each port's copy through the program that runs where it leaves. */
static void put_both(struct capy_xdp *x, uint8_t *frame, size_t len, struct capy_switch_out *out)
{
    uint8_t copy[CAPY_FRAME_MAX];
    for (uint32_t port = 0; port < x->cfg.port_cnt; port++) {
        size_t copy_len = len;
        struct capy_xdp_test test = {.port = port};
        memcpy(copy, frame, len);
        if (run(x->bpf->progs.capy_both_test, &test, copy, &copy_len) != XDP_PASS)
            continue;
        bool pass = memcmp(copy, frame, len) == 0;
        if (!pass)
            memcpy(out->extra, copy, len);
        put(out, port, pass ? frame : out->extra, len);
    }
    if (out->cnt == 2 && out->frame[0].data == out->extra) { /* the order of user space */
        const uint16_t to_sender = out->frame[0].port;
        out->frame[0] = out->frame[1];
        out->frame[1].port = to_sender;
        out->frame[1].data = out->extra;
    }
}

void capy_xdp_input(struct capy_xdp *x, uint16_t port, uint8_t *frame, size_t len, uint64_t now,
                    struct capy_switch_out *out)
{
    struct capy_xdp_test test = {.now = now, .port = port, .egress = CAPY_XDP_NOWHERE};
    out->cnt = 0;
    if (run(x->bpf->progs.capy_plane, &test, frame, &len) < 0)
        return;
    if (test.egress == CAPY_XDP_BOTH)
        put_both(x, frame, len, out);
    else if (test.egress != CAPY_XDP_NOWHERE)
        put(out, test.egress, frame, len);
    else
        capy_xdp_answer_to(x, now, out);
}
