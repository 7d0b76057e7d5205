/* A host whose connections are another TCP's (stack/foreign.h), that one being a few numbers here: what it is
 * asked and when, and that moves to a host of our own TCP and back carry what they must. */
#include "forge_move.h"

enum { OURS = 0, FOREIGN = 1, BOOT = 7, ROOM = 4096 };
#define CLIENT 0x0a0000c8u
#define CLIENT_PORT 5000

/* The other TCP: of one connection what it was told, and what it was asked. */
struct other {
    uint32_t conn; /* CAPY_NONE: none */
    bool stopped, cannot_tell, cannot_begin, full;
    uint8_t sent[256];
    uint32_t sent_len;
    struct capy_tcp_foreign begun;
    uint8_t begun_snd[256];
    struct capy_tuple name;
    unsigned listened, vips, stops, gos, gone, resets, closes, injected, consumed;
};

static struct other other;
static uint8_t room[ROOM];
static capy_handle conn;

static int op_listen(void *ctx, uint16_t port)
{
    struct other *x = ctx;
    x->listened = port;
    return port == 81 ? CAPY_E_INUSE : CAPY_OK;
}

static void op_pause(void *ctx, uint16_t port, bool paused)
{
    (void)ctx, (void)port, (void)paused;
}

static void op_unlisten(void *ctx, uint16_t port)
{
    (void)port;
    ((struct other *)ctx)->listened = 0;
}

static int64_t op_write(void *ctx, uint32_t c, const uint8_t *data, uint32_t len, bool more)
{
    struct other *x = ctx;
    (void)more;
    assert_int_equal(c, x->conn);
    if (x->full)
        len /= 2;
    memcpy(x->sent + x->sent_len, data, len);
    x->sent_len += len;
    return len;
}

static void op_consumed(void *ctx, uint32_t c)
{
    struct other *x = ctx;
    assert_int_equal(c, x->conn);
    x->consumed++;
}

static void op_open_vip(void *ctx)
{
    ((struct other *)ctx)->vips++;
}

static void op_set(void *ctx, uint32_t c, enum capy_option option, uint64_t value)
{
    (void)ctx, (void)c, (void)option, (void)value;
}

static void op_close(void *ctx, uint32_t c)
{
    (void)c;
    ((struct other *)ctx)->closes++;
}

static void op_reset(void *ctx, uint32_t c)
{
    (void)c;
    ((struct other *)ctx)->resets++;
}

static void op_gone(void *ctx, uint32_t c)
{
    struct other *x = ctx;
    if (c == x->conn) {
        x->gone++;
        x->conn = CAPY_NONE;
    }
}

static void op_stop(void *ctx, uint32_t c)
{
    struct other *x = ctx;
    assert_int_equal(c, x->conn);
    assert_false(x->stopped);
    x->stopped = true;
    x->stops++;
}

static void op_go_on(void *ctx, uint32_t c)
{
    struct other *x = ctx;
    assert_int_equal(c, x->conn);
    assert_true(x->stopped);
    x->stopped = false;
    x->gos++;
}

/* All that was written is in its queue, the last two bytes never sent. */
static bool op_tell(void *ctx, uint32_t c, struct capy_tcp_foreign *f, const uint8_t **snd)
{
    struct other *x = ctx;
    assert_int_equal(c, x->conn);
    assert_true(x->stopped);
    *snd = x->sent;
    *f = (struct capy_tcp_foreign){.snd_end = {9000},
                                   .snd_queued = x->sent_len,
                                   .snd_unsent = x->sent_len > 2 ? 2 : 0,
                                   .rcv_nxt = {5},
                                   .rcv_wup = {5},
                                   .snd_wl1 = {5},
                                   .rcv_wnd = 60000,
                                   .snd_wnd = 60000,
                                   .snd_wnd_max = 60000,
                                   .mss = 1460};
    return !x->cannot_tell;
}

static bool op_begin(void *ctx, uint32_t c, const struct capy_tuple *name,
                     const struct capy_tcp_foreign *f, const uint8_t *snd)
{
    struct other *x = ctx;
    if (x->cannot_begin)
        return false;
    x->conn = c;
    x->name = *name;
    x->begun = *f;
    memcpy(x->begun_snd, snd, f->snd_queued);
    return true;
}

static void op_inject(void *ctx, const uint8_t *frame, size_t len)
{
    struct other *x = ctx;
    struct capy_packet p;
    assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
    x->injected++;
}

static const struct capy_foreign_ops ops = {
    op_listen, op_open_vip, op_pause, op_unlisten, op_write, op_consumed, op_set,   op_close,
    op_reset,  op_gone,     op_stop,  op_go_on,    op_tell,  op_begin,    op_inject};

/* ---- the rack: o is our TCP, t the other one ---- */

static int open_rack(void **state)
{
    (void)state;
    struct capy_stack_cfg cfg = forge_rack_cfg(FOREIGN);
    other = (struct other){.conn = CAPY_NONE};
    forge_rack_ready(&o, OURS);
    forge_open(&t, &cfg);
    capy_stack_set_foreign(t.s, &ops, &other, room, sizeof room);
    assert_int_equal(capy_stack_listen(t.s, FORGE_PORT, 0), CAPY_OK);
    forge_pass(&t, CAPY_MIG_QUIET_NS);
    forge_rack_beat(&t, BOOT);
    forge_drain(&t);
    return 0;
}

static int close_rack(void **state)
{
    (void)state;
    forge_close(&o);
    forge_close(&t);
    return 0;
}

/* A client opens one at the foreign host. */
static void open_foreign(void)
{
    struct capy_ip client = capy_ip_from_v4(CLIENT);
    other.conn = capy_foreign_opened(t.s, &client, CLIENT_PORT, FORGE_PORT);
    assert_int_not_equal(other.conn, CAPY_NONE);
    assert_true(take_events(&t, &conn) & CAPY_EV_ACCEPTED);
}

static void grant(struct forge *from, struct forge *to)
{
    uint16_t target = from == &o ? FOREIGN : OURS;
    assert_int_equal(capy_stack_migrate(from->s, conn, target, from->now), CAPY_OK);
    hear(from, CAPY_MIG_PREPARE_MIG);
    pass(to, CAPY_VERDICT_OK, CAPY_PHASE_NONE, CAPY_SERVER_ANY, 0);
    hear(to, CAPY_MIG_PREPARE_MIG_ACK);
    pass(from, CAPY_VERDICT_OK, CAPY_PHASE_PENDING, target, msg.epoch);
    assert_true(take_events(from, &conn) & CAPY_EV_MIGRATE_ASK);
}

static void release(struct forge *from)
{
    assert_int_equal(capy_stack_release(from->s, conn, NULL, 0, 0, from->now), CAPY_OK);
    hear(from, CAPY_MIG_CONN_STATE);
}

/* ---- what an application sees ---- */

static void bytes_go_both_ways(void **state)
{
    (void)state;
    bool fin;
    open_foreign();
    uint32_t was = capy_foreign_wanted(t.s, other.conn);
    capy_foreign_received(t.s, other.conn, (const uint8_t *)"hello", 5);
    assert_int_equal(capy_foreign_wanted(t.s, other.conn), was - 5);
    assert_true(take_events(&t, &conn) & CAPY_EV_READABLE);
    assert_int_equal(capy_stack_readable(t.s, conn, &fin), 5);
    assert_false(fin);
    assert_int_equal(capy_stack_consume(t.s, conn, 5, t.now), CAPY_OK);
    assert_int_equal(other.consumed, 1);
    other.full = true;
    assert_int_equal(capy_stack_write(t.s, conn, (const uint8_t *)"answer", 6, t.now), 3);
    capy_foreign_room(t.s, other.conn);
    assert_true(take_events(&t, &conn) & CAPY_EV_WRITABLE);
    capy_foreign_room(t.s, other.conn); /* nobody waits any more */
    assert_int_equal(take_events(&t, &conn), 0);
    capy_foreign_fin(t.s, other.conn);
    assert_true(take_events(&t, &conn) & CAPY_EV_READABLE);
    assert_int_equal(capy_stack_readable(t.s, conn, &fin), 0);
    assert_true(fin);
    struct capy_packet p; /* of all this our TCP says nothing */
    assert_false(forge_hear(&t, &p));
}

static void it_ends_as_the_application_wants(void **state)
{
    (void)state;
    open_foreign();
    assert_int_equal(capy_stack_close(t.s, conn, t.now), CAPY_OK);
    assert_int_equal(other.closes, 1);
    assert_int_equal(other.resets, 0);
    capy_foreign_ended(t.s, other.conn, CAPY_EV_FINISHED);
    assert_int_equal(take_events(&t, &conn), 0); /* it had let go */
    open_foreign();
    capy_foreign_received(t.s, other.conn, (const uint8_t *)"unread", 6);
    assert_int_equal(capy_stack_close(t.s, conn, t.now), CAPY_OK);
    assert_int_equal(other.resets, 1);
    assert_int_equal(t.s->conn_pool.free_cnt, t.s->cfg.conn_max);
    open_foreign();
    assert_int_equal(capy_stack_abort(t.s, conn, t.now), CAPY_OK);
    assert_int_equal(other.resets, 2);
    open_foreign();
    capy_foreign_ended(t.s, other.conn, CAPY_EV_RESET);
    assert_true(take_events(&t, &conn) & CAPY_EV_RESET);
    assert_int_equal(t.s->conn_pool.free_cnt, t.s->cfg.conn_max);
    assert_int_equal(t.s->blocks.pool.free_cnt, t.s->blocks.pool.cnt);
}

static void a_client_that_begins_anew_gets_its_connection(void **state)
{
    (void)state;
    open_foreign();
    uint32_t old = other.conn;
    struct capy_ip client = capy_ip_from_v4(CLIENT);
    uint32_t now = capy_foreign_opened(t.s, &client, CLIENT_PORT, FORGE_PORT);
    assert_int_not_equal(now, CAPY_NONE);
    assert_int_not_equal(now, old);
    assert_int_equal(other.gone, 1);
    assert_true(take_events(&t, &conn) & CAPY_EV_FINISHED);
}

/* Connections of the service address, only after the quiet time: switches may take the host for its former
 * life until then. A SYN that came before the other TCP listened is nobody's. */
static void it_is_told_when_the_service_address_is_open(void **state)
{
    (void)state;
    struct capy_packet p;
    struct capy_stack_cfg cfg = forge_rack_cfg(FOREIGN);
    struct forged c = forge_client(CLIENT, CLIENT_PORT, FORGE_PORT);
    struct capy_tcp_segment syn = forge_syn(&c);
    assert_int_equal(other.vips, 1);
    forge_inject(&t, &c, &syn);
    assert_false(forge_answer(&t, &c, &p));
    forge_close(&t);
    other.vips = 0;
    forge_open(&t, &cfg);
    capy_stack_set_foreign(t.s, &ops, &other, room, sizeof room);
    forge_rack_beat(&t, BOOT);
    forge_pass(&t, CAPY_MIG_QUIET_NS - 1);
    forge_rack_beat(&t, BOOT);
    assert_int_equal(other.vips, 0);
    forge_pass(&t, 1);
    assert_int_equal(other.vips, 0); /* a switch that is not there takes us for dead */
    forge_rack_beat(&t, BOOT);
    assert_int_equal(other.vips, 1);
}

static void what_the_other_cannot_is_refused(void **state)
{
    (void)state;
    capy_handle h;
    struct capy_ip ip = capy_ip_from_v4(CLIENT), none = capy_ip_from_v4(CLIENT + 1);
    assert_int_equal(capy_stack_listen(t.s, 81, 0), CAPY_E_INUSE);
    assert_int_equal(capy_foreign_opened(t.s, &none, 1, 82), CAPY_NONE); /* nobody listens */
    assert_int_equal(capy_stack_connect(t.s, &ip, 9, 0, 0, &h, t.now), CAPY_E_STATE);
    assert_int_equal(capy_stack_unlisten(t.s, FORGE_PORT), CAPY_OK);
    assert_int_equal(other.listened, 0);
}

/* ---- moves ---- */

static void it_moves_to_our_tcp(void **state)
{
    (void)state;
    bool fin;
    open_foreign();
    capy_foreign_received(t.s, other.conn, (const uint8_t *)"unread", 6);
    capy_stack_write(t.s, conn, (const uint8_t *)"0123456789", 10, t.now);
    grant(&t, &o);
    assert_int_equal(other.stops, 0); /* it serves until it is released */
    release(&t);
    assert_int_equal(other.stops, 1);
    pass(&o, CAPY_VERDICT_OK, CAPY_PHASE_SETTLED, OURS, msg.epoch);
    capy_handle here = CAPY_HANDLE_NONE;
    assert_true(take_events(&o, &here) & CAPY_EV_MIGRATED_IN);
    hear(&o, CAPY_MIG_CONN_STATE_ACK);
    pass(&t, CAPY_VERDICT_OK, CAPY_PHASE_SETTLED, OURS, msg.epoch);
    assert_true(take_events(&t, &conn) & CAPY_EV_MIGRATED_OUT);
    assert_int_equal(other.gone, 1);
    assert_int_equal(other.resets + other.closes + other.gos, 0); /* without a word */
    assert_int_equal(capy_stack_readable(o.s, here, &fin), 6);
    struct capy_stack_conn_info info;
    assert_int_equal(capy_stack_conn_info(o.s, here, &info), CAPY_OK);
    assert_int_equal(info.tcp.snd_queued, 10);
    assert_int_equal(info.tcp.in_flight, 8);
    struct capy_packet p;
    struct forged client = forge_client(CLIENT, CLIENT_PORT, info.local_port);
    client.snd_nxt = (struct capy_seq){5};
    client.rcv_nxt = (struct capy_seq){9000 - 2};
    forge_say(&o, &client, CAPY_TCP_ACK, "more", 4);
    assert_true(forge_answer(&o, &client, &p));
    assert_int_equal(p.tcp.seq.v, 9000 - 2);
    assert_int_equal(p.tcp.data_len, 2);
    assert_memory_equal(p.tcp.data, "89", 2);
    assert_int_equal(capy_stack_readable(o.s, here, &fin), 10);
}

/* A kernel does not tell it, and nobody is sent anything before it is known. */
static void the_next_hop_is_asked_for(void **state)
{
    (void)state;
    struct capy_packet p;
    capy_handle here = CAPY_HANDLE_NONE;
    open_foreign();
    grant(&t, &o);
    release(&t);
    pass(&o, CAPY_VERDICT_OK, CAPY_PHASE_SETTLED, OURS, msg.epoch);
    assert_true(take_events(&o, &here) & CAPY_EV_MIGRATED_IN);
    assert_int_equal(capy_stack_write(o.s, here, (const uint8_t *)"x", 1, o.now), 1);
    unsigned asked = 0;
    while (forge_hear(&o, &p)) {
        assert_int_not_equal(p.kind, CAPY_PACKET_TCP);
        asked += p.kind == CAPY_PACKET_ARP;
    }
    assert_int_equal(asked, 1);
}

static void it_comes_from_our_tcp(void **state)
{
    (void)state;
    bool fin;
    struct forged client = forge_client(CLIENT, CLIENT_PORT, FORGE_PORT);
    struct capy_packet p;
    assert_true(forge_connect(&o, &client));
    take_events(&o, &conn);
    forge_say(&o, &client, CAPY_TCP_ACK, "unread", 6);
    capy_stack_write(o.s, conn, (const uint8_t *)"answer", 6, o.now);
    assert_true(forge_answer(&o, &client, &p));
    struct capy_seq una = p.tcp.seq;
    grant(&o, &t);
    struct forged moved = client;
    moved.to_port = msg.target_port;
    forge_say(&t, &moved, CAPY_TCP_ACK, "early", 5); /* held */
    assert_int_equal(other.injected, 0);
    release(&o);
    pass(&t, CAPY_VERDICT_OK, CAPY_PHASE_SETTLED, FOREIGN, msg.epoch);
    assert_true(take_events(&t, &conn) & CAPY_EV_MIGRATED_IN);
    assert_int_equal(other.injected, 1); /* the other TCP's, now that it is there */
    assert_int_equal(other.begun.snd_queued, 6);
    assert_int_equal(other.begun.snd_unsent, 0);
    assert_int_equal(other.begun.snd_end.v, una.v + 6);
    assert_int_equal(other.begun.rcv_nxt.v, client.snd_nxt.v);
    assert_memory_equal(other.begun_snd, "answer", 6);
    assert_int_equal(other.name.local_port, moved.to_port);
    assert_int_equal(other.name.remote_port, CLIENT_PORT);
    assert_int_equal(capy_stack_readable(t.s, conn, &fin), 6);
    hear(&t, CAPY_MIG_CONN_STATE_ACK);
    assert_int_equal(msg.offset, msg.total);
}

static void what_it_cannot_begin_goes_back(void **state)
{
    (void)state;
    struct forged client = forge_client(CLIENT, CLIENT_PORT, FORGE_PORT);
    assert_true(forge_connect(&o, &client));
    take_events(&o, &conn);
    forge_say(&o, &client, CAPY_TCP_ACK, "unread", 6);
    forge_drain(&o);
    other.cannot_begin = true;
    grant(&o, &t);
    release(&o);
    pass(&t, CAPY_VERDICT_OK, CAPY_PHASE_SETTLED, FOREIGN, msg.epoch);
    assert_int_equal(take_events(&t, &conn), 0);
    hear(&t, CAPY_MIG_NACK);
    assert_int_equal(msg.reason, CAPY_REASON_BAD_STATE);
    pass(&t, CAPY_VERDICT_OK, CAPY_PHASE_SETTLED, OURS, msg.epoch + 1);
    forge_drain(&t);
    assert_int_equal(t.s->conn_pool.free_cnt, t.s->cfg.conn_max);
    assert_int_equal(t.s->blocks.pool.free_cnt, t.s->blocks.pool.cnt);
}

static void a_move_that_is_refused_lets_it_go_on(void **state)
{
    (void)state;
    open_foreign();
    capy_stack_write(t.s, conn, (const uint8_t *)"0123456789", 10, t.now);
    grant(&t, &o);
    release(&t);
    struct capy_mig_msg state_msg = msg;
    msg.type = CAPY_MIG_NACK;
    msg.reason = CAPY_REASON_FULL;
    msg.total = msg.offset = msg.length = 0;
    pass(&t, CAPY_VERDICT_OK, CAPY_PHASE_SETTLED, FOREIGN, state_msg.epoch + 1);
    assert_true(take_events(&t, &conn) & CAPY_EV_MIGRATE_KEPT);
    assert_int_equal(other.gos, 1);
    assert_false(other.stopped);
    assert_int_equal(t.s->blocks.pool.free_cnt, t.s->blocks.pool.cnt); /* no copy is left */
    assert_int_equal(capy_stack_write(t.s, conn, (const uint8_t *)"x", 1, t.now), 1);
}

static void one_that_cannot_be_told_stays(void **state)
{
    (void)state;
    open_foreign();
    other.cannot_tell = true;
    grant(&t, &o);
    assert_int_equal(capy_stack_release(t.s, conn, NULL, 0, 0, t.now), CAPY_E_STATE);
    assert_int_equal(other.gos, 1);
    hear(&t, CAPY_MIG_CANCEL); /* as after a veto */
}

static void half_closed_ones_stay(void **state)
{
    (void)state;
    open_foreign();
    grant(&t, &o);
    capy_foreign_fin(t.s, other.conn);
    assert_int_equal(capy_stack_release(t.s, conn, NULL, 0, 0, t.now), CAPY_E_STATE);
    assert_false(other.stopped);
}

/* Silent for longer than a lease allows, it may run elsewhere: it stands still. */
static void without_a_lease_it_stands_still(void **state)
{
    (void)state;
    struct forged client = forge_client(CLIENT, CLIENT_PORT, FORGE_PORT);
    assert_true(forge_connect(&o, &client));
    take_events(&o, &conn);
    grant(&o, &t);
    release(&o);
    pass(&t, CAPY_VERDICT_OK, CAPY_PHASE_SETTLED, FOREIGN, msg.epoch);
    take_events(&t, &conn);
    forge_drain(&t);
    forge_pass(&t, CAPY_SEC(9)); /* eight leases of a second */
    assert_true(other.stopped);
    forge_rack_beat(&t, BOOT);
    forge_pass(&t, CAPY_MS(20));
    hear(&t, CAPY_MIG_ANNOUNCE);
    pass(&t, CAPY_VERDICT_OK, CAPY_PHASE_SETTLED, FOREIGN, msg.epoch);
    assert_false(other.stopped);
    assert_true(take_events(&t, &conn) & CAPY_EV_READABLE);
}

#define IN_RACK(name) cmocka_unit_test_setup_teardown(name, open_rack, close_rack)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_RACK(bytes_go_both_ways),
        IN_RACK(it_ends_as_the_application_wants),
        IN_RACK(a_client_that_begins_anew_gets_its_connection),
        IN_RACK(it_is_told_when_the_service_address_is_open),
        IN_RACK(what_the_other_cannot_is_refused),
        IN_RACK(it_moves_to_our_tcp),
        IN_RACK(the_next_hop_is_asked_for),
        IN_RACK(it_comes_from_our_tcp),
        IN_RACK(what_it_cannot_begin_goes_back),
        IN_RACK(a_move_that_is_refused_lets_it_go_on),
        IN_RACK(one_that_cannot_be_told_stays),
        IN_RACK(half_closed_ones_stay),
        IN_RACK(without_a_lease_it_stands_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
