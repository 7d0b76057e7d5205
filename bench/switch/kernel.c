/* The plane in the kernel, fed by BPF_PROG_TEST_RUN, which counts the time itself: the program as the
 * kernel compiled it, without a device. Before it runs a small program that makes the frame another
 * flow's (vary.bpf.c); before the bare forwarder, too. */
#include "plane.h"

#include "capy/error.h"
#include "switch/xdp/xdp.h"
#include "vary.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Woverlength-strings"
#include "vary.skel.h"
#pragma GCC diagnostic pop

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { MEASURED_PLANE, MEASURED_BARE };

struct kernel {
    struct capy_xdp *xdp;
    struct bench_vary *vary;
    struct vary_flow *flow; /* mapped */
    uint32_t posed;         /* as this port, plus 1 */
};

_Static_assert(sizeof(struct vary_flow) == sizeof(struct rack_flow), "one is copied to the other");

static bool open_vary(struct kernel *k)
{
    const uint32_t plane = MEASURED_PLANE, bare = MEASURED_BARE, zero = 0, loopback = 1;
    k->vary = bench_vary__open_and_load();
    if (!k->vary)
        return false;
    int programs = bpf_map__fd(k->vary->maps.measured);
    int plane_fd = capy_xdp_program(k->xdp), bare_fd = bpf_program__fd(k->vary->progs.bench_bare);
    void *at = mmap(NULL, VARY_FLOWS_MAX * sizeof *k->flow, PROT_READ | PROT_WRITE, MAP_SHARED,
                    bpf_map__fd(k->vary->maps.flows), 0);
    k->flow = at;
    return at != MAP_FAILED && bpf_map_update_elem(programs, &plane, &plane_fd, BPF_ANY) == 0 &&
           bpf_map_update_elem(programs, &bare, &bare_fd, BPF_ANY) == 0 &&
           bpf_map_update_elem(bpf_map__fd(k->vary->maps.device), &zero, &loopback, BPF_ANY) == 0;
}

static bool open_plane(struct plane *p, char *err, size_t err_len)
{
    static const char *const device[CAPY_SWITCH_PORT_MAX] = {"lo", "lo", "lo", "lo", "lo"};
    const struct capy_xdp_options options = {.device = device};
    struct kernel *k = calloc(1, sizeof *k);
    bool kept;
    snprintf(err, err_len, "out of memory");
    if (!k)
        return false;
    p->of = k;
    k->xdp = capy_xdp_open(&p->cfg, &options, 1, &kept, err, err_len);
    if (!k->xdp)
        return false;
    p->view = capy_xdp_plane(k->xdp);
    snprintf(err, err_len, "the kernel does not load bench/switch/vary.bpf.c");
    return open_vary(k);
}

static void close_plane(struct plane *p)
{
    struct kernel *k = p->of;
    munmap(k->flow, VARY_FLOWS_MAX * sizeof *k->flow);
    bench_vary__destroy(k->vary);
    capy_xdp_close(k->xdp);
    free(k);
}

static bool pose(struct kernel *k, uint16_t port)
{
    if (k->posed == port + 1u)
        return true;
    k->posed = port + 1u;
    return capy_xdp_pose(k->xdp, port) == CAPY_OK;
}

static void feed(void *plane, uint16_t port, uint8_t *frame, size_t len)
{
    static struct capy_switch_out out;
    struct kernel *k = ((struct plane *)plane)->of;
    if (pose(k, port))
        capy_xdp_input(k->xdp, port, frame, len, 0, &out);
}

static double run_frames(struct plane *p, const struct plane_run *run)
{
    struct kernel *k = p->of;
    uint8_t frame[RACK_FRAME_LEN], out[256];
    struct bpf_test_run_opts opts = {
        .sz = sizeof opts,
        .data_in = frame,
        .data_size_in = sizeof frame,
        .data_out = out,
        .data_size_out = sizeof out,
        .repeat = (int)run->cnt,
    };
    memcpy(frame, run->load->frame, sizeof frame);
    memcpy(k->flow, run->flow, run->flow_cnt * sizeof *run->flow);
    k->vary->bss->vary = (struct vary){.mask = run->flow_cnt - 1,
                                       .which = run->bare ? MEASURED_BARE : MEASURED_PLANE,
                                       .back = run->load->ip_at == 30};
    if (!pose(k, run->load->ingress) ||
        bpf_prog_test_run_opts(bpf_program__fd(k->vary->progs.bench_vary), &opts) != 0 ||
        opts.retval != XDP_REDIRECT)
        return -1;
    return opts.duration;
}

static void count(struct plane *p)
{
    capy_xdp_count(((struct kernel *)p->of)->xdp);
}

static uint64_t memory(const struct plane *p)
{
    return capy_xdp_memory(((struct kernel *)p->of)->xdp);
}

static bool program(const struct plane *p, uint32_t *instructions, uint32_t *machine_bytes)
{
    struct bpf_prog_info info = {0};
    uint32_t len = sizeof info;
    if (bpf_obj_get_info_by_fd(capy_xdp_program(((struct kernel *)p->of)->xdp), &info, &len) != 0)
        return false;
    *instructions = info.xlated_prog_len / (uint32_t)sizeof(struct bpf_insn);
    *machine_bytes = info.jited_prog_len;
    return true;
}

const struct plane_kind plane_xdp = {
    .name = "xdp",
    .open = open_plane,
    .close = close_plane,
    .feed = feed,
    .run = run_frames,
    .count = count,
    .memory = memory,
    .program = program,
};
