/* ICMP errors about TCP at the switch (switch/core/quote.h): they go to the server that sent the quoted
 * segment, under the name it sent it by, in each of the three racks of plane_stage.h. */
#include "plane_stage.h"
#include "switch/core/quote.h"

enum { ROUTER = 201, QUOTE_MAX = 120 };

/* What a router saw: home's segment to the client, as an IP packet. Its length. */
static size_t seen(uint8_t *packet, uint16_t port)
{
    uint8_t frame[CAPY_FRAME_MAX];
    const struct capy_frame_to to = {
        .src = ip(1), .dst = ip(200), .src_port = 80, .dst_port = port};
    const struct capy_tcp_segment seg = {.seq = {0xfffffff0u},
                                         .flags = CAPY_TCP_ACK,
                                         .data = (const uint8_t *)"what was too large",
                                         .data_len = 18};
    size_t len = capy_frame_build_tcp(frame, &to, &seg) - CAPY_ETHER_LEN;
    memcpy(packet, frame + CAPY_ETHER_LEN, len);
    return len;
}

/* The router's "packet too big" (or another type), quoting len bytes of packet, to home. */
static size_t too_big(struct stage *s, uint8_t type, const uint8_t *packet, size_t len)
{
    uint8_t message[CAPY_QUOTE_ICMP_LEN + QUOTE_MAX] = {type, type == 3 ? 4 : 0};
    const struct capy_frame_to to = {
        .dst_mac = mac(1), .src_mac = mac(ROUTER), .src = ip(ROUTER), .dst = ip(1)};
    assert_true(len <= QUOTE_MAX);
    capy_store16(message + 6, 1280); /* the MTU, where both versions have it */
    memcpy(message + CAPY_QUOTE_ICMP_LEN, packet, len);
    return build_icmp(s, &to, message, CAPY_QUOTE_ICMP_LEN + len);
}

static uint8_t too_big_type(void)
{
    return rack_kind == RACK_IPV4 ? 3 : 2;
}

static size_t header_len(void)
{
    return rack_kind == RACK_IPV4 ? CAPY_IPV4_LEN : CAPY_IPV6_LEN;
}

/* What came out goes to server 1, right in every checksum, and quotes a segment of its own. */
static void assert_owners(struct stage *s, size_t quoted_len, uint16_t port)
{
    struct capy_mac m = mac(2);
    struct capy_ip own = ip(2), client = ip(200);
    assert_true(out_is(s, 1, ROUTER, 0, 2, 0));
    assert_true(capy_mac_eq(&s->packet.dst_mac, &m));
    assert_int_equal(s->packet.icmp.message_len, CAPY_QUOTE_ICMP_LEN + quoted_len);
    assert_int_equal(capy_load16(s->packet.icmp.message + 6), 1280);
    const uint8_t *q = s->packet.icmp.message + CAPY_QUOTE_ICMP_LEN;
    if (rack_kind == RACK_IPV4) {
        assert_int_equal(capy_load32(q + 12), capy_ip_v4(&own));
        assert_int_equal(capy_load32(q + 16), capy_ip_v4(&client));
        assert_int_equal(capy_sum_fold(capy_sum(0, q, CAPY_IPV4_LEN)), 0xffff);
    } else {
        assert_memory_equal(q + 8, own.b, 16);
        assert_memory_equal(q + 24, client.b, 16);
    }
    assert_int_equal(capy_load16(q + header_len()), MIG_PORT);
    assert_int_equal(capy_load16(q + header_len() + 2), port);
    assert_int_equal(capy_load32(q + header_len() + 4), 0xfffffff0u); /* as it was quoted */
}

static void errors_follow_the_flow(void **st)
{
    (void)st;
    struct stage s;
    uint8_t packet[CAPY_FRAME_MAX];
    boot(&s, 64);
    size_t whole = seen(packet, 5000), least = header_len() + CAPY_QUOTE_L4_LEN;
    input(&s, CLIENT_PORT, too_big(&s, too_big_type(), packet, least));
    assert_true(out_is(&s, 0, ROUTER, 0, 1, 0)); /* it is at home */
    grant(&s, 5000, 0, 1, 1);
    input(&s, CLIENT_PORT, too_big(&s, too_big_type(), packet, least));
    assert_true(out_is(&s, 0, ROUTER, 0, 1, 0)); /* and still runs there */
    state(&s, 5000, 0, 1, 1, true);
    for (size_t len = least; len <= whole; len++) {
        input(&s, CLIENT_PORT, too_big(&s, too_big_type(), packet, len));
        assert_owners(&s, len, 5000);
    }
    assert_int_equal(counter(&s, "errors_to_owner"), whole - least + 2);
    shut(&s);
}

static void checksums_are_exact_for_many_flows(void **st)
{
    (void)st;
    struct stage s;
    uint8_t packet[CAPY_FRAME_MAX];
    boot(&s, 65536);
    for (unsigned port = 1; port < 65000; port += 331) {
        settle(&s, (uint16_t)port);
        size_t len = seen(packet, (uint16_t)port);
        input(&s, CLIENT_PORT, too_big(&s, too_big_type(), packet, len));
        assert_owners(&s, len, (uint16_t)port);
    }
    shut(&s);
}

/* Everything else about a flow that moved goes to home, as it came: it may be no error, not about
 * TCP, a later piece of a packet, cut before the ports, or come to another than it quotes. */
static void what_is_no_such_error_is_merely_forwarded(void **st)
{
    (void)st;
    struct stage s;
    uint8_t packet[CAPY_FRAME_MAX], spoiled[CAPY_FRAME_MAX], before[CAPY_FRAME_MAX];
    bool v4 = rack_kind == RACK_IPV4;
    boot(&s, 64);
    settle(&s, 5000);
    size_t least = header_len() + CAPY_QUOTE_L4_LEN;
    seen(packet, 5000);
    const struct {
        uint8_t type;
        size_t at; /* of a byte of the quote */
        uint8_t value;
        size_t len;
    } rows[] = {
        {v4 ? 5 : 133, 0, packet[0], least},
        {v4 ? 4 : 5, 0, packet[0], least},
        {too_big_type(), v4 ? 9 : 6, 17, least},
        {too_big_type(), v4 ? 7 : 6, v4 ? 1 : 44, least},
        {too_big_type(), 0, v4 ? 0x44 : 0x40, least},
        {too_big_type(), 0, v4 ? 0x4f : 0x50, least},
        {too_big_type(), 0, packet[0], least - 1},
        {too_big_type(), 0, packet[0], header_len() - 1},
        {too_big_type(), 0, packet[0], 0},
        {too_big_type(), v4 ? 15 : 23, 9, least},     /* quotes a source that is not home */
        {too_big_type(), header_len() + 3, 1, least}, /* another client port: no such entry */
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memcpy(spoiled, packet, sizeof spoiled);
        spoiled[rows[i].at] = rows[i].value;
        size_t len = too_big(&s, rows[i].type, spoiled, rows[i].len);
        memcpy(s.frame + len, packet + rows[i].len, 8); /* Ethernet's padding: no part of it */
        len += 8;
        memcpy(before, s.frame, len);
        capy_switch_input(s.sw, CLIENT_PORT, s.frame, len, s.now, &s.out);
        assert_int_equal(s.out.cnt, 1);
        assert_int_equal(s.out.frame[0].port, 0);
        assert_memory_equal(s.out.frame[0].data, before, len);
    }
    assert_int_equal(counter(&s, "errors_to_owner"), 0);
    shut(&s);
}

/* An error comes to whom it quotes: one to another server is forged, or lost its way. */
static void an_error_to_another_than_it_quotes_is_merely_forwarded(void **st)
{
    (void)st;
    struct stage s;
    uint8_t packet[CAPY_FRAME_MAX], message[CAPY_QUOTE_ICMP_LEN + QUOTE_MAX] = {too_big_type()};
    const struct capy_frame_to to = {
        .dst_mac = mac(3), .src_mac = mac(ROUTER), .src = ip(ROUTER), .dst = ip(3)};
    boot(&s, 64);
    settle(&s, 5000);
    size_t len = seen(packet, 5000);
    memcpy(message + CAPY_QUOTE_ICMP_LEN, packet, len);
    input(&s, CLIENT_PORT, build_icmp(&s, &to, message, CAPY_QUOTE_ICMP_LEN + len));
    assert_true(out_is(&s, 2, ROUTER, 0, 3, 0));
    assert_int_equal(counter(&s, "errors_to_owner"), 0);
    shut(&s);
}

static void errors_about_the_dead_stay_at_home(void **st)
{
    (void)st;
    struct stage s;
    uint8_t packet[CAPY_FRAME_MAX];
    boot(&s, 64);
    settle(&s, 5000);
    server_sends(&s, 1, MIG_PORT, 5000, CAPY_TCP_ACK); /* served */
    beat(&s, 1, 2, 0);                                 /* and restarted */
    size_t len = seen(packet, 5000);
    input(&s, CLIENT_PORT, too_big(&s, too_big_type(), packet, len));
    assert_true(out_is(&s, 0, ROUTER, 0, 1, 0));
    shut(&s);
}

static void every_kind_of_error_is_known(void **st)
{
    (void)st;
    struct stage s;
    uint8_t packet[CAPY_FRAME_MAX];
    unsigned known = 0;
    boot(&s, 64);
    settle(&s, 5000);
    seen(packet, 5000);
    for (unsigned type = 0; type < 256; type++) {
        uint64_t before = counter(&s, "errors_to_owner");
        size_t len = too_big(&s, (uint8_t)type, packet, header_len() + CAPY_QUOTE_L4_LEN);
        capy_switch_input(s.sw, CLIENT_PORT, s.frame, len, s.now, &s.out);
        bool taken = counter(&s, "errors_to_owner") > before;
        bool is_error =
            rack_kind == RACK_IPV4 ? type == 3 || type == 11 || type == 12 : type >= 1 && type <= 4;
        assert_int_equal(taken, is_error);
        known += taken;
    }
    assert_int_equal(known, rack_kind == RACK_IPV4 ? 3 : 4);
    shut(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_follow_the_flow),
        cmocka_unit_test(checksums_are_exact_for_many_flows),
        cmocka_unit_test(what_is_no_such_error_is_merely_forwarded),
        cmocka_unit_test(an_error_to_another_than_it_quotes_is_merely_forwarded),
        cmocka_unit_test(errors_about_the_dead_stay_at_home),
        cmocka_unit_test(every_kind_of_error_is_known),
    };
    int failed = 0;
    const char *const names[] = {"IPv4", "IPv6", "IPv4 with second addresses"};
    for (rack_kind = RACK_IPV4; rack_kind <= RACK_BOTH; rack_kind++)
        failed += cmocka_run_group_tests_name(names[rack_kind], tests, NULL, NULL);
    return failed;
}
