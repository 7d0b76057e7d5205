/* Neighbour discovery and ICMPv6 of a whole host (RFC 4861, RFC 4443, RFC 4291): what is answered,
 * what is believed, and what is asked (neighbours in doubt: hop_test.c). */
#include "pair.h"
#include "wire/addr6.h"
#include "wire/ipv6.h"
#include "wire/nd.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { PORT = 80 };

static struct capy_ip ip6(const char *text)
{
    struct capy_ip ip;
    assert_int_equal(capy_ip_parse(text, &ip), 0);
    return ip;
}

static void open_default(struct pair *p)
{
    struct capy_stack_cfg a = pair_cfg(0), b = pair_cfg(1);
    pair_over_ipv6 = true;
    pair_open(p, &a, &b);
}

static const struct capy_stack_counters *counters(struct pair *p, unsigned host)
{
    return capy_stack_counters(p->host[host]);
}

/* ---- one message to host 1, and what it says ---- */

/* A solicitation as host 0 would send it for target. */
static struct capy_nd solicit(struct capy_ip target)
{
    return (struct capy_nd){
        .type = CAPY_ND_SOLICIT, .has_mac = true, .target = target, .mac = pair_mac(0)};
}

static struct capy_frame_to to_group_of(struct capy_ip target)
{
    struct capy_ip group = capy_ip_solicited_node(&target);
    return (struct capy_frame_to){.dst_mac = capy_mac_of_group(&group),
                                  .src_mac = pair_mac(0),
                                  .src = pair_ip6(0),
                                  .dst = group};
}

static void feed(struct pair *p, const struct capy_frame_to *to, const struct capy_nd *nd)
{
    uint8_t frame[CAPY_FRAME_MAX];
    capy_stack_input(p->host[1], frame, capy_nd_build(frame, to, nd), p->now);
}

/* The one frame that host 1 has to send. */
static bool says(struct pair *p, struct capy_packet *out)
{
    static uint8_t frame[CAPY_FRAME_MAX]; /* *out points into it */
    size_t len = capy_stack_output(p->host[1], frame, p->now);
    if (len == 0)
        return false;
    assert_int_equal(capy_frame_parse(frame, len, out), CAPY_DROP_NONE);
    return true;
}

static bool says_nd(struct pair *p, struct capy_packet *packet, struct capy_nd *nd)
{
    if (!says(p, packet))
        return false;
    assert_int_equal(packet->kind, CAPY_PACKET_ICMP6);
    assert_true(capy_nd_parse(packet, nd));
    return true;
}

/* RFC 4861 §7.2.4: for both of its addresses, asked by their group or by themselves. */
static void solicitations_are_answered(void **state)
{
    (void)state;
    struct pair p;
    struct capy_packet packet;
    struct capy_nd nd;
    struct capy_mac self = pair_mac(1), asker = pair_mac(0);
    const struct capy_ip local = capy_ip_link_local(&self);
    const struct capy_ip target[] = {pair_ip6(1), local};
    open_default(&p);
    for (unsigned i = 0; i < 4; i++) {
        struct capy_nd ask = solicit(target[i / 2]);
        struct capy_frame_to to = to_group_of(target[i / 2]);
        if (i % 2) { /* a probe of unreachability detection comes to the address itself */
            to.dst = target[i / 2];
            to.dst_mac = self;
        }
        feed(&p, &to, &ask);
        assert_true(says_nd(&p, &packet, &nd));
        assert_int_equal(nd.type, CAPY_ND_ADVERT);
        assert_true(nd.solicited && nd.override && !nd.router && nd.has_mac);
        assert_true(capy_mac_eq(&nd.mac, &self) && capy_ip_eq(&nd.target, &target[i / 2]));
        assert_true(capy_ip_eq(&packet.src, &target[i / 2]));
        assert_true(capy_ip_eq(&packet.dst, &to.src));
        assert_true(capy_mac_eq(&packet.dst_mac, &asker));
        assert_false(says(&p, &packet));
    }
    struct capy_ip asker_ip = pair_ip6(0);
    const struct capy_neighbour *e = capy_neigh_find(&p.host[1]->neigh, &asker_ip);
    assert_int_equal(e->state, CAPY_NEIGH_STALE); /* RFC 4861 §7.2.3 */
    pair_close(&p);
}

/* Not for others' addresses, nor what §7.1.1 forbids, nor over the wrong group. */
static void other_solicitations_are_not(void **state)
{
    (void)state;
    struct pair p;
    struct capy_packet packet;
    struct capy_ip self = pair_ip6(1), other = pair_ip6(7);
    open_default(&p);
    struct capy_nd ask = solicit(other);
    struct capy_frame_to to = to_group_of(self);
    feed(&p, &to, &ask); /* the right group, another's address */
    to = to_group_of(other);
    ask = solicit(self);
    feed(&p, &to, &ask); /* a group that we are not in */
    assert_int_equal(counters(&p, 1)->not_ours, 1);
    uint8_t frame[CAPY_FRAME_MAX];
    to = to_group_of(self);
    size_t len = capy_nd_build(frame, &to, &ask);
    frame[CAPY_ETHER_LEN + 7] = 254; /* from beyond our link */
    capy_stack_input(p.host[1], frame, len, p.now);
    assert_int_equal(counters(&p, 1)->nd_bad, 1);
    to.src = self; /* from ourselves */
    feed(&p, &to, &ask);
    assert_int_equal(counters(&p, 1)->not_ours, 2);
    assert_false(says(&p, &packet));
    struct capy_ip asker = pair_ip6(0);
    assert_null(capy_neigh_find(&p.host[1]->neigh, &asker));
    pair_close(&p);
}

/* RFC 4861 §7.2.4, RFC 4862 §5.4.3: who asks whether our address is free is told before all. */
static void a_duplicate_is_told(void **state)
{
    (void)state;
    struct pair p;
    struct capy_packet packet;
    struct capy_nd nd, ask = solicit(pair_ip6(1));
    struct capy_ip all = capy_ip_all_nodes();
    struct capy_mac all_mac = capy_mac_of_group(&all);
    open_default(&p);
    struct capy_frame_to to = to_group_of(pair_ip6(1));
    to.src = ip6("::");
    ask.has_mac = false;
    feed(&p, &to, &ask);
    assert_true(says_nd(&p, &packet, &nd));
    assert_true(!nd.solicited && nd.override && nd.has_mac);
    assert_true(capy_ip_eq(&packet.dst, &all) && capy_mac_eq(&packet.dst_mac, &all_mac));
    assert_int_equal(counters(&p, 1)->address_claims, 1);
    pair_close(&p);
}

/* Somebody advertises our address: counted, not believed. */
static void a_claim_to_our_address_is_counted(void **state)
{
    (void)state;
    struct pair p;
    open_default(&p);
    struct capy_nd claim = {.type = CAPY_ND_ADVERT,
                            .override = true,
                            .has_mac = true,
                            .target = pair_ip6(1),
                            .mac = pair_mac(0)};
    struct capy_ip all = capy_ip_all_nodes(), self = pair_ip6(1);
    struct capy_frame_to to = {
        .dst_mac = capy_mac_of_group(&all), .src_mac = pair_mac(0), .src = pair_ip6(0), .dst = all};
    feed(&p, &to, &claim);
    assert_int_equal(counters(&p, 1)->address_claims, 1);
    assert_null(capy_neigh_find(&p.host[1]->neigh, &self));
    pair_close(&p);
}

/* ---- what is asked ---- */

/* RFC 4861 §7.2.2: from our address of the same scope, to the group, with our MAC, hop limit 255. */
static void questions_go_to_the_group(void **state)
{
    (void)state;
    struct pair p;
    struct capy_packet packet;
    struct capy_nd nd;
    capy_handle c;
    struct capy_mac self = pair_mac(1);
    const struct capy_ip peers[] = {pair_ip6(7), ip6("fe80::7")};
    const struct capy_ip from[] = {pair_ip6(1), capy_ip_link_local(&self)};
    open_default(&p);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(capy_stack_connect(p.host[1], &peers[i], PORT, 0, 1, &c, p.now), CAPY_OK);
        assert_true(says_nd(&p, &packet, &nd));
        struct capy_ip group = capy_ip_solicited_node(&peers[i]);
        struct capy_mac mac = capy_mac_of_group(&group);
        assert_int_equal(nd.type, CAPY_ND_SOLICIT);
        assert_true(capy_ip_eq(&nd.target, &peers[i]) && capy_ip_eq(&packet.dst, &group));
        assert_true(capy_mac_eq(&packet.dst_mac, &mac) && capy_ip_eq(&packet.src, &from[i]));
        assert_true(nd.has_mac && capy_mac_eq(&nd.mac, &self));
    }
    pair_close(&p);
}

/* RFC 4861 §5.2: beyond our prefix the gateway is the next hop; link-local is always on the link. */
static void beyond_the_prefix_the_gateway_is_asked_for(void **state)
{
    (void)state;
    struct pair p;
    struct capy_packet packet;
    struct capy_nd nd;
    capy_handle c;
    struct capy_stack_cfg a = pair_cfg(0), b = pair_cfg(1);
    b.gateway6 = ip6("fe80::1");
    pair_open(&p, &a, &b);
    struct capy_ip far = ip6("2001:db8:0:1::1");
    assert_int_equal(capy_stack_connect(p.host[1], &far, PORT, 0, 1, &c, p.now), CAPY_OK);
    assert_true(says_nd(&p, &packet, &nd));
    assert_true(capy_ip_eq(&nd.target, &b.gateway6));
    struct capy_ip near = ip6("fe80::7");
    assert_int_equal(capy_stack_connect(p.host[1], &near, PORT, 0, 1, &c, p.now), CAPY_OK);
    assert_true(says_nd(&p, &packet, &nd));
    assert_true(capy_ip_eq(&nd.target, &near));
    pair_close(&p);
}

/* RFC 4291 §2.5.2, §2.5.3, §2.7; RFC 9293 MUST-46. */
static void nobody_is_connected_to(void **state)
{
    (void)state;
    struct pair p;
    capy_handle c;
    open_default(&p);
    const char *nobody[] = {"::", "::1", "ff02::1", "ff0e::1234", "127.0.0.1", "224.0.0.1"};
    for (unsigned i = 0; i < 6; i++) {
        struct capy_ip ip = ip6(nobody[i]);
        assert_int_equal(capy_stack_connect(p.host[1], &ip, PORT, 0, 1, &c, p.now), CAPY_E_INVAL);
    }
    pair_close(&p);
}

/* ---- ICMPv6 ---- */

static capy_handle connect_to_1(struct pair *p)
{
    capy_handle c;
    struct capy_ip ip = pair_ip(1);
    assert_int_equal(capy_stack_connect(p->host[0], &ip, PORT, 0, 1, &c, p->now), CAPY_OK);
    pair_run(p, CAPY_MS(5));
    return c;
}

static size_t echo_to(uint8_t *frame, struct capy_ip dst, struct capy_mac dst_mac)
{
    static const uint8_t echo[] = {128, 0, 0, 0, 0x12, 0x34, 0, 1, 'c', 'a', 'p', 'y'};
    struct capy_frame_to to = {
        .dst_mac = dst_mac, .src_mac = pair_mac(0), .src = pair_ip6(0), .dst = dst};
    memcpy(frame + CAPY_ICMP6_AT, echo, sizeof echo);
    return capy_frame_build_icmp6(frame, &to, sizeof echo);
}

/* Both addresses answer; a group does not, and a stranger's MAC or address is not ours. */
static void echo_is_answered_by_who_is_meant(void **state)
{
    (void)state;
    struct pair p;
    struct capy_packet packet;
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_ip all = capy_ip_all_nodes();
    struct capy_mac self = pair_mac(1);
    struct capy_ip local = capy_ip_link_local(&self);
    open_default(&p);
    capy_stack_input(p.host[1], frame, echo_to(frame, local, self), p.now);
    assert_true(says(&p, &packet));
    assert_true(packet.icmp.type == 129 && capy_ip_eq(&packet.src, &local));
    capy_stack_input(p.host[1], frame, echo_to(frame, pair_ip6(1), self), p.now);
    assert_true(says(&p, &packet));
    capy_stack_input(p.host[1], frame, echo_to(frame, all, capy_mac_of_group(&all)), p.now);
    assert_false(says(&p, &packet));
    capy_stack_input(p.host[1], frame, echo_to(frame, pair_ip6(5), self), p.now);
    capy_stack_input(p.host[1], frame, echo_to(frame, pair_ip6(1), pair_mac(5)), p.now);
    assert_false(says(&p, &packet));
    assert_int_equal(counters(&p, 1)->not_ours, 2);
    pair_close(&p);
}

/* RFC 4291 §2.5.6 aside, TCP has one address of a version: the link-local one has none. */
static void tcp_to_the_link_local_address_is_not_ours(void **state)
{
    (void)state;
    struct pair p;
    struct capy_packet packet;
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_mac self = pair_mac(1);
    open_default(&p);
    struct capy_tcp_segment syn = {.flags = CAPY_TCP_SYN, .window = 1000};
    struct capy_frame_to to = {.dst_mac = self,
                               .src_mac = pair_mac(0),
                               .src = pair_ip6(0),
                               .dst = capy_ip_link_local(&self),
                               .src_port = 1,
                               .dst_port = PORT};
    capy_stack_input(p.host[1], frame, capy_frame_build_tcp(frame, &to, &syn), p.now);
    assert_int_equal(counters(&p, 1)->not_ours, 1);
    assert_false(says(&p, &packet));
    pair_close(&p);
}

/* RFC 8200 §4, RFC 4443 §3.4: an unknown next header is answered; §2.4 (f): not every one. */
static void parameter_problems_are_told_now_and_then(void **state)
{
    (void)state;
    struct pair p;
    struct capy_packet packet;
    uint8_t frame[CAPY_FRAME_MAX];
    open_default(&p);
    size_t len = echo_to(frame, pair_ip6(1), pair_mac(1));
    frame[CAPY_ETHER_LEN + 6] = 253;
    for (unsigned i = 0; i < 5; i++)
        capy_stack_input(p.host[1], frame, len, p.now);
    assert_int_equal(counters(&p, 1)->drop[CAPY_DROP_PROTOCOL], 5);
    assert_true(says(&p, &packet));
    assert_int_equal(packet.icmp.type, 4);
    assert_int_equal(packet.icmp.code, 1);
    assert_int_equal(capy_load32(packet.icmp.message + 4), 6);
    assert_false(says(&p, &packet));
    p.now += CAPY_MS(1);
    capy_stack_input(p.host[1], frame, len, p.now);
    assert_true(says(&p, &packet));
    p.now += CAPY_MS(1);
    frame[CAPY_ETHER_LEN + 39] = 9; /* to another's address */
    capy_stack_input(p.host[1], frame, len, p.now);
    assert_false(says(&p, &packet));
    pair_close(&p);
}

#define NARROW_MTU 1300u

/* The way has a link that takes NARROW_MTU, behind a router that says so (RFC 4443 §3.2). */
static bool narrow(struct pair *p, unsigned from, const uint8_t *frame, size_t len)
{
    uint8_t out[CAPY_FRAME_MAX];
    if (len <= CAPY_ETHER_LEN + NARROW_MTU)
        return true;
    struct capy_frame_to to = {.dst_mac = pair_mac(from),
                               .src_mac = pair_mac(9),
                               .src = ip6("2001:db8::9"),
                               .dst = pair_ip6(from)};
    uint8_t *icmp = out + CAPY_ICMP6_AT;
    memset(icmp, 0, 8);
    icmp[0] = 2;
    capy_store32(icmp + 4, NARROW_MTU);
    size_t quoted = capy_min32((uint32_t)len - CAPY_ETHER_LEN, 1232);
    memcpy(icmp + 8, frame + CAPY_ETHER_LEN, quoted);
    capy_stack_input(p->host[from], out, capy_frame_build_icmp6(out, &to, 8 + quoted), p->now);
    return false;
}

/* RFC 8201 §4: a Packet Too Big reaches the connection whose segment it quotes; nothing times out. */
static void packets_that_are_too_big_are_cut_anew(void **state)
{
    (void)state;
    static uint8_t bytes[60000];
    struct pair p;
    struct capy_stack_event ev;
    capy_handle server = CAPY_HANDLE_NONE;
    bool fin;
    open_default(&p);
    capy_stack_listen(p.host[1], PORT, 0);
    capy_handle c = connect_to_1(&p);
    while (capy_stack_event(p.host[1], &ev))
        server = ev.conn;
    p.pass = narrow;
    assert_int_equal(capy_stack_write(p.host[0], c, bytes, sizeof bytes, p.now), sizeof bytes);
    pair_run(&p, CAPY_MS(100)); /* less than any retransmission timeout */
    assert_int_equal(capy_stack_readable(p.host[1], server, &fin), sizeof bytes);
    assert_int_equal(counters(&p, 0)->tcp.rto_fired, 0);
    pair_close(&p);
}

/* A host without an address of a version hears nothing of it. */
static void a_host_of_one_version(void **state)
{
    (void)state;
    struct pair p;
    struct capy_packet packet;
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_stack_cfg a = pair_cfg(0), b = pair_cfg(1);
    capy_handle c;
    b.ip6 = (struct capy_ip){{0}};
    a.ip = a.ip6;
    a.ip6 = (struct capy_ip){{0}};
    pair_open(&p, &a, &b);
    capy_stack_input(p.host[1], frame, echo_to(frame, pair_ip6(1), pair_mac(1)), p.now);
    capy_stack_input(p.host[1], frame, echo_to(frame, ip6("::"), pair_mac(1)), p.now);
    assert_false(says(&p, &packet));
    assert_int_equal(counters(&p, 1)->not_ours, 2);
    struct capy_ip four = pair_ip4(1), six = pair_ip6(0);
    assert_int_equal(capy_stack_connect(p.host[1], &six, PORT, 0, 1, &c, p.now), CAPY_E_INVAL);
    assert_int_equal(capy_stack_connect(p.host[0], &four, PORT, 0, 1, &c, p.now), CAPY_E_INVAL);
    struct capy_arp ask = {CAPY_ARP_REQUEST, pair_mac(1), {{0}}, four, capy_ip_from_v4(0)};
    capy_stack_input(p.host[0], frame, capy_arp_build(frame, &ask.sender_mac, &ask), p.now);
    assert_int_equal(capy_stack_output(p.host[0], frame, p.now), 0);
    pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(solicitations_are_answered),
        cmocka_unit_test(other_solicitations_are_not),
        cmocka_unit_test(a_duplicate_is_told),
        cmocka_unit_test(a_claim_to_our_address_is_counted),
        cmocka_unit_test(questions_go_to_the_group),
        cmocka_unit_test(beyond_the_prefix_the_gateway_is_asked_for),
        cmocka_unit_test(nobody_is_connected_to),
        cmocka_unit_test(echo_is_answered_by_who_is_meant),
        cmocka_unit_test(tcp_to_the_link_local_address_is_not_ours),
        cmocka_unit_test(parameter_problems_are_told_now_and_then),
        cmocka_unit_test(packets_that_are_too_big_are_cut_anew),
        cmocka_unit_test(a_host_of_one_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
