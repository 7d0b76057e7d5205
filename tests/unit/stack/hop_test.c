/* Neighbours in doubt, of either version (RFC 4861 §7.3, RFC 1122 §2.3.2.1): what TCP knows of them, and
 * when they are asked for again. */
#include "pair.h"
#include "wire/nd.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { PORT = 80 };

static void open_default(struct pair *p)
{
    struct capy_stack_cfg a = pair_cfg(0), b = pair_cfg(1);
    pair_over_ipv6 = true;
    pair_open(p, &a, &b);
}

static uint32_t questions; /* solicitations and ARP requests seen */
static bool asked_all;     /* the last one went to a group, or to all */

static bool count_questions(struct pair *p, unsigned from, const uint8_t *frame, size_t len)
{
    struct capy_packet packet;
    (void)p;
    (void)from;
    assert_int_equal(capy_frame_parse(frame, len, &packet), CAPY_DROP_NONE);
    if ((packet.kind == CAPY_PACKET_ICMP6 && packet.icmp.type == CAPY_ND_SOLICIT) ||
        (packet.kind == CAPY_PACKET_ARP && packet.arp.op == CAPY_ARP_REQUEST)) {
        questions++;
        asked_all = packet.dst_mac.b[0] & 1;
    }
    return true;
}

static capy_handle connect_to_1(struct pair *p)
{
    capy_handle c;
    struct capy_ip ip = pair_ip(1);
    assert_int_equal(capy_stack_connect(p->host[0], &ip, PORT, 0, 1, &c, p->now), CAPY_OK);
    pair_run(p, CAPY_MS(5));
    return c;
}

static const struct capy_neighbour *neighbour(struct pair *p)
{
    struct capy_ip ip = pair_ip(1);
    return capy_neigh_find(&p->host[0]->neigh, &ip);
}

static void use(struct pair *p)
{
    struct capy_mac mac;
    struct capy_ip ip = pair_ip(1);
    capy_stack_expire(p->host[0], p->now);
    assert_true(capy_next_hop(p->host[0], &ip, &mac));
}

/* RFC 4861 §7.3.1, RFC 1122 §2.3.2.1 (4): while TCP makes progress no probe is sent. */
static void progress_spares_the_probe(void **state)
{
    (void)state;
    struct pair p;
    for (unsigned v = 0; v < 2; v++) {
        open_default(&p);
        pair_over_ipv6 = v;
        p.pass = count_questions;
        capy_stack_listen(p.host[1], PORT, 0);
        capy_handle c = connect_to_1(&p);
        assert_int_equal(neighbour(&p)->state, CAPY_NEIGH_REACHABLE);
        pair_run(&p, CAPY_SEC(50)); /* longer than any reachable time */
        connect_to_1(&p);           /* looks at the cache, and its SYN-ACK confirms it */
        assert_int_equal(neighbour(&p)->state, CAPY_NEIGH_REACHABLE);
        pair_run(&p, CAPY_SEC(50));
        questions = 0;
        use(&p); /* somebody does, and says nothing */
        assert_int_equal(neighbour(&p)->state, CAPY_NEIGH_DELAY);
        pair_run(&p, CAPY_SEC(4));
        assert_int_equal(capy_stack_write(p.host[0], c, (const uint8_t *)"x", 1, p.now), 1);
        pair_run(&p, CAPY_SEC(4));
        assert_int_equal(neighbour(&p)->state, CAPY_NEIGH_REACHABLE);
        assert_int_equal(questions, 0);
        pair_close(&p);
    }
}

/* RFC 4861 §7.3.3: without progress it is asked, alone, and its answer is proof. */
static void silence_is_probed(void **state)
{
    (void)state;
    struct pair p;
    for (unsigned v = 0; v < 2; v++) {
        open_default(&p);
        pair_over_ipv6 = v;
        p.pass = count_questions;
        capy_stack_listen(p.host[1], PORT, 0);
        connect_to_1(&p);
        pair_run(&p, CAPY_SEC(50));
        use(&p);
        questions = 0;
        pair_run(&p, CAPY_SEC(4));
        assert_int_equal(questions, 0);
        pair_run(&p, CAPY_SEC(2));
        assert_int_equal(questions, 1);
        assert_false(asked_all);
        assert_int_equal(neighbour(&p)->state, CAPY_NEIGH_REACHABLE);
        pair_close(&p);
    }
}

static bool nothing_passes(struct pair *p, unsigned from, const uint8_t *frame, size_t len)
{
    return count_questions(p, from, frame, len) && false;
}

/* RFC 4861 §7.3.3: a neighbour that does not answer its probes is forgotten; who sends to it then
 * asks all again, and a connection that lives loses nothing by it. */
static void the_lost_are_forgotten(void **state)
{
    (void)state;
    struct pair p;
    open_default(&p);
    capy_stack_listen(p.host[1], PORT, 0);
    capy_handle c = connect_to_1(&p);
    pair_run(&p, CAPY_SEC(50));
    use(&p);
    p.pass = nothing_passes;
    questions = 0;
    pair_run(&p, CAPY_SEC(9));
    assert_int_equal(questions, 3);
    assert_null(neighbour(&p));
    p.pass = NULL;
    assert_int_equal(capy_stack_write(p.host[0], c, (const uint8_t *)"x", 1, p.now), 1);
    pair_run(&p, CAPY_SEC(1));
    struct capy_stack_conn_info info;
    assert_int_equal(capy_stack_conn_info(p.host[0], c, &info), CAPY_OK);
    assert_int_equal(info.tcp.snd_queued, 0);
    pair_close(&p);
}

/* The peer came back with another MAC while a connection to it waits: its timeouts make it ask, and
 * it goes on (RFC 1122 §2.3.2.1: caches must not outlive their truth). */
static void timeouts_find_the_new_mac(void **state)
{
    (void)state;
    struct pair p;
    open_default(&p);
    capy_stack_listen(p.host[1], PORT, 0);
    capy_handle c = connect_to_1(&p);
    p.host[1]->cfg.mac = (struct capy_mac){{2, 0, 0, 0, 0, 0x77}};
    assert_int_equal(capy_stack_write(p.host[0], c, (const uint8_t *)"x", 1, p.now), 1);
    pair_run(&p, CAPY_SEC(30));
    struct capy_stack_conn_info info;
    assert_int_equal(capy_stack_conn_info(p.host[0], c, &info), CAPY_OK);
    assert_int_equal(info.tcp.snd_queued, 0);
    assert_true(capy_mac_eq(&neighbour(&p)->mac, &p.host[1]->cfg.mac));
    pair_close(&p);
}

/* The same while a connection is being opened. */
static void an_open_finds_the_new_mac(void **state)
{
    (void)state;
    struct pair p;
    open_default(&p);
    capy_stack_listen(p.host[1], PORT, 0);
    connect_to_1(&p);
    p.host[1]->cfg.mac = (struct capy_mac){{2, 0, 0, 0, 0, 0x77}};
    capy_handle c = connect_to_1(&p);
    pair_run(&p, CAPY_SEC(60));
    struct capy_stack_conn_info info;
    assert_int_equal(capy_stack_conn_info(p.host[0], c, &info), CAPY_OK);
    assert_int_equal(info.tcp.state, CAPY_TCP_ESTABLISHED);
    assert_true(capy_mac_eq(&neighbour(&p)->mac, &p.host[1]->cfg.mac));
    pair_close(&p);
}

static uint32_t segments, answers; /* of TCP; those of host 1 */

/* All but TCP, of which one segment does. */
static bool the_first_syn_passes(struct pair *p, unsigned from, const uint8_t *frame, size_t len)
{
    struct capy_packet packet;
    if (from == 1)
        (void)count_questions(p, from, frame, len);
    assert_int_equal(capy_frame_parse(frame, len, &packet), CAPY_DROP_NONE);
    answers += packet.kind == CAPY_PACKET_TCP && from == 1;
    return packet.kind != CAPY_PACKET_TCP || segments++ == 0;
}

/* Of those who never answer our SYN-ACK nobody is asked for: their SYNs may be forged, and the cache
 * would be full of them. */
static void half_open_connections_ask_for_nobody(void **state)
{
    (void)state;
    struct pair p;
    open_default(&p);
    capy_stack_listen(p.host[1], PORT, 0);
    p.pass = the_first_syn_passes;
    questions = segments = answers = 0;
    connect_to_1(&p);
    pair_run(&p, CAPY_SEC(40));
    assert_int_equal(questions, 0);
    assert_true(answers > 4);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progress_spares_the_probe),
        cmocka_unit_test(silence_is_probed),
        cmocka_unit_test(the_lost_are_forgotten),
        cmocka_unit_test(timeouts_find_the_new_mac),
        cmocka_unit_test(an_open_finds_the_new_mac),
        cmocka_unit_test(half_open_connections_ask_for_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
