/* See service.h. */
#include "service.h"

struct service_frame {
    uint64_t at;
    uint32_t len;
    uint8_t data[CAPY_FRAME_MAX];
};

struct service_line {
    uint32_t first, cnt;
    struct service_frame frame[SERVICE_QUEUE * 4];
};

#define LINE_FRAMES (SERVICE_QUEUE * 4)

static struct capy_ip ip_of(unsigned host)
{
    return capy_ip_from_v4(0x0a000001u + host);
}

static void open_host(struct service *v, unsigned h, void (*tune)(struct capy_stack_cfg *cfg))
{
    struct capy_stack_cfg cfg = forge_cfg();
    cfg.conn_max = SERVICE_CONNS;
    cfg.syn_backlog_max = SERVICE_BACKLOG;
    cfg.block_cnt = h == SERVER ? SERVICE_BLOCKS : 65536;
    cfg.mac.b[5] = (uint8_t)(h + 1);
    cfg.ip = ip_of(h);
    cfg.hash_key = (struct capy_key){h + 1, 99};
    if (h == SERVER && tune)
        tune(&cfg);
    size_t size = capy_stack_size(&cfg);
    CAPY_ASSERT(size > 0);
    v->mem[h] = aligned_alloc(64, (size + 63) & ~(size_t)63);
    CAPY_ASSERT(v->mem[h]);
    v->host[h] = capy_stack_init(v->mem[h], &cfg, v->now);
    v->line[h] = calloc(1, sizeof *v->line[h]);
    CAPY_ASSERT(v->line[h]);
}

bool service_put(struct service *v, unsigned host, const uint8_t *frame, size_t len, uint64_t at)
{
    struct service_line *l = v->line[host];
    uint32_t most = host == SERVER ? SERVICE_QUEUE + SERVED : LINE_FRAMES;
    if (l->cnt >= most)
        return false;
    struct service_frame *f = &l->frame[(l->first + l->cnt++) % LINE_FRAMES];
    f->at = at;
    f->len = (uint32_t)len;
    memcpy(f->data, frame, len);
    return true;
}

static size_t forge_frame(const struct service *v, uint8_t *frame, const struct forged *from,
                          const struct capy_tcp_segment *seg)
{
    struct capy_ip clients = ip_of(CLIENTS);
    struct capy_mac nobody = {{2, 0, 0, 0, 0, 0x77}};
    bool as_client = capy_ip_eq(&from->ip, &clients);
    struct capy_frame_to to = {.dst_mac = v->host[SERVER]->cfg.mac,
                               .src_mac = as_client ? v->host[CLIENTS]->cfg.mac : nobody,
                               .src = from->ip,
                               .dst = ip_of(SERVER),
                               .src_port = from->port,
                               .dst_port = from->to_port};
    return capy_frame_build_tcp(frame, &to, seg);
}

void service_forge(struct service *v, const struct forged *from, const struct capy_tcp_segment *seg)
{
    uint8_t frame[CAPY_FRAME_MAX];
    (void)service_put(v, SERVER, frame, forge_frame(v, frame, from, seg), v->now);
}

void service_inject(struct service *v, const struct forged *from,
                    const struct capy_tcp_segment *seg)
{
    uint8_t frame[CAPY_FRAME_MAX];
    capy_stack_input(v->host[SERVER], frame, forge_frame(v, frame, from, seg), v->now);
}

uint32_t service_random(struct service *v)
{
    return (uint32_t)(capy_prng_next(&v->random) >> 32);
}

/* ---- the server's application: 'r' is answered by a byte, 'B' by many ---- */

static void write_owed(struct service *v, capy_handle conn)
{
    static uint8_t bytes[16384];
    uint64_t *owed = &v->owed[conn % CAPY_STACK_CONN_MAX];
    while (*owed > 0) {
        uint32_t n = (uint32_t)capy_min64(*owed, sizeof bytes);
        int64_t took = capy_stack_write(v->host[SERVER], conn, bytes, n, v->now);
        if (took < 0)
            return;
        *owed -= (uint64_t)took;
        if (took < n)
            return; /* WRITABLE comes */
    }
}

static void read_requests(struct service *v, capy_handle conn)
{
    struct capy_stack *s = v->host[SERVER];
    const uint8_t *data;
    uint32_t got;
    bool fin;
    while ((data = capy_stack_read_span(s, conn, 0, &got)) != NULL) {
        for (uint32_t i = 0; i < got; i++) {
            v->owed[conn % CAPY_STACK_CONN_MAX] += data[i] == 'B' ? SERVICE_BIG : data[i] == 'r';
            v->strange_bytes += data[i] != 'B' && data[i] != 'r';
        }
        (void)capy_stack_consume(s, conn, got, v->now);
    }
    if (capy_stack_readable(s, conn, &fin) == 0 && fin)
        (void)capy_stack_close(s, conn, v->now);
}

static void serve(struct service *v)
{
    struct capy_stack_event ev;
    while (capy_stack_event(v->host[SERVER], &ev)) {
        if (ev.bits & CAPY_EV_ANY_DEAD)
            continue;
        if (ev.bits & CAPY_EV_ACCEPTED)
            v->owed[ev.conn % CAPY_STACK_CONN_MAX] = 0;
        if (ev.bits & CAPY_EV_READABLE)
            read_requests(v, ev.conn);
        write_owed(v, ev.conn);
    }
    v->blocks_least = capy_min32(v->blocks_least, v->host[SERVER]->blocks.pool.free_cnt);
}

/* ---- the clients: one request after the other ---- */

static void ask(struct service *v, struct service_client *c)
{
    uint8_t bytes[SERVICE_REQUEST];
    memset(bytes, 'r', sizeof bytes);
    int64_t took = capy_stack_write(v->host[CLIENTS], c->conn, bytes, sizeof bytes, v->now);
    CAPY_ASSERT(took == sizeof bytes);
    c->asked_at = v->now;
    c->got = 0;
}

static void answered(struct service *v, struct service_client *c)
{
    uint64_t took = v->now - c->asked_at;
    v->figures.answers++;
    v->figures.sum_ns += took;
    v->figures.worst_ns = capy_max64(v->figures.worst_ns, took);
    ask(v, c);
}

static void clients_turn(struct service *v)
{
    struct capy_stack_event ev;
    while (capy_stack_event(v->host[CLIENTS], &ev)) {
        if (ev.user >= SERVED)
            continue;
        struct service_client *c = &v->client[ev.user];
        bool fin;
        if (ev.bits & CAPY_EV_ANY_DEAD) {
            c->closed = true;
            continue;
        }
        if (ev.bits & CAPY_EV_CONNECTED) {
            c->open = true;
            ask(v, c);
        }
        int64_t n = capy_stack_readable(v->host[CLIENTS], c->conn, &fin);
        if (n > 0) {
            (void)capy_stack_consume(v->host[CLIENTS], c->conn, (uint32_t)n, v->now);
            c->got += (uint32_t)n;
            if (c->got >= SERVICE_REQUEST)
                answered(v, c);
        }
    }
}

/* ---- time ---- */

/* What host h has to say, to whom it is addressed; what is for nobody here vanishes. */
static void say(struct service *v, unsigned h)
{
    uint8_t frame[CAPY_FRAME_MAX];
    size_t len;
    while ((len = capy_stack_output(v->host[h], frame, v->now)) > 0)
        for (unsigned to = 0; to < HOSTS; to++)
            if (to != h && (frame[5] == to + 1 || frame[5] == 0xff))
                (void)service_put(v, to, frame, len, v->now + SERVICE_DELAY_NS);
}

static void hear(struct service *v, unsigned h, unsigned most)
{
    struct service_line *l = v->line[h];
    while (most-- > 0 && l->cnt > 0 && l->frame[l->first].at <= v->now) {
        struct service_frame *f = &l->frame[l->first];
        capy_stack_input(v->host[h], f->data, f->len, v->now);
        l->first = (l->first + 1) % LINE_FRAMES;
        l->cnt--;
    }
}

static void step(struct service *v)
{
    v->now += SERVICE_STEP_NS;
    if (v->attack)
        v->attack(v);
    for (unsigned h = 0; h < HOSTS; h++) {
        capy_stack_expire(v->host[h], v->now);
        hear(v, h, h == SERVER ? SERVICE_STEP_FRAMES : UINT32_MAX);
    }
    serve(v);
    clients_turn(v);
    for (unsigned h = 0; h < HOSTS; h++)
        say(v, h);
}

void service_run(struct service *v, uint64_t ns)
{
    for (uint64_t until = v->now + ns; v->now < until;)
        step(v);
}

struct service_figures service_measure(struct service *v, uint64_t ns)
{
    v->figures = (struct service_figures){0};
    service_run(v, ns);
    return v->figures;
}

void service_open(struct service *v, void (*tune)(struct capy_stack_cfg *cfg))
{
    *v = (struct service){.now = CAPY_SEC(1000), .blocks_least = UINT32_MAX};
    capy_prng_seed(&v->random, 1);
    struct capy_ip server = ip_of(SERVER);
    for (unsigned h = 0; h < HOSTS; h++)
        open_host(v, h, tune);
    int rc = capy_stack_listen(v->host[SERVER], SERVICE_PORT, 0);
    for (unsigned i = 0; i < SERVED && rc == CAPY_OK; i++)
        rc = capy_stack_connect(v->host[CLIENTS], &server, SERVICE_PORT, 0, i, &v->client[i].conn,
                                v->now);
    CAPY_ASSERT(rc == CAPY_OK);
    service_run(v, CAPY_MS(20));
    CAPY_ASSERT(v->figures.answers > SERVED);
}

void service_close(struct service *v)
{
    for (unsigned h = 0; h < HOSTS; h++) {
        free(v->mem[h]);
        free(v->line[h]);
    }
}

struct forged service_client_ends(const struct service *v, unsigned i)
{
    struct capy_stack_conn_info info;
    int rc = capy_stack_conn_info(v->host[CLIENTS], v->client[i].conn, &info);
    CAPY_ASSERT(rc == CAPY_OK);
    struct forged c = {.ip = ip_of(CLIENTS), .port = info.local_port, .to_port = SERVICE_PORT};
    const struct capy_tcp *tcb = service_server_tcb(v, &c);
    c.snd_nxt = capy_seq_add(tcb->rcv.irs, (uint32_t)tcb->rcv.nxt);
    c.rcv_nxt = capy_seq_add(tcb->snd.iss, (uint32_t)tcb->snd.una);
    c.ts = tcb->ts_ok;
    c.ts_val = tcb->rcv.ts_recent;
    return c;
}

const struct capy_tcp *service_server_tcb(const struct service *v, const struct forged *c)
{
    uint32_t idx = capy_demux_find(v->host[SERVER], &c->ip, c->port, c->to_port);
    return idx == CAPY_NONE ? NULL : &v->host[SERVER]->conns[idx].tcb;
}
