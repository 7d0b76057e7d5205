/* The run of two hosts and their peer (twins.h). */
#include "twins.h"
#include "neighbour.h"
#include "target.h"

#define STEPS_MAX 600u

/* ---- the moving twin ----------------------------------------------------------------------- */

static void *memory_of(const struct capy_stack_cfg *cfg, unsigned which)
{
    enum { MEMORIES = 4 };
    static void *mem[MEMORIES];
    static size_t size[MEMORIES];
    size_t need = capy_stack_size(cfg);
    if (need > size[which]) {
        free(mem[which]);
        mem[which] = fuzz_memory(need);
        size[which] = need;
    }
    return mem[which];
}

/* One connection out of `from` and into `to`, whose encoding it must be again. */
static uint32_t move_one(struct twins *t, struct capy_stack *from, struct capy_stack *to,
                         uint32_t *cursor, uint32_t *again)
{
    static uint8_t record[TWINS_RECORD_MAX], same[TWINS_RECORD_MAX];
    uint32_t len = capy_stack_carry_out(from, cursor, record, sizeof record);
    capy_handle conn;
    uint64_t user;
    if (len == 0)
        return 0;
    fuzz_check(len <= sizeof record, "a record of %u bytes", len);
    twins_note(t->seen, from, &from->conns[*cursor - 1]);
    if (t->seen->record)
        t->seen->record(from, &from->conns[*cursor - 1], record, len);
    int rc = capy_stack_carry_in(to, record, len, &conn, &user);
    fuzz_check(rc == CAPY_OK, "carry_in: %s, state %s", capy_strerror(rc),
               capy_tcp_state_name(from->conns[*cursor - 1].tcb.state));
    uint32_t len_again = capy_stack_carry_out(to, again, same, sizeof same);
    fuzz_check(len_again == len && memcmp(record, same, len) == 0,
               "decoded and encoded again, %u bytes became %u others", len, len_again);
    if (t->end[TWINS_MOVES].conn == capy_conn_handle(from, *cursor - 1)) {
        fuzz_check(conn != CAPY_HANDLE_NONE, "the application's handle is gone");
        t->end[TWINS_MOVES].conn = conn;
        return len; /* named once: handles of the two stacks may be alike */
    }
    return len;
}

/* Its RST has left; its timer, due by now, ends it at the wheel's next tick. Nothing of it moves. */
static bool about_to_end(const struct capy_stack *s)
{
    for (uint32_t i = 0; i < s->cfg.conn_max; i++)
        if (s->conns[i].mode == CAPY_CONN_RUNNING && s->conns[i].tcb.state == CAPY_TCP_CLOSED)
            return true;
    return false;
}

static void move(struct twins *t)
{
    struct capy_stack *from = t->host[TWINS_MOVES];
    if (about_to_end(from))
        return;
    struct capy_stack *to = capy_stack_init(memory_of(&t->cfg, t->spare), &t->cfg, t->now);
    uint32_t cursor = 0, again = 0;
    capy_stack_carry_host(from, to);
    while (move_one(t, from, to, &cursor, &again) > 0)
        ;
    t->host[TWINS_MOVES] = to;
    t->spare = t->spare == TWINS_MOVES ? TWINS_HOSTS : TWINS_MOVES;
}

/* ---- turns --------------------------------------------------------------------------------- */

/* The next frame of a host that is no question about link addresses; 0: none. */
static size_t output(struct twins *t, unsigned h, uint8_t *frame)
{
    struct capy_mac far = h == TWINS_PEER ? t->cfg.mac : t->peer_cfg.mac;
    size_t len;
    do
        len = capy_stack_output(t->host[h], frame, t->now);
    while (len > 0 && fuzz_answer_neighbour(t->host[h], frame, len, far, t->now));
    return len;
}

static void print_frame(const char *who, const uint8_t *frame, size_t len)
{
    struct capy_packet p;
    fprintf(stderr, "%s: %zu bytes", who, len);
    if (len > 0 && capy_frame_parse(frame, len, &p) == CAPY_DROP_NONE && p.kind == CAPY_PACKET_TCP)
        fprintf(stderr,
                ", flags %02x seq %u ack %u window %u opts %x sacks %u data %u ts %u %u ecn %u",
                p.tcp.flags, p.tcp.seq.v, p.tcp.ack.v, p.tcp.window, p.tcp.opts, p.tcp.sack_cnt,
                p.tcp.data_len, p.tcp.ts_val, p.tcp.ts_ecr, p.ecn);
    fputc('\n', stderr);
}

enum { BURST_MAX = 512 };

struct burst {
    unsigned cnt;
    bool told[BURST_MAX];
    size_t len[BURST_MAX];
    uint8_t data[BURST_MAX][CAPY_FRAME_MAX];
};

static void collect(struct twins *t, unsigned h, struct burst *burst)
{
    burst->cnt = 0;
    while ((burst->len[burst->cnt] = output(t, h, burst->data[burst->cnt])) > 0) {
        burst->told[burst->cnt] = false;
        fuzz_check(++burst->cnt < BURST_MAX, "a burst without end");
    }
}

/* Both ports of a segment. */
static uint32_t ports_of(const struct twins *t, const uint8_t *frame)
{
    return capy_load32(frame + CAPY_ETHER_LEN + (t->ipv6 ? CAPY_IPV6_LEN : CAPY_IPV4_LEN));
}

/* The first frame of the burst with these ports that is not told yet. */
static unsigned find(const struct twins *t, const struct burst *burst, uint32_t ports)
{
    unsigned i = 0;
    while (i < burst->cnt && (burst->told[i] || ports_of(t, burst->data[i]) != ports))
        i++;
    return i;
}

/* Each connection says the same, in the same order; whose turn it is among several is the host's
 * business. */
static void pump_twins(struct twins *t)
{
    static struct burst stays, moves;
    collect(t, TWINS_STAYS, &stays);
    collect(t, TWINS_MOVES, &moves);
    for (unsigned i = 0; i < stays.cnt; i++) {
        unsigned k = find(t, &moves, ports_of(t, stays.data[i]));
        if (k == moves.cnt || stays.len[i] != moves.len[k] ||
            memcmp(stays.data[i], moves.data[k], stays.len[i]) != 0) {
            print_frame("stays", stays.data[i], stays.len[i]);
            print_frame("moves", moves.data[k], moves.len[k]);
            fuzz_check(false, "frame %llu differs, step %u", (unsigned long long)t->seen->frames,
                       t->steps);
        }
        moves.told[k] = true;
        t->seen->frames++;
        twins_send(t, true, stays.data[i], stays.len[i]);
    }
    fuzz_check(stays.cnt == moves.cnt,
               "%u frames from the one that stays, %u from the other, step %u", stays.cnt,
               moves.cnt, t->steps);
}

static void turn(struct twins *t, bool peer)
{
    uint8_t frame[CAPY_FRAME_MAX];
    size_t len;
    twins_app_turn(t, peer);
    if (!peer) {
        pump_twins(t);
        if (t->move > 0 && fuzz_chance(t->b, t->move))
            move(t);
        return;
    }
    while ((len = output(t, TWINS_PEER, frame)) > 0)
        twins_send(t, false, frame, len);
}

static void deliver(struct twins *t, unsigned i)
{
    struct twins_flying f = t->flying[i];
    t->flying[i] = t->flying[--t->flying_cnt];
    if (f.to_peer) {
        capy_stack_input(t->host[TWINS_PEER], f.data, f.len, t->now);
    } else {
        capy_stack_input(t->host[TWINS_STAYS], f.data, f.len, t->now);
        capy_stack_input(t->host[TWINS_MOVES], f.data, f.len, t->now);
    }
    turn(t, f.to_peer);
}

/* The next thing to happen. False: nothing ever will. */
static bool step(struct twins *t)
{
    unsigned next = twins_next(t);
    uint64_t frame_at = next < TWINS_FLYING_MAX ? t->flying[next].at : CAPY_NEVER;
    uint64_t peer_at = capy_stack_next_at(t->host[TWINS_PEER]);
    uint64_t twins_at = capy_min64(capy_stack_next_at(t->host[TWINS_STAYS]),
                                   capy_stack_next_at(t->host[TWINS_MOVES]));
    uint64_t at = capy_min64(frame_at, capy_min64(peer_at, twins_at));
    if (at == CAPY_NEVER)
        return false;
    t->now = capy_max64(t->now, at);
    if (at == frame_at) {
        deliver(t, next);
    } else if (at == peer_at) {
        capy_stack_expire(t->host[TWINS_PEER], t->now);
        turn(t, true);
    } else {
        capy_stack_expire(t->host[TWINS_STAYS], t->now);
        capy_stack_expire(t->host[TWINS_MOVES], t->now);
        turn(t, false);
    }
    return true;
}

/* ---- the whole run ------------------------------------------------------------------------- */

static void start(struct twins *t)
{
    twins_configure(t);
    for (unsigned h = 0; h < TWINS_HOSTS; h++) {
        const struct capy_stack_cfg *cfg = h == TWINS_PEER ? &t->peer_cfg : &t->cfg;
        t->host[h] = capy_stack_init(memory_of(cfg, h), cfg, t->now);
        fuzz_check(capy_stack_listen(t->host[h], TWINS_PORT, 0) == CAPY_OK, "listen");
    }
    t->spare = TWINS_HOSTS;
    twins_open(t);
    turn(t, false);
    turn(t, true);
}

/* The application lets go; whoever is left in the table has its end in peace, or is told to. */
static void finish(struct twins *t)
{
    struct capy_stack_status status[TWINS_PEER];
    for (unsigned h = 0; h < TWINS_PEER; h++)
        if (t->end[h].conn != CAPY_HANDLE_NONE)
            (void)capy_stack_abort(t->host[h], t->end[h].conn, t->now);
    pump_twins(t);
    for (unsigned h = 0; h < TWINS_PEER; h++)
        capy_stack_status(t->host[h], &status[h]);
    fuzz_check(status[0].conn_cnt == status[1].conn_cnt, "%u connections stay, %u moved",
               status[0].conn_cnt, status[1].conn_cnt);
    for (unsigned h = 0; h < TWINS_PEER; h++)
        fuzz_check(status[h].conn_cnt > 0 || status[h].block_free == status[h].block_cnt,
                   "twin %u keeps %u blocks", h, status[h].block_cnt - status[h].block_free);
}

void twins_run(struct fuzz_bytes *b, struct twins_seen *seen)
{
    static struct twins t;
    t = (struct twins){.b = b, .seen = seen};
    start(&t);
    while (t.steps++ < STEPS_MAX && step(&t))
        if (fuzz_over(b) && t.flying_cnt == 0)
            break;
    finish(&t);
}
