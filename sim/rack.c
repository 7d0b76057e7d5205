/* See rack.h. The next thing to happen is the earliest of a frame, a host's timer, a restart and the
 * switch's own clock. */
#include "sim/rack.h"
#include <stdlib.h>
#include <string.h>

#define SWITCH SIM_HOSTS_MAX /* index of its clock */

/* Fenced off by MAC address: what Ethernet's own checksum protects on every hop. */
#define CORRUPT_FROM 12u

#define FIRST_TTL 64u /* of what our hosts send themselves; ARP and neighbour discovery: 255 */

uint64_t sim_own_now(const struct sim_rack *r, unsigned host)
{
    return sim_clock_own(&r->clock[host], r->now);
}

bool sim_runs(const struct sim_rack *r, unsigned host)
{
    return r->down_until[host] == CAPY_NEVER && r->stalled_until[host] <= r->now;
}

/* ---- memory, start, end -------------------------------------------------------------------- */

static void *take(void **mem, size_t *had, size_t size)
{
    CAPY_ASSERT(size > 0);
    if (*had < size) {
        free(*mem);
        *mem = aligned_alloc(64, (size + 63) & ~(size_t)63);
        CAPY_ASSERT(*mem);
        *had = size;
    }
    return *mem;
}

static void start_host(struct sim_rack *r, unsigned h)
{
    void *mem = take(&r->host_mem[h], &r->host_size[h], capy_stack_size(&r->cfg[h]));
    r->host[h] = capy_stack_init(mem, &r->cfg[h], sim_own_now(r, h));
    r->down_until[h] = CAPY_NEVER;
    r->ring_cnt[h] = 0;
    if (r->started)
        r->started(r, h, r->ctx);
    sim_flush(r, h);
}

static void start_switch(struct sim_rack *r)
{
    void *mem = take(&r->switch_mem, &r->switch_size, capy_switch_size(&r->switch_cfg));
    r->plane = capy_switch_init(mem, &r->switch_cfg, sim_own_now(r, SWITCH));
    r->switch_next_at = r->now;
}

void sim_start(struct sim_rack *r)
{
    if (r->has_memory)
        sim_flight_clear(&r->flight);
    else
        sim_flight_init(&r->flight, SIM_FRAMES_MAX);
    r->has_memory = true;
    start_switch(r);
    for (unsigned h = 0; h < r->host_cnt; h++)
        start_host(r, h);
}

void sim_free(struct sim_rack *r)
{
    for (unsigned h = 0; h < SIM_HOSTS_MAX; h++)
        free(r->host_mem[h]);
    free(r->switch_mem);
    if (r->has_memory)
        sim_flight_free(&r->flight);
    memset(r->host_mem, 0, sizeof r->host_mem);
    memset(r->host_size, 0, sizeof r->host_size);
    r->switch_mem = NULL;
    r->switch_size = 0;
    r->has_memory = false;
}

/* ---- links --------------------------------------------------------------------------------- */

/* One frame about to go onto a link: whose, which way, what. */
struct sending {
    unsigned link;
    bool to_switch;
    const uint8_t *data;
    size_t len;
    struct sim_stamp stamp;
    struct sim_view view;
};

static void tell(struct sim_rack *r, enum sim_moment moment, struct sending *s)
{
    if (r->watch)
        r->watch(r->ctx, moment, s->link, s->to_switch, &s->stamp, &s->view);
}

/* Traffic class, flow label and hop limit of IPv6 are under no checksum: a message is taken all the same. */
static bool is_harmless(const struct sim_frame *f, uint64_t at, enum sim_kind kind)
{
    bool ipv6 = f->data[12] == 0x86 && f->data[13] == 0xdd;
    return kind == SIM_MIG && ipv6 && ((at > 14 && at < 18) || at == 21);
}

static void corrupt(struct sim_rack *r, struct sim_frame *f, enum sim_kind kind)
{
    uint64_t bit = capy_prng_below(&r->rng, 8u * (f->len - CORRUPT_FROM));
    uint64_t at = CORRUPT_FROM + bit / 8;
    f->data[at] ^= (uint8_t)(1u << bit % 8);
    f->stamp.corrupted = !is_harmless(f, at, kind);
    r->count.corrupted++;
}

static void carry(struct sim_rack *r, struct sending *s)
{
    const struct sim_faults *faults = &r->faults;
    struct sim_frame *f = sim_flight_new(&r->flight);
    if (!f) {
        r->count.overflowed++;
        tell(r, SIM_LOST, s);
        return;
    }
    uint64_t late = faults->jitter_ns > 0 ? capy_prng_below(&r->rng, faults->jitter_ns) : 0;
    if (capy_prng_chance(&r->rng, faults->spike_ppm)) {
        late += capy_prng_below(&r->rng, faults->spike_ns + 1);
        r->count.spiked++;
    }
    f->at = r->now + r->delay_ns + late;
    f->stamp = s->stamp;
    f->link = (uint16_t)s->link;
    f->to_switch = s->to_switch;
    f->len = (uint16_t)s->len;
    memcpy(f->data, s->data, s->len);
    /* Twice in one frame could go unseen by TCP's checksum. */
    if (capy_prng_chance(&r->rng, faults->corrupt_ppm) && f->len > CORRUPT_FROM &&
        !f->stamp.corrupted)
        corrupt(r, f, s->view.kind);
    sim_flight_add(&r->flight, f);
}

/* Puts a frame on a link, as the faults allow. */
static void send(struct sim_rack *r, struct sending *s)
{
    r->count.sent++;
    if (r->cut_until[s->link][s->to_switch] > r->now) {
        r->count.cut++;
        tell(r, SIM_CUT, s);
        return;
    }
    if (capy_prng_chance(&r->rng, r->faults.loss_ppm)) {
        r->count.lost++;
        tell(r, SIM_LOST, s);
        return;
    }
    carry(r, s);
    /* Not what hosts put back on the wire: repeats of repeats would grow without bound in 64 hops. */
    if (s->view.ttl >= FIRST_TTL && capy_prng_chance(&r->rng, r->faults.repeat_ppm)) {
        r->count.repeated++;
        carry(r, s);
    }
}

/* When a host must be looked at again, in true time. */
static void plan_host(struct sim_rack *r, unsigned h)
{
    r->next_at[h] = r->down_until[h] != CAPY_NEVER
                        ? r->down_until[h]
                        : capy_max64(sim_clock_true(&r->clock[h], capy_stack_next_at(r->host[h])),
                                     r->stalled_until[h]);
}

void sim_flush(struct sim_rack *r, unsigned host)
{
    uint8_t frame[CAPY_FRAME_MAX];
    struct sending s = {.link = host, .to_switch = true, .data = frame};
    uint64_t own = sim_own_now(r, host);
    while (sim_runs(r, host) && (s.len = capy_stack_output(r->host[host], frame, own)) > 0) {
        s.stamp = (struct sim_stamp){.sent_at = r->now, .from = (uint16_t)host};
        sim_view_of(frame, s.len, r->switch_cfg.tcpmig_port, &s.view);
        tell(r, SIM_SENT, &s);
        send(r, &s);
    }
    plan_host(r, host);
}

/* ---- the switch ---------------------------------------------------------------------------- */

static void switched(struct sim_rack *r, struct sending *s)
{
    tell(r, SIM_SWITCHED, s);
    send(r, s);
}

static void through_switch(struct sim_rack *r, struct sim_frame *f)
{
    static struct capy_switch_out out;
    struct sending s = {.link = f->link, .to_switch = true, .data = f->data, .stamp = f->stamp};
    capy_switch_input(r->plane, f->link, f->data, f->len, sim_own_now(r, SWITCH), &out);
    if (out.cnt == 0 && r->watch) {
        sim_view_of(f->data, f->len, r->switch_cfg.tcpmig_port, &s.view);
        tell(r, SIM_DROPPED, &s);
    }
    s.to_switch = false;
    for (unsigned i = 0; i < out.cnt; i++) {
        s.data = out.frame[i].data;
        s.len = out.frame[i].len;
        sim_view_of(s.data, s.len, r->switch_cfg.tcpmig_port, &s.view);
        bool flood = out.frame[i].port == CAPY_PORT_FLOOD;
        for (s.link = 0; s.link < r->host_cnt; s.link++)
            if (flood ? s.link != f->link : s.link == out.frame[i].port)
                switched(r, &s);
    }
}

/* ---- hosts --------------------------------------------------------------------------------- */

/* A multiplicative hash over time and bytes, eight at a time: two runs with equal digests were the
 * same run. */
static void digest(struct sim_rack *r, const struct sim_frame *f)
{
    uint64_t d = (r->digest ^ f->at) * 0x9e3779b97f4a7c15u ^ f->len, word = 0;
    unsigned i = 0;
    for (; i + 8 <= f->len; i += 8) {
        word = capy_load64(f->data + i);
        d = (d ^ word) * 0x9e3779b97f4a7c15u;
        d ^= d >> 29;
    }
    for (; i < f->len; i++)
        d = (d ^ f->data[i]) * 0x9e3779b97f4a7c15u;
    r->digest = d ^ d >> 31;
}

static void after(struct sim_rack *r, unsigned h)
{
    if (r->turn)
        r->turn(r, h, r->ctx);
    sim_flush(r, h);
}

static void to_host(struct sim_rack *r, struct sim_frame *f)
{
    struct sending s = {.link = f->link, .data = f->data, .len = f->len, .stamp = f->stamp};
    bool up = sim_runs(r, f->link);
    if (r->watch) {
        sim_view_of(f->data, f->len, r->switch_cfg.tcpmig_port, &s.view);
        tell(r, up ? SIM_DELIVERED : SIM_CUT, &s);
    }
    if (!up)
        return;
    r->count.delivered++;
    capy_stack_input(r->host[f->link], f->data, f->len, sim_own_now(r, f->link));
    after(r, f->link);
}

/* True: the frame waits in the device of a host that gets no processor. */
static bool waits(struct sim_rack *r, struct sim_frame *f)
{
    if (f->to_switch || !r->ring[f->link] || r->down_until[f->link] != CAPY_NEVER ||
        r->stalled_until[f->link] <= r->now || r->ring_cnt[f->link] == SIM_RING)
        return false;
    r->ring_cnt[f->link]++;
    f->at = r->stalled_until[f->link];
    sim_flight_add(&r->flight, f);
    return true;
}

static void deliver(struct sim_rack *r, struct sim_frame *f)
{
    if (waits(r, f))
        return;
    digest(r, f);
    if (f->to_switch)
        through_switch(r, f);
    else
        to_host(r, f);
    sim_flight_give(&r->flight, f);
}

/* ---- time ---------------------------------------------------------------------------------- */

uint64_t sim_next_at(const struct sim_rack *r)
{
    uint64_t at = capy_min64(sim_flight_next_at(&r->flight), r->switch_next_at);
    for (unsigned h = 0; h < r->host_cnt; h++)
        at = capy_min64(at, r->next_at[h]);
    return at;
}

static void time_host(struct sim_rack *r, unsigned h)
{
    r->count.timers++;
    if (r->down_until[h] != CAPY_NEVER) {
        start_host(r, h);
        return;
    }
    r->ring_cnt[h] = 0;
    capy_stack_expire(r->host[h], sim_own_now(r, h));
    after(r, h);
}

static void step(struct sim_rack *r)
{
    while (sim_flight_next_at(&r->flight) <= r->now)
        deliver(r, sim_flight_take(&r->flight));
    if (r->switch_next_at <= r->now) {
        uint64_t own = capy_switch_expire(r->plane, sim_own_now(r, SWITCH));
        r->switch_next_at = capy_max64(sim_clock_true(&r->clock[SWITCH], own), r->now + 1);
    }
    for (unsigned h = 0; h < r->host_cnt; h++)
        if (r->next_at[h] <= r->now)
            time_host(r, h);
}

void sim_run_until(struct sim_rack *r, uint64_t until)
{
    uint64_t at;
    while ((at = sim_next_at(r)) <= until) {
        r->now = capy_max64(r->now, at);
        step(r);
    }
    r->now = until;
}

void sim_crash(struct sim_rack *r, unsigned host, uint64_t down_ns)
{
    r->down_until[host] = r->now + down_ns;
    r->stalled_until[host] = 0;
    r->cfg[host].incarnation = (uint32_t)capy_prng_next(&r->rng);
    uint64_t k0 = capy_prng_next(&r->rng);
    r->cfg[host].hash_key = (struct capy_key){k0, capy_prng_next(&r->rng)};
    plan_host(r, host);
}

void sim_stall(struct sim_rack *r, unsigned host, uint64_t stall_ns)
{
    r->stalled_until[host] = r->now + stall_ns;
    plan_host(r, host);
}

void sim_reboot_switch(struct sim_rack *r)
{
    r->switch_cfg.boot_id = capy_prng_next(&r->rng) | 1;
    r->rebooted_at = r->now;
    start_switch(r);
}
