/* ARP of a whole host (RFC 826, RFC 5227): what is answered, and what the neighbour cache is told. */
#include "pair.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct capy_mac everybody = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

/* Host 1 hears this from host 0's place; true with its answer in *out. */
static bool hears(struct pair *p, const struct capy_mac *to, const struct capy_arp *arp,
                  struct capy_packet *out)
{
    uint8_t frame[CAPY_FRAME_MAX];
    capy_stack_input(p->host[1], frame, capy_arp_build(frame, to, arp), p->now);
    size_t len = capy_stack_output(p->host[1], frame, p->now);
    return len > 0 && capy_frame_parse(frame, len, out) == CAPY_DROP_NONE;
}

static void open_default(struct pair *p)
{
    struct capy_stack_cfg a = pair_cfg(0), b = pair_cfg(1);
    pair_open(p, &a, &b);
}

static struct capy_arp request(void)
{
    return (struct capy_arp){CAPY_ARP_REQUEST, pair_mac(0), {{0}}, pair_ip4(0), pair_ip4(1)};
}

static const struct capy_neighbour *asker(struct pair *p)
{
    struct capy_ip ip = pair_ip4(0);
    return capy_neigh_find(&p->host[1]->neigh, &ip);
}

static void a_request_is_answered_and_remembered(void **state)
{
    (void)state;
    struct pair p;
    struct capy_packet reply;
    struct capy_mac a = pair_mac(0), b = pair_mac(1);
    struct capy_arp ask = request();
    open_default(&p);
    assert_true(hears(&p, &everybody, &ask, &reply));
    assert_int_equal(reply.arp.op, CAPY_ARP_REPLY);
    assert_true(capy_mac_eq(&reply.arp.sender_mac, &b) && capy_mac_eq(&reply.dst_mac, &a));
    assert_true(capy_ip_eq(&reply.arp.sender_ip, &ask.target_ip));
    assert_int_equal(asker(&p)->state, CAPY_NEIGH_STALE);
    ask.target_ip = pair_ip4(7); /* somebody else's business */
    assert_false(hears(&p, &everybody, &ask, &reply));
    pair_close(&p);
}

/* RFC 5227 §2.1.1: a probe has no sender's address yet; it is answered, and claims nothing. */
static void a_probe_is_answered(void **state)
{
    (void)state;
    struct pair p;
    struct capy_packet reply;
    struct capy_arp ask = request();
    open_default(&p);
    ask.sender_ip = capy_ip_from_v4(0);
    assert_true(hears(&p, &everybody, &ask, &reply));
    assert_null(capy_neigh_find(&p.host[1]->neigh, &ask.sender_ip));
    pair_close(&p);
}

/* Somebody says that it has our address, or has a group's MAC: counted, or ignored; not believed. */
static void what_nobody_can_be_is_not_believed(void **state)
{
    (void)state;
    struct pair p;
    struct capy_packet reply;
    struct capy_arp ask = request();
    open_default(&p);
    ask.sender_ip = pair_ip4(1);
    assert_false(hears(&p, &everybody, &ask, &reply));
    assert_int_equal(capy_stack_counters(p.host[1])->address_claims, 1);
    assert_null(capy_neigh_find(&p.host[1]->neigh, &ask.sender_ip));
    ask = request();
    ask.sender_mac.b[0] |= 1;
    assert_false(hears(&p, &everybody, &ask, &reply));
    assert_null(asker(&p));
    pair_close(&p);
}

/* As RFC 4861 §7.2.5 has it for advertisements: only an answer to us is proof that it hears us; one
 * to all tells where it is, if we knew of it at all. */
static void an_answer_to_all_is_no_proof(void **state)
{
    (void)state;
    struct pair p;
    struct capy_packet reply;
    struct capy_ip ip = pair_ip4(0);
    struct capy_arp told = {CAPY_ARP_REPLY, pair_mac(0), everybody, ip, ip};
    open_default(&p);
    assert_false(hears(&p, &everybody, &told, &reply));
    assert_null(asker(&p));
    assert_non_null(capy_neigh_use(&p.host[1]->neigh, &ip, p.now));
    (void)hears(&p, &everybody, &told, &reply);
    assert_int_equal(asker(&p)->state, CAPY_NEIGH_STALE);
    told.target_mac = pair_mac(1);
    (void)hears(&p, &told.target_mac, &told, &reply);
    assert_int_equal(asker(&p)->state, CAPY_NEIGH_REACHABLE);
    told.sender_mac = pair_mac(5);
    told.target_mac = everybody;
    (void)hears(&p, &everybody, &told, &reply); /* it moved */
    assert_int_equal(asker(&p)->state, CAPY_NEIGH_STALE);
    assert_true(capy_mac_eq(&asker(&p)->mac, &told.sender_mac));
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered_and_remembered),
        cmocka_unit_test(a_probe_is_answered),
        cmocka_unit_test(what_nobody_can_be_is_not_believed),
        cmocka_unit_test(an_answer_to_all_is_no_proof),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
