/* What people and tools look at, and the small settings of a running stack. */
#include "stack/host.h"
#include "tcp/position.h"

void capy_stack_drop_app(struct capy_stack *s, struct capy_conn *c)
{
    capy_stream_clear(&c->app, &s->blocks);
    c->app_len = 0;
}

int64_t capy_stack_app_state(struct capy_stack *s, capy_handle h, uint8_t *out, uint32_t cap)
{
    uint32_t idx;
    struct capy_conn *c = capy_conn_of(s, h, &idx);
    if (!c)
        return CAPY_E_BADQD;
    uint32_t len = capy_min32(cap, c->app_len);
    if (len > 0)
        capy_stream_read(&c->app, &s->blocks, 0, out, len);
    return c->app_len;
}

void capy_stack_app_state_drop(struct capy_stack *s, capy_handle h)
{
    uint32_t idx;
    struct capy_conn *c = capy_conn_of(s, h, &idx);
    if (c && c->mode == CAPY_CONN_RUNNING) /* a frozen one's bytes are on their way */
        capy_stack_drop_app(s, c);
}

uint64_t capy_stack_user_flags(struct capy_stack *s, capy_handle h)
{
    uint32_t idx;
    const struct capy_conn *c = capy_conn_of(s, h, &idx);
    return c ? c->user_flags : 0;
}

void capy_stack_set_load(struct capy_stack *s, uint32_t load)
{
    s->load = load;
}

void capy_stack_set_draining(struct capy_stack *s, bool draining)
{
    s->tor.beat_owed = s->tor.beat_owed || (s->cfg.peer_cnt > 0 && draining != s->draining);
    s->draining = draining;
}

/* Data bytes before a position. */
static uint64_t bytes_behind(uint64_t pos)
{
    return pos > CAPY_TCP_POS_DATA ? pos - CAPY_TCP_POS_DATA : 0;
}

static void describe(const struct capy_stack *s, uint32_t idx, struct capy_stack_conn_info *out)
{
    const struct capy_conn *c = &s->conns[idx];
    *out = (struct capy_stack_conn_info){
        .conn = capy_conn_handle(s, idx),
        .key = capy_conn_key(s, c),
        .local = capy_net_of(s, &c->remote)->ip,
        .local_port = c->local_port,
        .epoch = c->epoch,
        .migrating = c->mode == CAPY_CONN_FROZEN ? 2 : c->slot != CAPY_NONE,
        .user = c->user,
        .bytes_in = bytes_behind(c->tcb.rcv.nxt),
        .bytes_out = bytes_behind(c->tcb.snd.una),
    };
    capy_tcp_info(&c->tcb, &out->tcp);
}

int capy_stack_conn_info(struct capy_stack *s, capy_handle h, struct capy_stack_conn_info *out)
{
    uint32_t idx;
    if (!capy_conn_of(s, h, &idx))
        return CAPY_E_BADQD;
    describe(s, idx, out);
    return CAPY_OK;
}

bool capy_stack_next_conn(struct capy_stack *s, uint32_t *cursor, struct capy_stack_conn_info *out)
{
    while (*cursor < s->cfg.conn_max) {
        uint32_t idx = (*cursor)++;
        enum capy_conn_mode mode = (enum capy_conn_mode)s->conns[idx].mode;
        if (mode == CAPY_CONN_RUNNING || mode == CAPY_CONN_FROZEN || mode == CAPY_CONN_SUSPENDED) {
            describe(s, idx, out);
            return true;
        }
    }
    return false;
}

int capy_stack_find(struct capy_stack *s, const struct capy_ip *client, uint16_t client_port,
                    capy_handle *out)
{
    struct capy_stack_conn_info info;
    for (uint32_t cursor = 0; capy_stack_next_conn(s, &cursor, &info);) {
        if (info.key.client_port == client_port && capy_ip_eq(&info.key.client, client)) {
            *out = info.conn;
            return CAPY_OK;
        }
    }
    return CAPY_E_BADQD;
}

const struct capy_stack_counters *capy_stack_counters(const struct capy_stack *s)
{
    return &s->count;
}

void capy_stack_status(const struct capy_stack *s, struct capy_stack_status *out)
{
    uint32_t listeners = 0;
    for (uint32_t i = 0; i < s->cfg.listener_max; i++)
        listeners += s->listeners[i].port != 0;
    *out = (struct capy_stack_status){
        .conn_cnt = s->cfg.conn_max - s->conn_pool.free_cnt,
        .conn_max = s->cfg.conn_max,
        .block_free = s->blocks.pool.free_cnt,
        .block_cnt = s->cfg.block_cnt,
        .origin_cnt = s->origin_pool.cnt - s->origin_pool.free_cnt,
        .target_cnt = s->target_pool.cnt - s->target_pool.free_cnt,
        .listener_cnt = listeners,
        .away_cnt = s->away_cnt,
        .switch_boot = s->tor.boot,
        .switch_alive = s->cfg.peer_cnt > 0 && capy_tor_alive(s),
        .switch_learning = s->tor.learning,
        .load = s->load,
        .least_load = s->tor.least_load,
        .draining = s->draining,
    };
}

struct capy_stack_moves capy_stack_moves(const struct capy_stack *s)
{
    return (struct capy_stack_moves){s->origin_pace.smooth_ns, s->origin_pace.lost};
}

const char *capy_mig_step_name(enum capy_mig_step step)
{
    static const char *const names[CAPY_STEP_CNT] = {"prepare", "admit", "export", "import",
                                                     "free"};
    return (unsigned)step < CAPY_STEP_CNT ? names[step] : "?";
}

void capy_stack_set_probe(struct capy_stack *s, capy_probe_fn *probe, void *ctx)
{
    s->probe = probe;
    s->probe_ctx = ctx;
}
