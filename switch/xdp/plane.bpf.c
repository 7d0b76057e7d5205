/* The switch's data plane in BPF, at XDP: the whole of it, made of the same headers as the user-space
 * switch (switch/core). A frame never leaves the kernel, but for what needs a host's parser: echo and
 * neighbour solicitations for the switch's own addresses, which the loader answers.
 * docs/switch.md says how it stays right on many CPUs. */
#include <linux/bpf.h>
#include <stdint.h>

#include <bpf/bpf_helpers.h>

#define inline inline __attribute__((always_inline)) /* pointers into frames do not survive calls */

#include "switch/xdp/many.h"

#include "switch/core/input.h"
#include "switch/core/quick.h"
#include "switch/xdp/both.h"
#include "switch/xdp/message.h"

char licence[] SEC("license") =
    "Dual BSD/GPL"; /* as the kernel asks of what it lends functions to */

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, uint32_t);
    __type(value, struct capy_xdp_scratch);
} scratch SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP);
    __uint(max_entries, CAPY_SWITCH_PORT_MAX);
    __uint(key_size, sizeof(uint32_t));
    __uint(value_size, sizeof(uint32_t));
} ports SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP);
    __uint(max_entries, CAPY_SWITCH_PORT_MAX);
    __uint(key_size, sizeof(uint32_t));
    __uint(value_size, sizeof(struct bpf_devmap_val));
} both SEC(".maps"); /* its entries run capy_both */

/* The port of a device, by its index, plus 1; the loader sets its size. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, uint32_t);
    __type(value, uint32_t);
} port_of SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 18);
} aside SEC(".maps"); /* frames that the loader answers */

/* What the kept maps are (load.c); kept. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, uint32_t);
    __type(value, struct capy_xdp_about);
} about SEC(".maps");

uint32_t sweep_next; /* the slot that capy_sweep looks at next */
uint64_t aside_lost; /* frames that found the ring full */

/* CAPY_SWITCH_PORT_MAX: of none of our devices. */
static inline uint32_t port_of_device(uint32_t ifindex)
{
    uint32_t *port = bpf_map_lookup_elem(&port_of, &ifindex);
    return port && *port ? *port - 1 : CAPY_SWITCH_PORT_MAX;
}

static inline void job_of(struct capy_job *j, struct capy_switch *sw, struct capy_xdp_scratch *s,
                          struct xdp_md *ctx)
{
    j->sw = sw;
    j->ctx = ctx;
    j->frame = (uint8_t *)(long)ctx->data;
    j->end = (const uint8_t *)(long)ctx->data_end;
    j->view = &s->view;
    j->port = (uint16_t)s->port;
    j->now = s->now;
    j->egress = CAPY_XDP_NOWHERE;
}

/* False: never. */
static inline struct capy_xdp_scratch *job_begin(struct capy_job *j, struct capy_switch *sw,
                                                 struct xdp_md *ctx)
{
    const uint32_t zero = 0;
    struct capy_xdp_scratch *s = bpf_map_lookup_elem(&scratch, &zero);
    if (!s || !many_open(sw))
        return NULL;
    job_of(j, sw, s, ctx);
    return s;
}

/* Makes the frame as long as the job has it. Its pointers are void afterwards. */
static inline void job_end(struct capy_job *j, struct xdp_md *ctx)
{
    long cut = (long)j->end - (long)ctx->data_end;
    many_close(j->sw);
    if (cut < 0)
        bpf_xdp_adjust_tail(ctx, (int)cut);
}

/* ---- parts verified by themselves; each returns the egress ---- */

static inline uint32_t port_of_frame(const struct xdp_md *ctx)
{
    const struct capy_xdp_test *test = many_test(ctx);
    return test ? test->port : port_of_device(ctx->ingress_ifindex);
}

/* To a few milliseconds, which is enough for ages: the exact clock costs more than the lookup. */
static inline uint64_t now_of_frame(const struct xdp_md *ctx)
{
    const struct capy_xdp_test *test = many_test(ctx);
    return test ? test->now : bpf_ktime_get_coarse_ns();
}

/* Most frames' only one (quick.h). */
__noinline int part_quick(struct xdp_md *ctx)
{
    struct capy_switch sw;
    struct capy_job j = {.sw = &sw, .ctx = ctx, .egress = CAPY_XDP_LONG_WAY};
    if (!many_open(&sw))
        return CAPY_XDP_NOWHERE;
    j.port = (uint16_t)port_of_frame(ctx);
    j.now = now_of_frame(ctx);
    j.frame = (uint8_t *)(long)ctx->data;
    j.end = (const uint8_t *)(long)ctx->data_end;
    return capy_quick_input(&j) ? j.egress : CAPY_XDP_LONG_WAY;
}

/* Where the frame came from, when, and what it is: into the scratch. RUNT: dropped. */
__noinline int part_view(struct xdp_md *ctx)
{
    const uint32_t zero = 0;
    struct capy_switch sw;
    struct capy_job j;
    struct capy_xdp_scratch *s = bpf_map_lookup_elem(&scratch, &zero);
    if (!s || !many_open(&sw))
        return CAPY_VIEW_RUNT;
    s->port = port_of_frame(ctx);
    s->now = now_of_frame(ctx);
    job_of(&j, &sw, s, ctx);
    if (!capy_input_begin(&j, (size_t)((long)j.end - (long)j.frame)))
        return CAPY_VIEW_RUNT;
    return (int)s->view.kind;
}

/* A message has three parts: read and checked; decided about under its flow's lock; sent. What one leaves to the
 * next is in the scratch. */
__noinline int part_message(struct xdp_md *ctx)
{
    struct capy_switch sw;
    struct capy_job j;
    struct capy_mig_job m;
    struct capy_xdp_scratch *s = job_begin(&j, &sw, ctx);
    if (!s)
        return CAPY_XDP_NOWHERE;
    if (!testing)
        s->now = bpf_ktime_get_ns(); /* leases are exact */
    j.now = s->now;
    if (capy_mig_begin(&m, &j, &s->msg)) {
        s->sender = m.sender;
        s->peer = m.peer;
        s->home = m.home;
        return CAPY_XDP_DECIDE;
    }
    job_end(&j, ctx);
    return j.egress;
}

static inline struct capy_mig_job message_of(struct capy_job *j, struct capy_xdp_scratch *s)
{
    return (struct capy_mig_job){.j = j,
                                 .msg = &s->msg,
                                 .sender = s->sender,
                                 .peer = s->peer,
                                 .home = s->home,
                                 .phase = s->phase,
                                 .owner = s->owner,
                                 .epoch = s->epoch};
}

/* 0: never. */
__noinline int part_decide(struct xdp_md *ctx)
{
    struct capy_switch sw;
    struct capy_job j;
    struct capy_xdp_scratch *s = job_begin(&j, &sw, ctx);
    if (!s)
        return 0;
    struct capy_mig_job m = message_of(&j, s);
    uint64_t hash = capy_mig_hash(&m);
    struct capy_lock *lock = capy_plane_lock_of(&sw, hash);
    if (!lock)
        return 0;
    capy_plane_lock(lock);
    struct capy_rule rule = capy_mig_decide(&m, hash);
    capy_plane_unlock(lock);
    many_close(&sw);
    s->phase = m.phase;
    s->owner = m.owner;
    s->epoch = m.epoch;
    s->todo = rule.todo;
    s->verdict = rule.verdict;
    return 1;
}

__noinline int part_answer(struct xdp_md *ctx)
{
    struct capy_switch sw;
    struct capy_job j;
    struct capy_xdp_scratch *s = job_begin(&j, &sw, ctx);
    if (!s)
        return CAPY_XDP_NOWHERE;
    struct capy_mig_job m = message_of(&j, s);
    capy_mig_end(&m, (struct capy_rule){s->todo, s->verdict});
    job_end(&j, ctx);
    return j.egress;
}

/* Hands the frame to the loader. */
static inline void set_aside(struct capy_job *j, struct xdp_md *ctx)
{
    uint32_t len = (uint32_t)((long)ctx->data_end - (long)ctx->data);
    struct capy_xdp_aside *a = bpf_ringbuf_reserve(&aside, sizeof *a, 0);
    if (!a) {
        __sync_fetch_and_add(&aside_lost, 1);
        return;
    }
    if (len > sizeof a->frame) {
        bpf_ringbuf_discard(a, 0);
        return;
    }
    CAPY_PIN(len);
    if (len == 0 || bpf_xdp_load_bytes(ctx, 0, a->frame, len) < 0) {
        bpf_ringbuf_discard(a, 0);
        return;
    }
    a->port = j->port;
    a->len = len;
    bpf_ringbuf_submit(a, 0);
}

/* Asks for an address that is ours to answer for. */
static inline bool is_solicitation(struct capy_job *j)
{
    struct capy_ip target;
    if (j->view->kind != CAPY_VIEW_ICMP6)
        return false;
    const uint8_t *p = capy_view_at(j->frame, j->end, j->view->l4_at, 24);
    if (!p || p[0] != 135)
        return false;
    capy_copy(target.b, p + 8, 16);
    return capy_own_of(j, &target).mac != NULL;
}

__noinline int part_icmp(struct xdp_md *ctx)
{
    struct capy_switch sw;
    struct capy_job j;
    if (!job_begin(&j, &sw, ctx))
        return CAPY_XDP_NOWHERE;
    if (is_solicitation(&j) || capy_switch_is_own(&sw, &j.view->dst))
        set_aside(&j, ctx);
    else if (capy_flow_error(&j))
        ; /* about the service address's connections, too */
    else if (capy_vip_is(sw.cfg, &j.view->dst))
        set_aside(&j, ctx);
    else
        capy_flow_forward(&j);
    many_close(&sw);
    return j.egress;
}

/* All that is no TCPMig and no ICMP. A message is for another part: CAPY_XDP_MESSAGE. */
__noinline int part_frame(struct xdp_md *ctx)
{
    struct capy_switch sw;
    struct capy_job j;
    if (!job_begin(&j, &sw, ctx))
        return CAPY_XDP_NOWHERE;
    if (j.view->kind == CAPY_VIEW_TCP)
        capy_flow_input(&j);
    else if (j.view->kind == CAPY_VIEW_ARP)
        capy_own_arp(&j);
    else if (j.view->kind != CAPY_VIEW_UDP)
        capy_flow_forward(&j);
    else if (capy_input_udp(&j))
        return CAPY_XDP_MESSAGE;
    job_end(&j, ctx);
    return j.egress;
}

/* ---- the main part ---- */

/* The egress of a frame. */
static inline int input(struct xdp_md *ctx)
{
    int kind = part_view(ctx);
    if (kind == CAPY_VIEW_RUNT)
        return CAPY_XDP_NOWHERE;
    if (kind == CAPY_VIEW_ICMP || kind == CAPY_VIEW_ICMP6)
        return part_icmp(ctx);
    int egress = part_frame(ctx);
    if (egress == CAPY_XDP_MESSAGE)
        egress = part_message(ctx);
    if (egress != CAPY_XDP_DECIDE)
        return egress;
    return part_decide(ctx) ? part_answer(ctx) : CAPY_XDP_NOWHERE;
}

/* To more than one port, or none. Apart: were the calls in one place, the compiler would make one call of
 * them, whose map the verifier does not know, and which then costs a jump by table with every frame. */
__noinline int part_copies(uint32_t egress)
{
    if (egress == CAPY_PORT_FLOOD)
        return (int)bpf_redirect_map(&ports, 0, BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS);
    if (egress == CAPY_XDP_BOTH)
        return (int)bpf_redirect_map(&both, 0, BPF_F_BROADCAST);
    return XDP_DROP;
}

SEC("xdp")
int capy_plane(struct xdp_md *ctx)
{
    uint32_t egress = (uint32_t)part_quick(ctx);
    if (egress == CAPY_XDP_LONG_WAY)
        egress = (uint32_t)input(ctx);
    struct capy_xdp_test *test = many_test(ctx);
    if (test)
        test->egress = egress;
    return egress < CAPY_SWITCH_PORT_MAX ? (int)bpf_redirect_map(&ports, egress, XDP_DROP)
                                         : part_copies(egress);
}

SEC("xdp/devmap")
int capy_both(struct xdp_md *ctx)
{
    uint8_t *frame = (uint8_t *)(long)ctx->data;
    const uint8_t *end = (const uint8_t *)(long)ctx->data_end;
    return both_egress(frame, end, port_of_device(ctx->egress_ifindex)) ? XDP_PASS : XDP_DROP;
}

/* The same where BPF_PROG_TEST_RUN can reach it. */
SEC("xdp")
int capy_both_test(struct xdp_md *ctx)
{
    uint8_t *frame = (uint8_t *)(long)ctx->data;
    const uint8_t *end = (const uint8_t *)(long)ctx->data_end;
    const struct capy_xdp_test *test = many_test(ctx);
    return test && both_egress(frame, end, test->port) ? XDP_PASS : XDP_DROP;
}

/* ---- ageing; run by the loader ---- */

struct sweep {
    uint64_t now;
    uint32_t start;
};

static long sweep_one(uint32_t i, struct sweep *s)
{
    struct capy_switch sw;
    if (!many_open(&sw))
        return 1;
    uint32_t cnt = sw.cfg->levels * sw.cfg->slots, idx = s->start + i;
    if (idx >= cnt)
        idx -= cnt;
    if (idx >= cnt)
        return 1;
    struct capy_entry *e = &sw.dir.entries[idx];
    if (e->phase == CAPY_PHASE_NONE)
        return 0;
    struct capy_lock *lock = many_lock(idx & sw.dir.stripe_mask);
    if (!lock)
        return 1;
    capy_plane_lock(lock);
    if (e->phase != CAPY_PHASE_NONE)
        capy_input_age(&sw, e, s->now);
    capy_plane_unlock(lock);
    many_close(&sw);
    return 0;
}

SEC("xdp")
int capy_sweep(struct xdp_md *ctx)
{
    const struct capy_switch_cfg *c = many_cfg();
    uint32_t cnt = c->levels * c->slots, part = capy_directory_sweep_part(cnt);
    const struct capy_xdp_test *test = many_test(ctx);
    struct sweep s = {.now = test ? test->now : bpf_ktime_get_ns(), .start = sweep_next};
    bpf_loop(part, sweep_one, &s, 0);
    sweep_next = s.start + part >= cnt ? s.start + part - cnt : s.start + part;
    return XDP_PASS;
}
