/* TCPMig messages that nobody sent, into servers and switch amid migrations: whoever knows the rack's
 * key may confuse the rack, but stops no program, and every migration ends, every slot and buffer
 * comes back. Without the key nothing happens at all.
 *
 * Input: one byte for the rack, then operations. A message is one that was seen on the wire, with some
 * of its fields changed; its tag is then made valid, or some of its bytes are changed after that. */
#include "bytes.h"
#include "target.h"
#include "wire/tcpmig.h"
#include "world.h"

enum { CONNS = 4, SEEN = 16, MESSAGE_MAX = CAPY_MIG_HEADER_LEN + CAPY_MIG_PAYLOAD_MAX };
#define STEPS_MAX 3000u

/* A message seen, and the address it was for. */
struct seen {
    size_t len;
    struct capy_mig_msg msg; /* of data */
    uint8_t data[MESSAGE_MAX];
};

static struct {
    struct world w;
    struct seen seen[SEEN];
    unsigned seen_cnt, steps;
    capy_handle client[CONNS];
    bool silent; /* applications do not answer when they are asked to let go */
} r;

/* ---- the rack ------------------------------------------------------------------------------ */

static void sent(struct world *w, unsigned link, bool to_switch, const uint8_t *frame, size_t len)
{
    (void)link, (void)to_switch;
    struct capy_packet p;
    enum capy_drop flaw = capy_frame_parse(frame, len, &p);
    fuzz_check(flaw == CAPY_DROP_NONE, "a frame that is %s", capy_drop_name(flaw));
    if (p.kind != CAPY_PACKET_UDP || p.udp.data_len > MESSAGE_MAX ||
        p.udp.data_len < CAPY_MIG_HEADER_LEN)
        return;
    struct seen *s = &r.seen[r.seen_cnt % SEEN];
    s->len = p.udp.data_len;
    memcpy(s->data, p.udp.data, s->len);
    if (capy_mig_parse(s->data, s->len, w->cfg[0].rack_key, &s->msg) != CAPY_MIG_GOOD)
        return; /* one of ours, from a full link */
    bool beat = s->msg.type == CAPY_MIG_HEARTBEAT || s->msg.type == CAPY_MIG_HEARTBEAT_ACK;
    if (!beat || r.seen_cnt < 2)
        r.seen_cnt++;
}

static void turn(struct world *w, unsigned host)
{
    struct capy_stack *s = w->host[host];
    struct capy_stack_event ev;
    while (capy_stack_event(s, &ev)) {
        if (ev.bits & CAPY_EV_MIGRATE_ASK && !r.silent)
            (void)capy_stack_release(s, ev.conn, (const uint8_t *)"state", 5, 1, w->now);
        if (ev.bits & CAPY_EV_READABLE) {
            uint32_t got;
            while (capy_stack_read_span(s, ev.conn, 0, &got) &&
                   capy_stack_consume(s, ev.conn, got, w->now) == CAPY_OK)
                ;
        }
    }
}

static void steps(unsigned cnt, uint64_t until)
{
    while (cnt-- > 0 && r.steps < STEPS_MAX && world_step(&r.w, until))
        r.steps++;
}

static void write_some(unsigned i, uint32_t len)
{
    static const uint8_t data[16384];
    (void)capy_stack_write(r.w.host[WORLD_CLIENT], r.client[i % CONNS], data, len, r.w.now);
    world_flush(&r.w, WORLD_CLIENT);
}

/* The cnt-th connection of a server, if there is one, moves. */
static void migrate(unsigned host, unsigned cnt, uint16_t target)
{
    struct capy_stack_conn_info info;
    for (uint32_t cursor = 0; capy_stack_next_conn(r.w.host[host], &cursor, &info);)
        if (cnt-- == 0)
            (void)capy_stack_migrate(r.w.host[host], info.conn, target, r.w.now);
    world_flush(&r.w, host);
}

static void open_rack(uint8_t how)
{
    r.seen_cnt = r.steps = 0;
    r.silent = how & 2;
    r.w.sent = sent;
    world_configure(&r.w, how & 1, 256);
    world_start(&r.w, turn);
    for (unsigned i = 0; i < CONNS; i++) {
        struct capy_ip ip = world_ip(i % WORLD_SERVERS, (how & 1) || i > 1);
        (void)capy_stack_connect(r.w.host[WORLD_CLIENT], &ip, WORLD_PORT, (uint16_t)(20000 + i), 0,
                                 &r.client[i], r.w.now);
    }
    world_flush(&r.w, WORLD_CLIENT);
    world_run(&r.w, CAPY_MS(1));
    for (unsigned i = 0; i < CONNS; i++)
        write_some(i, 1000 + 4000 * i);
    migrate(0, 0, 1);
    migrate(1, 0, CAPY_SERVER_ANY);
}

/* ---- messages ------------------------------------------------------------------------------ */

/* What names the migration and its flow. */
static void change_name(struct fuzz_bytes *b, struct capy_mig_msg *m, uint8_t field, uint8_t v)
{
    const struct seen *other = &r.seen[v % capy_min32(r.seen_cnt, SEEN)];
    switch (field) {
    case 0:
        m->origin = v < 250 ? v % 3 : CAPY_SERVER_ANY;
        break;
    case 1:
        m->target = v < 200 ? v % 3 : CAPY_SERVER_ANY;
        break;
    case 2:
        m->mig_id = other->msg.mig_id;
        break;
    case 3:
        m->epoch += (uint32_t)(v % 8) - 3;
        break;
    case 4:
        m->epoch = fuzz_u32(b);
        break;
    case 5:
        m->target_port = v < 128 ? (uint16_t)(WORLD_MIG_PORT_FIRST + v % 17) : fuzz_u16(b);
        break;
    case 6:
        m->key = other->msg.key;
        break;
    case 7:
        m->key.client_port = (uint16_t)(20000 + v % 6);
        break;
    default:
        m->key.home_port = v & 1 ? WORLD_PORT : fuzz_u16(b);
        break;
    }
}

static void change(struct fuzz_bytes *b, struct capy_mig_msg *m, uint8_t *payload)
{
    enum { OF_CONTENT = 11 };
    uint8_t field = fuzz_u8(b) % 20, v = fuzz_u8(b);
    switch (field) {
    case 0:
        m->type = v % (CAPY_MIG_TYPE_END + 1);
        break;
    case 1:
        m->reason = v;
        break;
    case 2:
        m->flags = v;
        break;
    case 3:
        m->verdict = v % (CAPY_VERDICT_CNT + 1);
        break;
    case 4:
        m->phase = v % 4;
        break;
    case 5:
        m->total = v < 128 ? v * 100u : fuzz_u32(b);
        break;
    case 6:
        m->offset = v < 128 ? v * CAPY_MIG_PAYLOAD_MAX : fuzz_u32(b);
        break;
    case 7:
        m->owner = v % 3;
        break;
    case 8:
        m->entry_epoch = v % 8;
        break;
    case 9:
        m->length = (uint16_t)capy_min32(fuzz_u16(b), CAPY_MIG_PAYLOAD_MAX);
        break;
    case 10:
        payload[fuzz_u16(b) % CAPY_MIG_PAYLOAD_MAX] = v;
        break;
    default:
        change_name(b, m, field - OF_CONTENT, v);
        break;
    }
}

/* To a server as from the switch or the other server; or to the switch, from a port. */
static void put_in(uint8_t *frame, size_t len, unsigned to, bool from_switch)
{
    struct world *w = &r.w;
    const struct capy_stack_cfg *me = &w->cfg[to % WORLD_SERVERS];
    const struct capy_stack_peer *other = &me->peers[1 - me->self];
    struct capy_frame_to f = {.src_port = me->tcpmig_port, .dst_port = me->tcpmig_port};
    if (to < WORLD_SERVERS) {
        f.dst_mac = me->mac;
        f.dst = me->ip;
        f.src_mac = me->tor.mac;
        f.src = from_switch ? me->tor.ip : other->ip;
    } else {
        f.dst_mac = me->tor.mac;
        f.dst = from_switch ? me->tor.ip : other->ip;
        f.src_mac = me->mac;
        f.src = me->ip;
    }
    len = capy_frame_build_udp(frame, &f, len);
    if (to < WORLD_SERVERS) {
        capy_stack_input(w->host[to], frame, len, w->now);
        turn(w, to);
        world_flush(w, to);
    } else {
        world_inject(w, to % WORLD_HOSTS, frame, len);
    }
}

static void inject(struct fuzz_bytes *b)
{
    static uint8_t frame[CAPY_FRAME_MAX + MESSAGE_MAX];
    uint8_t how = fuzz_u8(b), whom = fuzz_u8(b);
    if (r.seen_cnt == 0)
        return;
    const struct seen *s = &r.seen[whom / 8 % capy_min32(r.seen_cnt, SEEN)];
    struct capy_mig_msg m = s->msg;
    uint8_t *p = frame + (capy_ip_is_v4(&r.w.cfg[0].ip) ? CAPY_UDP_AT : CAPY_UDP_AT6);
    memcpy(p, s->data, s->len);
    for (unsigned n = how % 4; n > 0; n--)
        change(b, &m, p + CAPY_MIG_HEADER_LEN);
    size_t len = capy_mig_build(p, r.w.cfg[0].rack_key, &m);
    for (unsigned n = how / 4 % 4; n > 0 && how & 128; n--) {
        uint16_t at = fuzz_u16(b);
        p[at % len] = fuzz_u8(b); /* the part that only the switch writes is outside the tag */
    }
    if (how & 64)
        len = fuzz_u16(b) % (len + 1);
    put_in(frame, len, whom % 4, how & 16);
}

/* ---- the run ------------------------------------------------------------------------------- */

static void operate(struct fuzz_bytes *b)
{
    uint8_t op = fuzz_u8(b);
    if (op < 128)
        inject(b);
    else if (op < 176)
        steps(1u << op % 8, CAPY_NEVER);
    else if (op < 196)
        steps(STEPS_MAX, r.w.now + (UINT64_C(1) << fuzz_below(b, 31)));
    else if (op < 214)
        migrate(op & 1, fuzz_u8(b) % CONNS, (uint16_t)(op & 2 ? CAPY_SERVER_ANY : op & 1 ? 0 : 1));
    else if (op < 224)
        write_some(op, 1u << fuzz_below(b, 13));
    else if (op < 244)
        world_lose(&r.w, fuzz_u8(b));
    else
        r.silent = op & 1;
}

static void abort_all(struct world *w)
{
    for (unsigned h = 0; h < WORLD_HOSTS; h++) {
        struct capy_stack_conn_info info;
        for (uint32_t cursor = 0; capy_stack_next_conn(w->host[h], &cursor, &info);)
            (void)capy_stack_abort(w->host[h], info.conn, w->now);
        turn(w, h);
        world_flush(w, h);
    }
}

/* However confused the rack is: with the last connection everything comes back. */
static void finish(void)
{
    struct capy_stack_status s;
    unsigned left = 1;
    r.silent = false;
    for (unsigned guard = 0; guard < 40 && left > 0; guard++) {
        abort_all(&r.w);
        world_run(&r.w, CAPY_MS(500));
        left = 0;
        for (unsigned h = 0; h < WORLD_HOSTS; h++) {
            capy_stack_status(r.w.host[h], &s);
            left += s.conn_cnt + s.origin_cnt + s.target_cnt;
        }
    }
    for (unsigned h = 0; h < WORLD_HOSTS; h++) {
        capy_stack_status(r.w.host[h], &s);
        fuzz_check(s.conn_cnt + s.origin_cnt + s.target_cnt == 0 && s.block_free == s.block_cnt,
                   "host %u keeps %u connections, %u and %u slots, %u blocks", h, s.conn_cnt,
                   s.origin_cnt, s.target_cnt, s.block_cnt - s.block_free);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_bytes b = {data, size, NULL};
    open_rack(fuzz_u8(&b));
    while (!fuzz_over(&b))
        operate(&b);
    finish();
    return 0;
}
