/* Fault injection (fault.h). Waiting copies live in one array and are in one of two lists: `queue`,
 * ordered by due time, first come first out among equals; or `held`, the reordered ones, oldest
 * first, each waiting for later frames to pass it. */
#include "switch/user/fault.h"

#include "base/list.h"
#include "base/pool.h"
#include "base/prng.h"
#include "wire/frame.h"
#include "wire/tcpmig.h"

struct waiting {
    struct capy_link link;
    uint64_t due_at;
    uint32_t behind; /* later frames still to let pass; 0 once queued */
    uint32_t len;
    uint8_t data[CAPY_FRAME_MAX];
};

struct capy_fault {
    struct capy_fault_cfg cfg;
    struct capy_fault_counters counters;
    struct capy_prng prng;
    struct waiting *waiting;
    struct capy_pool pool;
    struct capy_list queue, held;
    uint32_t lent;         /* the last one given out, or CAPY_NONE */
    uint32_t filter_left;  /* of drop_cnt */
    uint64_t line_free_at; /* when the last byte queued for the line has left it */
    uint16_t tcpmig_port;
};

static struct capy_fault *carve(struct capy_arena *a, uint32_t pending_max)
{
    struct capy_fault *f = capy_arena_take(a, 1, sizeof *f);
    struct waiting *waiting = capy_arena_take(a, pending_max, sizeof *waiting);
    struct capy_pool pool;
    capy_pool_init(&pool, a, pending_max);
    if (f)
        *f = (struct capy_fault){.waiting = waiting, .pool = pool, .lent = CAPY_NONE};
    return f;
}

size_t capy_fault_size(uint32_t pending_max)
{
    struct capy_arena measure = {0};
    carve(&measure, pending_max);
    return measure.used;
}

struct capy_fault *capy_fault_init(void *mem, uint32_t pending_max, uint16_t tcpmig_port)
{
    struct capy_arena arena = {.base = mem};
    CAPY_ASSERT(pending_max > 0);
    struct capy_fault *f = carve(&arena, pending_max);
    f->tcpmig_port = tcpmig_port;
    capy_list_init(&f->queue, &f->waiting[0].link, sizeof f->waiting[0]);
    capy_list_init(&f->held, &f->waiting[0].link, sizeof f->waiting[0]);
    return f;
}

bool capy_fault_cfg_is_set(const struct capy_fault_cfg *cfg)
{
    return cfg->loss_ppm || cfg->dup_ppm || cfg->reorder_ppm || cfg->delay_us || cfg->jitter_us ||
           cfg->rate || cfg->drop_type;
}

bool capy_fault_cfg_is_valid(const struct capy_fault_cfg *cfg)
{
    return cfg->loss_ppm <= CAPY_FAULT_PPM_MAX && cfg->dup_ppm <= CAPY_FAULT_PPM_MAX &&
           cfg->reorder_ppm <= CAPY_FAULT_PPM_MAX && cfg->delay_us <= CAPY_FAULT_DELAY_MAX_US &&
           cfg->jitter_us <= CAPY_FAULT_DELAY_MAX_US && cfg->drop_type < CAPY_MIG_TYPE_END &&
           (cfg->rate == 0 || cfg->rate >= CAPY_FAULT_RATE_MIN);
}

void capy_fault_set(struct capy_fault *f, const struct capy_fault_cfg *cfg)
{
    CAPY_ASSERT(capy_fault_cfg_is_valid(cfg));
    f->cfg = *cfg;
    f->filter_left = cfg->drop_cnt;
    capy_prng_seed(&f->prng, cfg->seed);
}

/* Once a filter for the next N messages has had them, it is off. */
static void count_filtered(struct capy_fault *f)
{
    f->counters.filtered++;
    if (f->cfg.drop_cnt && --f->filter_left == 0)
        f->cfg.drop_type = 0;
}

bool capy_fault_active(const struct capy_fault *f)
{
    return capy_fault_cfg_is_set(&f->cfg) || f->queue.cnt || f->held.cnt;
}

/* Reads the message type without checking its tag: the filter only has to know what a frame says.
 */
static bool is_filtered(const struct capy_fault *f, const uint8_t *frame, size_t len)
{
    struct capy_packet p;
    return f->cfg.drop_type != 0 && capy_frame_parse(frame, len, &p) == CAPY_DROP_NONE &&
           p.kind == CAPY_PACKET_UDP && p.dst_port == f->tcpmig_port &&
           p.udp.data_len >= CAPY_MIG_HEADER_LEN && p.udp.data[0] == CAPY_MIG_VERSION &&
           p.udp.data[1] == f->cfg.drop_type;
}

/* Behind everything due at or before its time, so equals keep their order. */
static void enqueue(struct capy_fault *f, uint32_t idx)
{
    struct waiting *w = &f->waiting[idx];
    uint32_t after = f->queue.tail;
    while (after != CAPY_NONE && f->waiting[after].due_at > w->due_at)
        after = f->waiting[after].link.prev;
    if (after == f->queue.tail) {
        capy_list_push_tail(&f->queue, idx);
    } else if (after == CAPY_NONE) {
        capy_list_push_head(&f->queue, idx);
    } else {
        uint32_t next = f->waiting[after].link.next;
        w->link = (struct capy_link){.prev = after, .next = next};
        f->waiting[after].link.next = idx;
        f->waiting[next].link.prev = idx;
        f->queue.cnt++;
    }
}

/* One frame has just been queued: those that were to let it pass have one less to wait for. The
 * last one pulls its holder in, right behind it. */
static void frame_passed(struct capy_fault *f, uint64_t due_at)
{
    for (uint32_t idx = f->held.head, next; idx != CAPY_NONE; idx = next) {
        struct waiting *w = &f->waiting[idx];
        next = w->link.next;
        if (--w->behind == 0) {
            capy_list_remove(&f->held, idx);
            w->due_at = capy_min64(w->due_at, due_at);
            enqueue(f, idx);
        }
    }
}

/* When the last of len bytes leaves the line; CAPY_NEVER when its queue is full. */
static uint64_t line_time(struct capy_fault *f, size_t len, uint64_t now)
{
    if (f->cfg.rate == 0)
        return now;
    uint64_t free_at = capy_max64(f->line_free_at, now);
    uint64_t waiting = (free_at - now) * f->cfg.rate / CAPY_SEC(1);
    if (waiting + len > (f->cfg.queue ? f->cfg.queue : CAPY_FAULT_QUEUE_DEFAULT))
        return CAPY_NEVER;
    f->line_free_at = free_at + len * CAPY_SEC(1) / f->cfg.rate;
    return f->line_free_at;
}

static void enter_copy(struct capy_fault *f, const uint8_t *frame, size_t len, uint64_t now)
{
    /* All three are drawn whatever is set, so that changing one rate leaves the others' draws. */
    uint64_t jitter = capy_prng_below(&f->prng, CAPY_US(f->cfg.jitter_us) + 1);
    bool reorder = capy_prng_chance(&f->prng, f->cfg.reorder_ppm);
    uint32_t behind = 1 + (uint32_t)capy_prng_below(&f->prng, CAPY_FAULT_BEHIND_MAX);

    uint64_t through_at = f->pool.free_cnt > 0 ? line_time(f, len, now) : now;
    if (through_at == CAPY_NEVER) {
        f->counters.queue_full++;
        return;
    }
    uint32_t idx = capy_pool_take(&f->pool);
    if (idx == CAPY_NONE) {
        f->counters.overflowed++;
        return;
    }
    struct waiting *w = &f->waiting[idx];
    w->len = (uint32_t)len;
    memcpy(w->data, frame, len);
    w->due_at = through_at + CAPY_US(f->cfg.delay_us) + jitter;
    w->behind = 0;
    f->counters.delayed += w->due_at > now;
    if (reorder) {
        w->behind = behind;
        w->due_at += CAPY_FAULT_HOLD_NS;
        f->counters.reordered++;
        capy_list_push_tail(&f->held, idx);
    } else {
        enqueue(f, idx);
        frame_passed(f, w->due_at);
    }
}

void capy_fault_input(struct capy_fault *f, const uint8_t *frame, size_t len, uint64_t now)
{
    CAPY_ASSERT(len >= 1 && len <= CAPY_FRAME_MAX);
    f->counters.entered++;
    if (is_filtered(f, frame, len)) {
        count_filtered(f);
        return;
    }
    bool lost = capy_prng_chance(&f->prng, f->cfg.loss_ppm);
    bool twice = capy_prng_chance(&f->prng, f->cfg.dup_ppm);
    if (lost) {
        f->counters.lost++;
        return;
    }
    enter_copy(f, frame, len, now);
    if (twice) {
        f->counters.duplicated++;
        enter_copy(f, frame, len, now);
    }
}

/* Held frames for which too few later ones came. Jitter leaves them not quite in order of time. */
static void release_held(struct capy_fault *f, uint64_t now)
{
    for (uint32_t idx = f->held.head, next; idx != CAPY_NONE; idx = next) {
        next = f->waiting[idx].link.next;
        if (f->waiting[idx].due_at <= now) {
            capy_list_remove(&f->held, idx);
            enqueue(f, idx);
        }
    }
}

uint8_t *capy_fault_output(struct capy_fault *f, uint64_t now, size_t *len)
{
    if (f->lent != CAPY_NONE)
        capy_pool_give(&f->pool, f->lent);
    f->lent = CAPY_NONE;
    release_held(f, now);

    uint32_t idx = f->queue.head;
    if (idx == CAPY_NONE || f->waiting[idx].due_at > now)
        return NULL;
    f->lent = capy_list_pop_head(&f->queue);
    *len = f->waiting[idx].len;
    return f->waiting[idx].data;
}

uint64_t capy_fault_due_at(const struct capy_fault *f)
{
    uint64_t at = f->queue.head == CAPY_NONE ? CAPY_NEVER : f->waiting[f->queue.head].due_at;
    for (uint32_t idx = f->held.head; idx != CAPY_NONE; idx = f->waiting[idx].link.next)
        at = capy_min64(at, f->waiting[idx].due_at);
    return at;
}

void capy_fault_get(const struct capy_fault *f, struct capy_fault_cfg *cfg,
                    struct capy_fault_counters *counters)
{
    *cfg = f->cfg;
    *counters = f->counters;
}
