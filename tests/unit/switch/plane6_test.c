/* What IPv6 alone has at the switch: extension headers, neighbour discovery's corners, flows of both
 * versions side by side, servers that lack one, and the frames that must merely pass. */
#include "plane_stage.h"

/* ---- extension headers ---- */

enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, ESP = 50, AH = 51, DESTINATION = 60 };

/* Puts an extension header of len bytes (a multiple of 8), its body from bytes, before what follows
 * the IPv6 header in s->frame, which is frame_len long. The new length. */
static size_t insert(struct stage *s, size_t frame_len, uint8_t kind, size_t len,
                     const uint8_t body[6])
{
    uint8_t *ip_at = s->frame + CAPY_ETHER_LEN, *at = ip_at + CAPY_IPV6_LEN;
    memmove(at + len, at, frame_len - CAPY_ETHER_LEN - CAPY_IPV6_LEN);
    memset(at, 0, len);
    at[0] = ip_at[6];
    at[1] = kind == FRAGMENT ? 0 : (uint8_t)(len / 8 - 1);
    memcpy(at + 2, body, 6);
    ip_at[6] = kind;
    capy_store16(ip_at + 4, (uint16_t)(capy_load16(ip_at + 4) + len));
    return frame_len + len;
}

static const uint8_t PADN[6] = {1, 4};
static const uint8_t WHOLE[6] = {0};           /* a fragment header of a packet in one piece */
static const uint8_t PIECE[6] = {0, 1};        /* more fragments follow */
static const uint8_t LATER_PIECE[6] = {0, 16}; /* at an offset */
static const uint8_t VISITED[6] = {4, 0};      /* a routing header without segments left */
static const uint8_t UNVISITED[6] = {4, 1};

/* A client's segment of the flow with that port, not yet sent; its length. */
static size_t segment(struct stage *s, uint16_t port)
{
    const struct capy_frame_to to = {.dst_mac = mac(1),
                                     .src_mac = mac(200),
                                     .src = ip6(200),
                                     .dst = ip6(1),
                                     .src_port = port,
                                     .dst_port = 80};
    const struct capy_tcp_segment seg = {
        .flags = CAPY_TCP_ACK, .data = (const uint8_t *)"extended", .data_len = 8};
    return capy_frame_build_tcp(s->frame, &to, &seg);
}

static void segments_behind_extension_headers_go_to_the_owner(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    settle(&s, 5000);
    size_t len = segment(&s, 5000);
    len = insert(&s, len, DESTINATION, 8, PADN);
    len = insert(&s, len, ROUTING, 24, VISITED);
    len = insert(&s, len, FRAGMENT, 8, WHOLE);
    len = insert(&s, len, DESTINATION, 16, PADN);
    s.frame[CAPY_ETHER_LEN + CAPY_IPV6_LEN + 3] = 12; /* one PadN over the whole of it */
    len = insert(&s, len, HOP_BY_HOP, 8, PADN);
    input(&s, CLIENT_PORT, len); /* parses what comes out: its checksum is right */
    assert_true(out_is(&s, 1, 200, 5000, 2, MIG_PORT));
    assert_memory_equal(s.packet.tcp.data, "extended", 8);
    shut(&s);
}

/* As many headers as a host of ours accepts are walked: nothing reaches one unsteered. */
static void the_walk_is_as_long_as_the_hosts(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    settle(&s, 5000);
    for (unsigned cnt = 0; cnt <= 12; cnt++) {
        struct capy_packet p;
        size_t len = segment(&s, 5000);
        for (unsigned i = 0; i < cnt; i++)
            len = insert(&s, len, DESTINATION, 8, PADN);
        bool host_takes_it = capy_frame_parse(s.frame, len, &p) == CAPY_DROP_NONE;
        assert_int_equal(host_takes_it, cnt <= 8);
        capy_switch_input(s.sw, CLIENT_PORT, s.frame, len, s.now, &s.out);
        assert_int_equal(s.out.cnt, 1);
        assert_int_equal(s.out.frame[0].port, host_takes_it ? 1 : 0);
    }
    assert_int_equal(counter(&s, "forwarded"), 4);
    shut(&s);
}

static void what_cannot_be_rewritten_is_merely_forwarded(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    settle(&s, 5000);
    const struct {
        uint8_t kind;
        const uint8_t *body;
    } rows[] = {
        {FRAGMENT, PIECE}, {FRAGMENT, LATER_PIECE}, {ROUTING, UNVISITED}, {ESP, PADN}, {AH, PADN},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t before[CAPY_FRAME_MAX];
        size_t len = insert(&s, segment(&s, 5000), rows[i].kind, 8, rows[i].body);
        memcpy(before, s.frame, len);
        capy_switch_input(s.sw, CLIENT_PORT, s.frame, len, s.now, &s.out);
        assert_int_equal(s.out.cnt, 1);
        assert_int_equal(s.out.frame[0].port, 0); /* where home's MAC is */
        assert_memory_equal(s.out.frame[0].data, before, len);
        assert_int_equal(counter(&s, "forwarded"), i + 1);
    }
    shut(&s);
}

/* One that passes the packet's end meets the frame's, or what Ethernet padded it with: here, with bytes
 * that would make a segment of the flow. */
static void an_extension_header_past_the_end_stops_nothing(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    settle(&s, 5000);
    for (unsigned units = 1; units < 256; units++) {
        size_t len = insert(&s, segment(&s, 5000), DESTINATION, 8, PADN);
        if (units == 1) {
            len = insert(&s, segment(&s, 5000), DESTINATION, 16, PADN);
            capy_store16(s.frame + CAPY_ETHER_LEN + 4, 8);
        }
        s.frame[CAPY_ETHER_LEN + CAPY_IPV6_LEN + 1] = (uint8_t)units;
        uint8_t *copy = malloc(len); /* so that a sanitizer sees the end */
        memcpy(copy, s.frame, len);
        capy_switch_input(s.sw, CLIENT_PORT, copy, len, s.now, &s.out);
        assert_int_equal(s.out.cnt, 1);
        assert_int_equal(s.out.frame[0].port, 0); /* home's, by its MAC */
        free(copy);
    }
    shut(&s);
}

/* ---- addresses ---- */

static void ipv4_mapped_addresses_inside_ipv6_are_dropped(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    const struct capy_ip mapped = ip4(200);
    size_t len = segment(&s, 5000);
    memcpy(s.frame + CAPY_ETHER_LEN + 8, mapped.b, sizeof mapped.b);
    input(&s, CLIENT_PORT, len);
    assert_int_equal(s.out.cnt, 0);
    len = segment(&s, 5000);
    memcpy(s.frame + CAPY_ETHER_LEN + 24, mapped.b, sizeof mapped.b);
    input(&s, CLIENT_PORT, len);
    assert_int_equal(s.out.cnt, 0);
    assert_int_equal(counter(&s, "drop_mixed_ip"), 2);
    shut(&s);
}

/* "No address" is written as zeros: :: in a frame is nobody's. */
static void the_unspecified_address_is_no_servers(void **st)
{
    (void)st;
    struct stage s;
    rack_kind = RACK_IPV4;
    boot(&s, 64);
    size_t len = segment(&s, MIG_PORT); /* from a server it would have to be a migrated flow's */
    memset(s.frame + CAPY_ETHER_LEN + 8, 0, 16);
    const struct capy_mac server = mac(1), client = mac(200);
    memcpy(s.frame + 6, server.b, 6);
    memcpy(s.frame, client.b, 6);
    capy_switch_input(s.sw, 0, s.frame, len, s.now, &s.out);
    assert_int_equal(s.out.cnt, 1);
    assert_int_equal(counter(&s, "flooded"), 1);
    assert_int_equal(counter(&s, "drop_unowned") + counter(&s, "drop_fenced"), 0);
    shut(&s);
    rack_kind = RACK_BOTH;
}

static void addresses_out_of_place_are_no_configuration(void **st)
{
    (void)st;
    struct stage s;
    cfg_make(&s, 64);
    assert_true(capy_switch_size(&s.cfg) > 0);
    s.cfg.server[1].ip6 = ip4(2);
    assert_int_equal(capy_switch_size(&s.cfg), 0);
    cfg_make(&s, 64);
    s.cfg.server[1].ip = ip6(2); /* primary addresses of two versions */
    memset(&s.cfg.server[1].ip6, 0, sizeof s.cfg.server[1].ip6);
    assert_int_equal(capy_switch_size(&s.cfg), 0);
    cfg_make(&s, 64);
    s.cfg.ip6 = ip4(100);
    assert_int_equal(capy_switch_size(&s.cfg), 0);
}

/* ---- both versions in one rack ---- */

/* The same client port, home port and servers in both versions: two flows. */
static void flows_of_both_versions_do_not_mix(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    settle(&s, 5000); /* the IPv6 one, moved over IPv4 */
    rack_kind = RACK_IPV4;
    client_sends(&s, 5000, CAPY_TCP_ACK);
    assert_true(out_is(&s, 0, 200, 5000, 1, 80));
    server_sends(&s, 0, 80, 5000, CAPY_TCP_ACK);
    assert_true(out_is(&s, CLIENT_PORT, 1, 80, 200, 5000));
    server_sends(&s, 1, MIG_PORT, 5000, CAPY_TCP_ACK); /* the IPv6 flow's port */
    assert_int_equal(counter(&s, "drop_unowned"), 1);
    settle(&s, 5000);
    assert_int_equal(capy_switch_entry_cnt(s.sw), 2);
    client_sends(&s, 5000, CAPY_TCP_ACK);
    assert_true(out_is(&s, 1, 200, 5000, 2, MIG_PORT));
    rack_kind = RACK_BOTH;
    client_sends(&s, 5000, CAPY_TCP_ACK);
    assert_true(out_is(&s, 1, 200, 5000, 2, MIG_PORT));
    server_sends(&s, 1, MIG_PORT, 5000, CAPY_TCP_ACK);
    assert_true(out_is(&s, CLIENT_PORT, 1, 80, 200, 5000));
    shut(&s);
}

/* Server 1, the least loaded, has no IPv6. */
static void boot_without(struct stage *s)
{
    cfg_make(s, 64);
    memset(&s->cfg.server[1].ip6, 0, sizeof s->cfg.server[1].ip6);
    start(s);
    beat(s, 0, 1, 9);
    beat(s, 1, 1, 0);
    beat(s, 2, 1, 9);
}

static void a_server_without_ipv6_is_no_target_for_it(void **st)
{
    (void)st;
    struct stage s;
    boot_without(&s);
    mig(&s, 0, message(CAPY_MIG_PREPARE_MIG, 5000, 0, CAPY_SERVER_ANY, 1), NULL);
    assert_int_equal(got(&s, 0, 2).target, 2);
    mig(&s, 0, message(CAPY_MIG_PREPARE_MIG, 5001, 0, 1, 1), NULL); /* named */
    assert_int_equal(got(&s, 0, 0).verdict, CAPY_VERDICT_NO_TARGET);
    mig(&s, 2, message(CAPY_MIG_PREPARE_MIG, 5002, 2, 1, 1), NULL);
    assert_int_equal(got(&s, 0, 2).verdict, CAPY_VERDICT_STALE); /* not its flow: said first */
    rack_kind = RACK_IPV4;
    mig(&s, 0, message(CAPY_MIG_PREPARE_MIG, 5000, 0, CAPY_SERVER_ANY, 1), NULL);
    assert_int_equal(got(&s, 0, 1).target, 1); /* an IPv4 flow goes there */
    rack_kind = RACK_BOTH;
    shut(&s);
}

static void a_server_without_ipv6_can_claim_none_of_its_flows(void **st)
{
    (void)st;
    struct stage s;
    boot_without(&s);
    grant(&s, 5000, 0, 1, 1);
    assert_int_equal(s.out.cnt, 0);
    struct capy_mig_msg m = message(CAPY_MIG_ANNOUNCE, 5000, 1, CAPY_SERVER_ANY, 3);
    m.target_port = MIG_PORT;
    mig(&s, 1, m, NULL);
    assert_int_equal(s.out.cnt, 0);
    m = message(CAPY_MIG_CONN_STATE, 5000, 0, 1, 1);
    m.total = m.length = 4;
    mig(&s, 0, m, (const uint8_t *)"abcd");
    assert_int_equal(s.out.cnt, 0);
    assert_int_equal(counter(&s, "drop_mig_field"), 3);
    m = message(CAPY_MIG_ANNOUNCE, 5000, 2, CAPY_SERVER_ANY, 3);
    m.target_port = MIG_PORT;
    m.key.client = ip4(200); /* a flow of two versions */
    mig(&s, 2, m, NULL);
    assert_int_equal(counter(&s, "drop_mig_field"), 4);
    assert_int_equal(capy_switch_entry_cnt(s.sw), 0);
    shut(&s);
}

/* TCPMig runs between primary addresses: to and from the second ones nothing is said. */
static void tcpmig_between_second_addresses_is_dropped(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    const struct capy_mig_msg cancel = message(CAPY_MIG_CANCEL, 5000, 0, 1, 1);
    for (unsigned i = 0; i < 2; i++) {
        const struct capy_frame_to to = {.dst_mac = mac(100),
                                         .src_mac = mac(1),
                                         .src = ip6(1),
                                         .dst = ip6(i == 0 ? 100 : 2),
                                         .src_port = TCPMIG,
                                         .dst_port = TCPMIG};
        size_t n = capy_mig_build(s.frame + CAPY_UDP_AT6, RACK_KEY, &cancel);
        input(&s, 0, capy_frame_build_udp(s.frame, &to, n));
        assert_int_equal(s.out.cnt, 0);
    }
    assert_int_equal(counter(&s, "drop_mig_sender"), 1);
    assert_int_equal(counter(&s, "drop_mig_bypass"), 1);
    assert_int_equal(capy_switch_entry_cnt(s.sw), 0);
    shut(&s);
}

/* ---- neighbour discovery ---- */

static void solicit(struct stage *s, const struct capy_nd *nd, const struct capy_ip *src,
                    uint8_t spoil_at, uint8_t spoil)
{
    const struct capy_ip group = capy_ip_solicited_node(&nd->target);
    const struct capy_frame_to to = {
        .dst_mac = capy_mac_of_group(&group), .src_mac = mac(200), .src = *src, .dst = group};
    size_t len = capy_nd_build(s->frame, &to, nd);
    s->frame[spoil_at] ^= spoil;
    capy_switch_input(s->sw, CLIENT_PORT, s->frame, len, s->now, &s->out);
}

/* RFC 4861 §7.1.1: a hop limit that was lowered comes from afar; a wrong checksum means nothing. */
static void solicitations_that_are_not_right_are_not_answered(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    const struct capy_nd nd = {
        .type = CAPY_ND_SOLICIT, .has_mac = true, .target = ip6(100), .mac = mac(200)};
    const struct capy_ip src = ip6(200);
    const uint8_t spoil_at[] = {CAPY_ETHER_LEN + 7, CAPY_ICMP6_AT + 1, CAPY_ICMP6_AT + 3,
                                CAPY_ICMP6_AT + 8};
    solicit(&s, &nd, &src, 0, 0);
    assert_int_equal(s.out.frame[0].port, CLIENT_PORT);
    for (unsigned i = 0; i < sizeof spoil_at; i++) {
        solicit(&s, &nd, &src, spoil_at[i], 1);
        assert_int_equal(s.out.cnt, 1);
        assert_int_equal(s.out.frame[0].port, CAPY_PORT_FLOOD);
    }
    assert_int_equal(counter(&s, "nd_answered"), 1);
    shut(&s);
}

static void own_addresses_override_and_anothers_do_not(void **st)
{
    (void)st;
    struct stage s;
    struct capy_nd got_nd;
    boot(&s, 64);
    ask(&s, CLIENT_PORT, 100);
    assert_true(capy_nd_parse(&s.packet, &got_nd) && got_nd.override);
    s.now += s.cfg.lease_ns;
    ask(&s, CLIENT_PORT, 1);
    assert_true(capy_nd_parse(&s.packet, &got_nd));
    assert_false(got_nd.override); /* RFC 4861 §7.2.8 */
    shut(&s);
}

/* RFC 4862 §5.4: who asks whether an address is taken has none to be answered at. */
static void a_question_without_source_is_answered_to_all(void **st)
{
    (void)st;
    struct stage s;
    struct capy_nd nd = {.type = CAPY_ND_SOLICIT, .target = ip6(100)};
    const struct capy_ip none = {{0}}, all = capy_ip_all_nodes();
    const struct capy_mac all_mac = {{0x33, 0x33, 0, 0, 0, 1}};
    boot(&s, 64);
    solicit(&s, &nd, &none, 0, 0);
    assert_int_equal(s.out.cnt, 1);
    assert_int_equal(capy_frame_parse(s.out.frame[0].data, s.out.frame[0].len, &s.packet),
                     CAPY_DROP_NONE);
    assert_true(capy_mac_eq(&s.packet.dst_mac, &all_mac) && capy_ip_eq(&s.packet.dst, &all));
    assert_true(capy_nd_parse(&s.packet, &nd));
    assert_false(nd.solicited);
    assert_true(nd.override);
    shut(&s);
}

/* A neighbour that is known is probed by a unicast solicitation, with no address option. */
static void a_probe_of_a_dead_server_is_answered(void **st)
{
    (void)st;
    struct stage s;
    struct capy_nd nd = {.type = CAPY_ND_SOLICIT, .target = ip6(2)};
    const struct capy_frame_to to = {
        .dst_mac = mac(2), .src_mac = mac(200), .src = ip6(200), .dst = ip6(2)};
    boot(&s, 64);
    input(&s, CLIENT_PORT, capy_nd_build(s.frame, &to, &nd));
    assert_true(out_is(&s, 1, 200, 0, 2, 0)); /* it lives: let it answer */
    s.now += s.cfg.lease_ns;
    input(&s, CLIENT_PORT, capy_nd_build(s.frame, &to, &nd));
    const struct capy_mac m = answered(&s, CLIENT_PORT), server = mac(2);
    assert_true(capy_mac_eq(&m, &server));
    shut(&s);
}

/* An echo request for which a host would have to answer "unknown option" is dropped, not answered. */
static void an_echo_request_that_no_host_takes_is_dropped(void **st)
{
    (void)st;
    struct stage s;
    const struct capy_frame_to to = {
        .dst_mac = mac(100), .src_mac = mac(200), .src = ip6(200), .dst = ip6(100)};
    const uint8_t message[8] = {128}, must_be_known[6] = {0xc0, 4};
    boot(&s, 64);
    for (unsigned i = 0; i < 2; i++) {
        memcpy(s.frame + CAPY_ICMP6_AT, message, sizeof message);
        size_t len = capy_frame_build_icmp6(s.frame, &to, sizeof message);
        len = insert(&s, len, DESTINATION, 8, i == 0 ? PADN : must_be_known);
        input(&s, CLIENT_PORT, len);
        assert_int_equal(s.out.cnt, i == 0 ? 1 : 0);
    }
    assert_int_equal(counter(&s, "drop_to_switch"), 1);
    shut(&s);
}

/* ---- what passes ---- */

static void multicast_and_tagged_frames_pass(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    client_sends(&s, 5000, CAPY_TCP_ACK); /* its MAC is learned */
    const struct {
        uint8_t dst[6];
        uint16_t type;
        uint16_t egress;
    } rows[] = {
        {{0x33, 0x33, 0, 0, 0, 0x16}, CAPY_ETHERTYPE_IPV6, CAPY_PORT_FLOOD}, /* MLD reports */
        {{0x33, 0x33, 0, 0, 0, 2}, CAPY_ETHERTYPE_IPV6, CAPY_PORT_FLOOD},    /* to routers */
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 0x8100, CAPY_PORT_FLOOD},     /* 802.1Q */
        {{2, 0xca, 10, 0, 0, 2}, 0x8100, 1},
        {{2, 0xca, 10, 0, 0, 2}, 0x88a8, 1},
        {{2, 0xca, 10, 0, 0, 0x55}, 0x8100, CAPY_PORT_FLOOD}, /* nobody known */
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct capy_mac client = mac(200);
        uint8_t before[200];
        memset(s.frame, (int)i, sizeof before);
        memcpy(s.frame, rows[i].dst, 6);
        memcpy(s.frame + 6, client.b, 6);
        capy_store16(s.frame + 12, rows[i].type);
        memcpy(before, s.frame, sizeof before);
        capy_switch_input(s.sw, CLIENT_PORT, s.frame, sizeof before, s.now, &s.out);
        assert_int_equal(s.out.cnt, 1);
        assert_int_equal(s.out.frame[0].port, rows[i].egress);
        assert_int_equal(s.out.frame[0].len, sizeof before);
        assert_memory_equal(s.out.frame[0].data, before, sizeof before);
    }
    shut(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_behind_extension_headers_go_to_the_owner),
        cmocka_unit_test(the_walk_is_as_long_as_the_hosts),
        cmocka_unit_test(what_cannot_be_rewritten_is_merely_forwarded),
        cmocka_unit_test(an_extension_header_past_the_end_stops_nothing),
        cmocka_unit_test(ipv4_mapped_addresses_inside_ipv6_are_dropped),
        cmocka_unit_test(the_unspecified_address_is_no_servers),
        cmocka_unit_test(addresses_out_of_place_are_no_configuration),
        cmocka_unit_test(flows_of_both_versions_do_not_mix),
        cmocka_unit_test(a_server_without_ipv6_is_no_target_for_it),
        cmocka_unit_test(a_server_without_ipv6_can_claim_none_of_its_flows),
        cmocka_unit_test(tcpmig_between_second_addresses_is_dropped),
        cmocka_unit_test(solicitations_that_are_not_right_are_not_answered),
        cmocka_unit_test(own_addresses_override_and_anothers_do_not),
        cmocka_unit_test(a_question_without_source_is_answered_to_all),
        cmocka_unit_test(a_probe_of_a_dead_server_is_answered),
        cmocka_unit_test(an_echo_request_that_no_host_takes_is_dropped),
        cmocka_unit_test(multicast_and_tagged_frames_pass),
    };
    rack_kind = RACK_BOTH;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
