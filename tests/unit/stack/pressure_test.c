/* Peers that make the server hold memory: who never reads, reads a byte at a time, never asks, or
 * sends crumbs beyond holes. The pool is small (2 MiB), so that a hundred of them a second could empty
 * it alone. Served clients must keep nine tenths of what they got in peace, and memory must come
 * back. */
#include "service.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define SOURCES 0x20000000u

static struct service v;

static void impatient(struct capy_stack_cfg *cfg)
{
    cfg->sit_ns = CAPY_SEC(2);
}

static int open_service(void **state)
{
    (void)state;
    service_open(&v, impatient);
    v.host[EVIL]->cfg.tcp.rcv_buf_max = 65536;
    return 0;
}

static int close_service(void **state)
{
    (void)state;
    service_close(&v);
    return 0;
}

static const struct capy_stack_counters *count(void)
{
    return capy_stack_counters(v.host[SERVER]);
}

static uint32_t blocks_free(void)
{
    return v.host[SERVER]->blocks.pool.free_cnt;
}

/* Runs the attack for ns against as much peace before it. */
static void compare(const char *name, void (*attack)(struct service *v), uint64_t ns)
{
    struct service_figures before = service_measure(&v, ns);
    v.attack = attack;
    v.blocks_least = UINT32_MAX;
    struct service_figures during = service_measure(&v, ns);
    assert_true(before.answers > 0);
    printf("%s: answers %u before, %u during (%u%%), worst %llu us; blocks free at least %u of %u; "
           "%llu reset\n",
           name, before.answers, during.answers,
           (unsigned)(100ull * during.answers / before.answers),
           (unsigned long long)during.worst_ns / 1000, v.blocks_least, SERVICE_BLOCKS,
           (unsigned long long)count()->pressure_resets);
    assert_true(10ull * during.answers >= 9ull * before.answers);
    for (unsigned i = 0; i < SERVED; i++)
        assert_false(v.client[i].closed);
}

/* The attack ends: after a while nothing of it is held. */
static void expect_memory_back(void)
{
    v.attack = NULL;
    service_run(&v, v.host[SERVER]->cfg.sit_ns + CAPY_SEC(2));
    assert_true(blocks_free() >= SERVICE_BLOCKS / 8 * 3);
}

/* A connection of the attacker's own stack, which never reads. */
static void evil_connect(struct service *w)
{
    capy_handle c;
    struct capy_ip ip = w->host[SERVER]->cfg.ip;
    (void)capy_stack_connect(w->host[EVIL], &ip, SERVICE_PORT, 0, 0, &c, w->now);
}

static void evil_asks(struct service *w, const char *what)
{
    struct capy_stack_event ev;
    while (capy_stack_event(w->host[EVIL], &ev))
        if (ev.bits & CAPY_EV_CONNECTED)
            (void)capy_stack_write(w->host[EVIL], ev.conn, (const uint8_t *)what,
                                   (uint32_t)strlen(what), w->now);
}

/* A new one each 10 ms, all the time. */
static void never_reads(struct service *w)
{
    if (w->attack_cnt++ % 1000 == 0)
        evil_connect(w);
    evil_asks(w, "B");
}

static void clients_that_never_read(void **state)
{
    (void)state;
    compare("never reading", never_reads, CAPY_SEC(4));
    assert_true(count()->pressure_resets > 0);
    expect_memory_back();
    assert_true(blocks_free() < SERVICE_BLOCKS - 100); /* and no further than to plenty */
}

/* In plenty nobody is touched, however long it sits. */
static void who_sits_while_there_is_plenty_may(void **state)
{
    (void)state;
    evil_connect(&v);
    service_run(&v, CAPY_MS(5)); /* ARP and the handshake */
    evil_asks(&v, "B");
    service_run(&v, CAPY_SEC(5));
    assert_true(blocks_free() < SERVICE_BLOCKS - 100); /* it does sit */
    assert_true(blocks_free() >= SERVICE_BLOCKS / 8 * 3);
    assert_int_equal(count()->pressure_resets, 0);
}

/* With the policy off the pool stays as full as it got; what is left over still serves. */
static void without_the_policy_small_answers_still_go(void **state)
{
    (void)state;
    v.host[SERVER]->tight = 0;
    compare("never reading, nobody reset", never_reads, CAPY_MS(500));
    assert_int_equal(count()->pressure_resets, 0);
    assert_true(v.blocks_least <= SERVICE_BLOCKS / 4); /* it was short */
}

/* An application that does not read: what piles up unread leaves a sixteenth of the pool, from
 * which others' first bytes are still taken in. */
static void unread_bytes_leave_room_for_others(void **state)
{
    (void)state;
    enum { BLOCKS = 64, FIRST_BYTES = 1000 };
    static const uint8_t bytes[FIRST_BYTES];
    struct forge f;
    struct capy_stack_cfg cfg = forge_cfg();
    cfg.block_cnt = BLOCKS;
    cfg.sit_ns = 0;
    forge_open(&f, &cfg);
    assert_int_equal(capy_stack_listen(f.s, SERVICE_PORT, 0), CAPY_OK);
    for (uint16_t i = 0; i < 2; i++) {
        struct forged c = forge_client(SOURCES + i, 1, SERVICE_PORT);
        assert_true(forge_connect(&f, &c));
        for (unsigned k = 0; k < 65; k++) /* a whole window */
            forge_say(&f, &c, CAPY_TCP_ACK, bytes, FIRST_BYTES);
    }
    assert_int_equal(f.s->blocks.pool.free_cnt, BLOCKS / 16);
    assert_true(capy_stack_counters(f.s)->tcp.no_block_drops > 0);
    struct forged c = forge_client(SOURCES + 9, 1, SERVICE_PORT);
    uint64_t drops = capy_stack_counters(f.s)->tcp.no_block_drops;
    assert_true(forge_connect(&f, &c));
    forge_say(&f, &c, CAPY_TCP_ACK, bytes, FIRST_BYTES);
    assert_int_equal(capy_stack_counters(f.s)->tcp.no_block_drops, drops);
    forge_close(&f);
}

/* ---- by hand ---- */

/* Forged clients: connection i of them asks for a big answer. */
enum { CROWD = 200 };
static struct forged crowd[CROWD];

static void crowd_connect(struct service *w, unsigned i)
{
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_packet p;
    size_t len;
    struct forged *c = &crowd[i];
    *c = forge_client(SOURCES + i, 1000, SERVICE_PORT);
    struct capy_tcp_segment syn = forge_syn(c);
    service_inject(w, c, &syn);
    c->snd_nxt = capy_seq_add(c->snd_nxt, 1);
    while ((len = capy_stack_output(w->host[SERVER], frame, w->now)) > 0)
        if (capy_frame_parse(frame, len, &p) == CAPY_DROP_NONE && p.kind == CAPY_PACKET_TCP &&
            capy_ip_eq(&p.dst, &c->ip))
            c->rcv_nxt = capy_seq_add(p.tcp.seq, 1);
        else /* somebody else's, who must not lose it */
            (void)service_put(w, CLIENTS, frame, len, w->now + SERVICE_DELAY_NS);
}

static void crowd_says(struct service *w, unsigned i, uint16_t window, uint32_t ahead,
                       const char *data)
{
    struct forged *c = &crowd[i];
    struct capy_tcp_segment seg = {.seq = capy_seq_add(c->snd_nxt, ahead),
                                   .ack = c->rcv_nxt,
                                   .window = window,
                                   .flags = CAPY_TCP_ACK,
                                   .data = (const uint8_t *)data,
                                   .data_len = (uint32_t)strlen(data)};
    service_inject(w, c, &seg);
    if (ahead == 0)
        c->snd_nxt = capy_seq_add(c->snd_nxt, seg.data_len);
}

/* Every 5 ms another client that wants much and takes three bytes at a time, acknowledging whatever
 * came each second. */
static void tiny_windows(struct service *w)
{
    uint64_t n = w->attack_cnt / 500, i = n % CROWD;
    if (w->attack_cnt++ % 500 != 0)
        return;
    if (n < CROWD) {
        crowd_connect(w, (unsigned)i);
        crowd_says(w, (unsigned)i, 3, 0, "B");
    } else if (service_server_tcb(w, &crowd[i])) {
        const struct capy_tcp *tcb = service_server_tcb(w, &crowd[i]);
        crowd[i].rcv_nxt = capy_seq_add(tcb->snd.iss, (uint32_t)tcb->snd.nxt);
        crowd_says(w, (unsigned)i, 3, 0, "");
    }
}

static void clients_with_tiny_windows(void **state)
{
    (void)state;
    compare("tiny windows", tiny_windows, CAPY_SEC(4));
    assert_true(count()->pressure_resets > 0); /* they move, but too slowly for what they hold */
    expect_memory_back();
}

/* One byte in each block of the window, never the first: all connections at once and on. */
static void crumbs(struct service *w)
{
    uint64_t n = w->attack_cnt++;
    unsigned i = (unsigned)(n % CROWD);
    if (n < CROWD)
        crowd_connect(w, i);
    else if (service_server_tcb(w, &crowd[i]))
        crowd_says(w, i, 1000, 1 + (uint32_t)(n / CROWD) * 2048u % 60000u, "r");
}

static void crumbs_beyond_holes(void **state)
{
    (void)state;
    compare("crumbs out of order", crumbs, CAPY_SEC(4));
    assert_true(v.blocks_least >= SERVICE_BLOCKS / 16);
    assert_true(count()->pressure_resets > 0);
    expect_memory_back();
}

/* Slowloris: connections that send a byte and then nothing, until the table is full. They cost a
 * slot each and nothing else. */
static void sends_a_byte_and_waits(struct service *w)
{
    if (w->attack_cnt++ % 10 == 0)
        evil_connect(w);
    evil_asks(w, "r");
}

static void idle_connections_fill_the_table(void **state)
{
    (void)state;
    compare("idle", sends_a_byte_and_waits, CAPY_MS(500));
    struct capy_stack_status st;
    capy_stack_status(v.host[SERVER], &st);
    printf("    %u of %u connections, %llu SYNs found no slot\n", st.conn_cnt, st.conn_max,
           (unsigned long long)count()->no_slot);
    assert_int_equal(st.conn_cnt, SERVICE_CONNS);
    assert_true(count()->no_slot > 0);
    assert_int_equal(count()->pressure_resets, 0);
    assert_true(v.blocks_least >= SERVICE_BLOCKS / 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_service, close_service)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(clients_that_never_read),
        TEST(who_sits_while_there_is_plenty_may),
        TEST(without_the_policy_small_answers_still_go),
        cmocka_unit_test(unread_bytes_leave_room_for_others),
        TEST(clients_with_tiny_windows),
        TEST(crumbs_beyond_holes),
        TEST(idle_connections_fill_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
