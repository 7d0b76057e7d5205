/* The switch with real frames (switch/core/plane.h): rewriting checked against a recomputation of every
 * checksum, TCPMig's way through it, fencing, ageing, and what it answers itself. All of it in each of
 * the three racks of plane_stage.h; what is IPv6's alone is in plane6_test.c. */
#include "plane_stage.h"
#include "switch/core/directory.h"

static void both_directions_are_rewritten_with_right_checksums(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    client_sends(&s, 5000, CAPY_TCP_ACK);
    assert_true(out_is(&s, 0, 200, 5000, 1, 80));
    settle(&s, 5000);
    client_sends(&s, 5000, CAPY_TCP_ACK);
    assert_true(out_is(&s, 1, 200, 5000, 2, MIG_PORT));
    struct capy_mac m = mac(2);
    assert_true(capy_mac_eq(&s.packet.dst_mac, &m));
    m = mac(200);
    assert_true(capy_mac_eq(&s.packet.src_mac, &m));
    server_sends(&s, 1, MIG_PORT, 5000, CAPY_TCP_ACK);
    assert_true(out_is(&s, CLIENT_PORT, 1, 80, 200, 5000));
    m = mac(1);
    assert_true(capy_mac_eq(&s.packet.src_mac, &m));
    client_sends(&s, 5001, CAPY_TCP_ACK); /* another flow of the same client */
    assert_true(out_is(&s, 0, 200, 5001, 1, 80));
    shut(&s);
}

/* RFC 3168 §5, §6.1: the network's bits and both ends' flags go through, to the home and to the owner,
 * and back. */
static void ecn_passes_both_ways(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    const uint8_t flags = CAPY_TCP_ACK | CAPY_TCP_ECE | CAPY_TCP_CWR;
    for (unsigned moved = 0; moved < 2; moved++) {
        unsigned owner = moved ? 1 : 0;
        uint16_t port = moved ? MIG_PORT : 80;
        if (moved)
            settle(&s, 5000);
        for (s.ecn = 0; s.ecn < 4; s.ecn++) {
            client_sends(&s, 5000, flags);
            assert_true(out_is(&s, (uint16_t)owner, 200, 5000, owner + 1, port));
            assert_int_equal(s.packet.ecn, s.ecn);
            assert_int_equal(s.packet.tcp.flags, flags);
            server_sends(&s, owner, port, 5000, flags);
            assert_true(out_is(&s, CLIENT_PORT, 1, 80, 200, 5000));
            assert_int_equal(s.packet.ecn, s.ecn);
            assert_int_equal(s.packet.tcp.flags, flags);
        }
    }
    shut(&s);
}

static void checksums_are_exact_for_many_addresses_and_ports(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 65536); /* so many that none of the flows finds its slots taken */
    for (unsigned port = 1; port < 65000; port += 97) {
        settle(&s, (uint16_t)port);
        client_sends(&s, (uint16_t)port, CAPY_TCP_ACK); /* input() parses, checksums and all */
        assert_true(out_is(&s, 1, 200, (uint16_t)port, 2, MIG_PORT));
        server_sends(&s, 1, MIG_PORT, (uint16_t)port, CAPY_TCP_ACK);
        assert_true(out_is(&s, CLIENT_PORT, 1, 80, 200, (uint16_t)port));
    }
    shut(&s);
}

static void only_the_present_sender_passes(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    grant(&s, 5000, 0, 1, 1);
    client_sends(&s, 5000, CAPY_TCP_ACK); /* PENDING: to the target's hold */
    assert_true(out_is(&s, 1, 200, 5000, 2, MIG_PORT));
    server_sends(&s, 0, 80, 5000, CAPY_TCP_ACK);
    assert_int_equal(s.out.cnt, 1);
    server_sends(&s, 1, MIG_PORT, 5000, CAPY_TCP_ACK);
    assert_int_equal(s.out.cnt, 0);
    assert_int_equal(counter(&s, "drop_fenced"), 1);
    state(&s, 5000, 0, 1, 1, true);
    server_sends(&s, 0, 80, 5000, CAPY_TCP_RST);
    assert_int_equal(s.out.cnt, 0);
    assert_int_equal(counter(&s, "drop_fenced"), 2);
    server_sends(&s, 1, MIG_PORT, 5000, CAPY_TCP_ACK);
    assert_int_equal(s.out.cnt, 1);
    server_sends(&s, 2, MIG_PORT + 5, 5000, CAPY_TCP_ACK);
    assert_int_equal(s.out.cnt, 0);
    assert_int_equal(counter(&s, "drop_unowned"), 1);
    shut(&s);
}

static void a_port_that_a_flow_left_serves_another_of_the_same_client(void **st)
{
    (void)st;
    struct stage s;
    struct capy_mig_msg m;
    boot(&s, 64);
    client_sends(&s, 5000, CAPY_TCP_ACK); /* its MAC is learned */
    settle(&s, 5000);
    grant(&s, 5000, 1, 2, 2); /* on to server 2: server 1's port is its previous */
    state(&s, 5000, 1, 2, 2, true);
    m = message(CAPY_MIG_PREPARE_MIG_ACK, 5000, 2, 1, 1);
    m.key.home = ip(3);
    m.target_port = MIG_PORT; /* a flow to server 3, same client port, on the port now free */
    mig(&s, 1, m, NULL);
    assert_int_equal(got(&s, 0, 2).verdict, CAPY_VERDICT_OK);
    m = message(CAPY_MIG_CONN_STATE, 5000, 2, 1, 1);
    m.key.home = ip(3);
    m.total = m.length = 4;
    mig(&s, 2, m, (const uint8_t *)"abcd");
    server_sends(&s, 1, MIG_PORT, 5000, CAPY_TCP_ACK);
    assert_true(out_is(&s, CLIENT_PORT, 3, 80, 200, 5000));
    shut(&s);
}

static void a_full_directory_is_said_to_both(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 1);
    settle(&s, 5000);
    settle(&s, 5001);
    grant(&s, 5002, 0, 1, 1);
    assert_int_equal(s.out.cnt, 2);
    assert_int_equal(got(&s, 0, 0).verdict, CAPY_VERDICT_FULL);
    assert_int_equal(got(&s, 1, 1).verdict, CAPY_VERDICT_FULL);
    mig(&s, 0, message(CAPY_MIG_PREPARE_MIG, 5002, 0, CAPY_SERVER_ANY, 1), NULL);
    assert_int_equal(got(&s, 0, 0).verdict, CAPY_VERDICT_FULL);
    assert_int_equal(counter(&s, "directory_full"), 2);
    client_sends(&s, 5002, CAPY_TCP_ACK);
    assert_true(out_is(&s, 0, 200, 5002, 1, 80));
    shut(&s);
}

static void tcpmig_comes_from_servers_with_a_tag_or_not_at_all(void **st)
{
    (void)st;
    struct stage s;
    const struct capy_mig_msg cancel = message(CAPY_MIG_CANCEL, 5000, 0, 1, 1);
    boot(&s, 64);
    mig_via(&s, CLIENT_PORT, 9, cancel, NULL); /* an unknown MAC on the client's port */
    assert_int_equal(counter(&s, "drop_mig_client_port"), 1);
    mig_via(&s, CLIENT_PORT, 0, cancel, NULL);
    assert_int_equal(counter(&s, "drop_mac_spoofed"), 1);
    mig(&s, 1, cancel, NULL); /* names server 0, comes from server 1 */
    assert_int_equal(counter(&s, "drop_mig_field"), 1);
    struct capy_key key = RACK_KEY;
    const struct capy_frame_to to = {.dst_mac = mac(100),
                                     .src_mac = mac(1),
                                     .src = primary(1),
                                     .dst = primary(100),
                                     .src_port = TCPMIG,
                                     .dst_port = TCPMIG};
    key.k0++;
    size_t n = capy_mig_build(s.frame + message_at(), key, &cancel);
    input(&s, 0, capy_frame_build_udp(s.frame, &to, n));
    assert_int_equal(counter(&s, "drop_mig_tag"), 1);
    struct capy_frame_to past = to;
    past.dst = primary(2);
    n = capy_mig_build(s.frame + message_at(), RACK_KEY, &cancel);
    input(&s, 0, capy_frame_build_udp(s.frame, &past, n));
    assert_int_equal(counter(&s, "drop_mig_bypass"), 1);
    assert_int_equal(s.out.cnt, 0);
    assert_int_equal(capy_switch_entry_cnt(s.sw), 0);
    shut(&s);
}

static void replays_change_nothing(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    settle(&s, 5000);
    grant(&s, 5000, 0, 1, 1);
    assert_int_equal(got(&s, 0, 0).verdict, CAPY_VERDICT_STALE);
    mig(&s, 0, message(CAPY_MIG_CANCEL, 5000, 0, 1, 1), NULL);
    assert_int_equal(got(&s, 0, 0).verdict, CAPY_VERDICT_SETTLED);
    grant(&s, 5000, 1, 2, 2);
    state(&s, 5000, 1, 2, 2, true);
    state(&s, 5000, 0, 1, 1, true);
    struct capy_mig_msg m = got(&s, 0, 0);
    assert_int_equal(m.verdict, CAPY_VERDICT_STALE);
    assert_int_equal(m.owner, 2);
    assert_int_equal(m.entry_epoch, 2);
    shut(&s);
}

static void prepare_is_sent_to_the_chosen_target_with_a_valid_tag(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    beat(&s, 0, 1, 5);
    beat(&s, 1, 1, 9);
    beat(&s, 2, 1, 3);
    mig(&s, 0, message(CAPY_MIG_PREPARE_MIG, 5000, 0, CAPY_SERVER_ANY, 1), NULL);
    assert_int_equal(got(&s, 0, 2).target, 2);
    s.now += s.cfg.lease_ns;
    mig(&s, 0, message(CAPY_MIG_PREPARE_MIG, 5000, 0, CAPY_SERVER_ANY, 1), NULL);
    assert_int_equal(got(&s, 0, 0).verdict, CAPY_VERDICT_NO_TARGET);
    mig(&s, 0, message(CAPY_MIG_PREPARE_MIG, 5000, 0, 1, 1), NULL);
    assert_int_equal(got(&s, 0, 0).verdict, CAPY_VERDICT_NO_TARGET);
    shut(&s);
}

static void a_thousand_prepares_between_two_heartbeats_spread(void **st)
{
    (void)st;
    struct stage s;
    unsigned to[SERVERS] = {0};
    boot(&s, 4096);
    for (uint16_t i = 0; i < 1000; i++) {
        mig(&s, 0, message(CAPY_MIG_PREPARE_MIG, (uint16_t)(1000 + i), 0, CAPY_SERVER_ANY, 1),
            NULL);
        to[s.out.frame[0].port]++;
    }
    assert_int_equal(to[0], 0);
    assert_int_equal(to[1], 500);
    assert_int_equal(to[2], 500);
    shut(&s);
}

static void a_lighter_server_gets_only_what_makes_it_equal(void **st)
{
    (void)st;
    struct stage s;
    unsigned to[SERVERS] = {0};
    boot(&s, 4096);
    beat(&s, 1, 1, 100);
    for (uint16_t i = 0; i < 300; i++) {
        mig(&s, 0, message(CAPY_MIG_PREPARE_MIG, (uint16_t)(1000 + i), 0, CAPY_SERVER_ANY, 1),
            NULL);
        to[s.out.frame[0].port]++;
    }
    assert_int_equal(to[1], 100);
    assert_int_equal(to[2], 200);
    shut(&s);
}

static void a_lighter_server_without_a_lease_is_passed_over(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    beat(&s, 2, 1, 3);
    s.now += s.cfg.lease_ns;
    beat(&s, 0, 1, 5);
    beat(&s, 1, 1, 9);
    mig(&s, 0, message(CAPY_MIG_PREPARE_MIG, 5000, 0, CAPY_SERVER_ANY, 1), NULL);
    assert_int_equal(got(&s, 0, 1).target, 1);
    shut(&s);
}

static void nothing_is_decided_while_learning(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    s.sw = capy_switch_init(s.mem, &s.cfg, s.now);
    beats(&s);
    assert_true(capy_switch_learning(s.sw, s.now));
    const enum capy_mig_type types[] = {CAPY_MIG_PREPARE_MIG, CAPY_MIG_CONN_STATE, CAPY_MIG_CANCEL};
    for (unsigned i = 0; i < 3; i++) {
        mig(&s, 0, message(types[i], 5000, 0, 1, 1), NULL);
        assert_int_equal(got(&s, 0, 0).verdict, CAPY_VERDICT_LEARNING);
    }
    grant(&s, 5000, 0, 1, 1);
    assert_int_equal(got(&s, 0, 1).verdict, CAPY_VERDICT_LEARNING);
    struct capy_mig_msg m = message(CAPY_MIG_ANNOUNCE, 5000, 1, CAPY_SERVER_ANY, 3);
    m.target_port = MIG_PORT;
    mig(&s, 1, m, NULL);
    assert_int_equal(got(&s, 0, 1).verdict, CAPY_VERDICT_OK);
    client_sends(&s, 5000, CAPY_TCP_ACK);
    assert_true(out_is(&s, 1, 200, 5000, 2, MIG_PORT));
    server_sends(&s, 0, 80, 5001, CAPY_TCP_RST); /* may live elsewhere */
    assert_int_equal(s.out.cnt, 0);
    assert_int_equal(counter(&s, "drop_unowned"), 1);
    server_sends(&s, 0, 80, 5001, CAPY_TCP_RST | CAPY_TCP_ACK); /* a SYN is refused */
    assert_true(out_is(&s, CLIENT_PORT, 1, 80, 200, 5001));
    shut(&s);
}

static void cancel_wins_before_the_commit_and_loses_after(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    grant(&s, 5000, 0, 1, 1);
    state(&s, 5000, 0, 1, 1, false); /* not the last fragment */
    mig(&s, 0, message(CAPY_MIG_CANCEL, 5000, 0, 1, 1), NULL);
    struct capy_mig_msg m = got(&s, 0, 0);
    assert_int_equal(m.verdict, CAPY_VERDICT_OK);
    assert_int_equal(m.entry_epoch, 2);
    state(&s, 5000, 0, 1, 1, true);
    assert_int_equal(got(&s, 0, 0).verdict, CAPY_VERDICT_STALE);
    client_sends(&s, 5000, CAPY_TCP_ACK);
    assert_true(out_is(&s, 0, 200, 5000, 1, 80));
    settle(&s, 5001);
    mig(&s, 0, message(CAPY_MIG_CANCEL, 5001, 0, 1, 1), NULL);
    assert_int_equal(got(&s, 0, 0).verdict, CAPY_VERDICT_SETTLED);
    shut(&s);
}

static void nack_tells_both_sides(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    settle(&s, 5000);
    mig(&s, 1, message(CAPY_MIG_NACK, 5000, 0, 1, 1), NULL);
    assert_int_equal(s.out.cnt, 2);
    struct capy_mig_msg m = got(&s, 0, 0);
    assert_int_equal(m.owner, 0);
    assert_int_equal(m.entry_epoch, 2);
    assert_int_equal(got(&s, 1, 1).verdict, CAPY_VERDICT_OK);
    shut(&s);
}

static void an_unknown_flow_is_named_and_then_given_up(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    settle(&s, 5000);
    server_sends(&s, 1, MIG_PORT, 5000, CAPY_TCP_ACK);
    struct capy_mig_msg m = message(CAPY_MIG_NACK, 5000, CAPY_SERVER_ANY, 1, 0);
    m.mig_id = 0;
    m.reason = CAPY_REASON_UNKNOWN_FLOW;
    m.key.home = ip(2);
    m.key.home_port = MIG_PORT;
    mig(&s, 1, m, NULL);
    m = got(&s, 0, 1);
    struct capy_flow_key key = flow(5000);
    assert_true(capy_flow_key_eq(&m.key, &key));
    assert_int_equal(m.epoch, 1);
    assert_int_equal(m.verdict, CAPY_VERDICT_STALE);
    mig(&s, 1, m, NULL);
    assert_int_equal(got(&s, 0, 1).verdict, CAPY_VERDICT_OK);
    client_sends(&s, 5000, CAPY_TCP_ACK); /* a tombstone: home resets it */
    assert_true(out_is(&s, 0, 200, 5000, 1, 80));
    server_sends(&s, 0, 80, 5000, CAPY_TCP_RST);
    assert_true(out_is(&s, CLIENT_PORT, 1, 80, 200, 5000));
    client_sends(&s, 5000, CAPY_TCP_SYN);
    assert_int_equal(capy_switch_entry_cnt(s.sw), 0);
    shut(&s);
}

static void death_is_eight_leases_or_a_restart(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    settle(&s, 5000);
    settle(&s, 5001);
    server_sends(&s, 1, MIG_PORT, 5001, CAPY_TCP_ACK); /* served */
    s.now += s.cfg.lease_ns;
    client_sends(&s, 5001, CAPY_TCP_ACK);
    assert_true(out_is(&s, 1, 200, 5001, 2, MIG_PORT)); /* late is not dead */
    beat(&s, 1, 2, 0);
    assert_int_equal(counter(&s, "server_restarts"), 1);
    client_sends(&s, 5000, CAPY_TCP_ACK); /* never served: the origin's again */
    assert_true(out_is(&s, 0, 200, 5000, 1, 80));
    client_sends(&s, 5001, CAPY_TCP_ACK); /* served: died with its owner */
    assert_int_equal(counter(&s, "to_home_of_tombstone"), 1);
    shut(&s);
}

static void entries_end_by_fins_by_age_and_by_flow_closed(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 16);
    settle(&s, 5000);
    settle(&s, 5001);
    settle(&s, 5002);
    server_sends(&s, 1, MIG_PORT, 5000, CAPY_TCP_FIN | CAPY_TCP_ACK);
    client_sends(&s, 5000, CAPY_TCP_FIN | CAPY_TCP_ACK);
    mig(&s, 1, message(CAPY_MIG_FLOW_CLOSED, 5001, 1, CAPY_SERVER_ANY, 1), NULL);
    assert_int_equal(s.out.cnt, 2);
    assert_int_equal(got(&s, 0, 0).type, CAPY_MIG_FLOW_CLOSED); /* home forgets it */
    assert_int_equal(got(&s, 1, 1).verdict, CAPY_VERDICT_OK);
    assert_int_equal(capy_switch_entry_cnt(s.sw), 2);
    uint64_t end = s.now + s.cfg.linger_ns;
    for (; s.now < end; s.now += CAPY_MS(500)) {
        beats(&s);
        capy_switch_expire(s.sw, s.now);
    }
    capy_switch_expire(s.sw, s.now);
    assert_int_equal(capy_switch_entry_cnt(s.sw), 1);
    s.now += s.cfg.age_ns;
    capy_switch_expire(s.sw, s.now);
    assert_int_equal(capy_switch_entry_cnt(s.sw), 0);
    shut(&s);
}

/* Frames wait while it looks. */
static void a_sweep_looks_at_a_bounded_part_of_a_large_directory(void **st)
{
    (void)st;
    assert_int_equal(capy_directory_sweep_part(32), 32);
    assert_int_equal(capy_directory_sweep_part(2 * 65536), 2048);
    assert_int_equal(capy_directory_sweep_part(8 * 262144), CAPY_DIRECTORY_SWEEP_MAX);
}

/* What was lost of the end is repeated, and must find the way: linger counts from the last of it. */
static void a_closed_flow_stays_while_its_end_is_repeated(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 16);
    settle(&s, 5000);
    client_sends(&s, 5000, CAPY_TCP_FIN | CAPY_TCP_ACK);
    for (int i = 0; i < 5; i++) {
        server_sends(&s, 1, MIG_PORT, 5000, CAPY_TCP_FIN | CAPY_TCP_ACK);
        s.now += s.cfg.linger_ns - 1;
        beats(&s);
        capy_switch_expire(s.sw, s.now);
        assert_int_equal(capy_switch_entry_cnt(s.sw), 1);
    }
    s.now++;
    capy_switch_expire(s.sw, s.now);
    assert_int_equal(capy_switch_entry_cnt(s.sw), 0);
    shut(&s);
}

static void questions_are_answered_for_itself_and_for_servers_that_are_down(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 16);
    bool arp = rack_kind == RACK_IPV4;
    ask(&s, CLIENT_PORT, 2);
    assert_int_equal(s.out.frame[0].port, CAPY_PORT_FLOOD);
    ask(&s, CLIENT_PORT, 100);
    struct capy_mac m = mac(100), got_mac = answered(&s, CLIENT_PORT);
    assert_true(capy_mac_eq(&got_mac, &m));
    assert_int_equal(counter(&s, arp ? "arp_answered" : "nd_answered"), 1);
    s.now += s.cfg.lease_ns;
    ask(&s, CLIENT_PORT, 2);
    m = mac(2);
    got_mac = answered(&s, CLIENT_PORT);
    assert_true(capy_mac_eq(&got_mac, &m));
    assert_int_equal(counter(&s, arp ? "arp_proxied" : "nd_proxied"), 1);
    ask(&s, 1, 2); /* on the server's own port: it may be asking whether its address is free */
    assert_int_equal(s.out.frame[0].port, CAPY_PORT_FLOOD);
    ask(&s, CLIENT_PORT, 77); /* nobody's that we know */
    assert_int_equal(s.out.frame[0].port, CAPY_PORT_FLOOD);
    shut(&s);
}

/* The client's ICMP or ICMPv6 message of this type, sixteen bytes, to an address. */
static void echo(struct stage *s, unsigned dst, uint8_t type)
{
    const struct capy_frame_to to = {
        .dst_mac = mac(dst), .src_mac = mac(200), .src = ip(200), .dst = ip(dst), .ttl = 9};
    const uint8_t message[16] = {type, 0, 0, 0, 0x12, 0x34, 0, 7, 'p', 'i', 'n', 'g'};
    input(s, CLIENT_PORT, build_icmp(s, &to, message, sizeof message));
}

static void echo_is_answered_for_itself_alone(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 16);
    bool v4 = rack_kind == RACK_IPV4;
    echo(&s, 100, v4 ? 8 : 128);
    assert_true(out_is(&s, CLIENT_PORT, 100, 0, 200, 0));
    assert_int_equal(s.packet.icmp.type, v4 ? 0 : 129);
    assert_memory_equal(s.packet.icmp.message + 4, "\x12\x34\0\x07ping", 8);
    assert_int_equal(s.packet.ttl, 64);
    assert_int_equal(counter(&s, "echo_answered"), 1);
    echo(&s, 100, v4 ? 0 : 129); /* an answer, to nothing we asked */
    assert_int_equal(s.out.cnt, 0);
    assert_int_equal(counter(&s, "drop_to_switch"), 1);
    echo(&s, 2, v4 ? 8 : 128);
    assert_true(out_is(&s, 1, 200, 0, 2, 0));
    shut(&s);
}

/* A server may send under its own address alone; only on the way to a third server, by whom it was
 * relayed or put back, may a segment bear another's. */
static void a_servers_address_from_another_servers_port_is_dropped(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 16);
    tcp(&s, 1, 2, 200, 1, 80, 200, 5000, CAPY_TCP_ACK);
    assert_int_equal(s.out.cnt, 0);
    assert_int_equal(counter(&s, "drop_ip_spoofed"), 1);
    tcp(&s, 1, 2, 100, 1, 80, 3, 5000, CAPY_TCP_ACK);
    assert_true(out_is(&s, 2, 1, 80, 3, 5000));
    tcp(&s, 0, 1, 200, 1, 80, 200, 5000, CAPY_TCP_ACK);
    assert_int_equal(s.out.cnt, 1);
    shut(&s);
}

static void heartbeats_are_acknowledged_with_the_senders_clock(void **st)
{
    (void)st;
    struct stage s;
    struct capy_mig_heartbeat_ack ack;
    boot(&s, 16);
    beat(&s, 1, 1, 7);
    struct capy_mig_msg m = got(&s, 0, 1);
    assert_int_equal(m.type, CAPY_MIG_HEARTBEAT_ACK);
    assert_int_equal(m.mig_id, 4711);
    assert_true(capy_mig_heartbeat_ack_load(m.payload, m.length, &ack));
    assert_int_equal(ack.switch_boot, s.cfg.boot_id);
    assert_int_equal(ack.learning, 0);
    shut(&s);
}

static void frames_to_the_switch_for_a_server_are_routed_to_it(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 16);
    tcp(&s, 1, 2, 100, 200, 5000, 1, 80, CAPY_TCP_ACK); /* put back by server 1, no entry */
    assert_true(out_is(&s, 0, 200, 5000, 1, 80));
    struct capy_mac m = mac(1);
    assert_true(capy_mac_eq(&s.packet.dst_mac, &m));
    tcp(&s, 1, 2, 100, 200, 5000, 77, 80, CAPY_TCP_ACK);
    assert_int_equal(counter(&s, "drop_to_switch"), 1);
    shut(&s);
}

static void broken_frames_stop_nothing(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 16);
    settle(&s, 5000);
    uint64_t x = 1;
    for (unsigned i = 0; i < 200000; i++) {
        size_t len = 1 + i % 130;
        if (i % 3 == 0)
            client_sends(&s, 5000, CAPY_TCP_ACK);
        for (unsigned j = 0; j < 4; j++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            s.frame[(x >> 40) % 60] = (uint8_t)(x >> 32);
        }
        uint8_t *copy = malloc(len); /* so that a sanitizer sees the end */
        memcpy(copy, s.frame, len);
        capy_switch_input(s.sw, (uint16_t)(i % 5), copy, len, s.now, &s.out);
        free(copy);
    }
    shut(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_directions_are_rewritten_with_right_checksums),
        cmocka_unit_test(ecn_passes_both_ways),
        cmocka_unit_test(checksums_are_exact_for_many_addresses_and_ports),
        cmocka_unit_test(only_the_present_sender_passes),
        cmocka_unit_test(a_port_that_a_flow_left_serves_another_of_the_same_client),
        cmocka_unit_test(a_full_directory_is_said_to_both),
        cmocka_unit_test(tcpmig_comes_from_servers_with_a_tag_or_not_at_all),
        cmocka_unit_test(replays_change_nothing),
        cmocka_unit_test(prepare_is_sent_to_the_chosen_target_with_a_valid_tag),
        cmocka_unit_test(a_thousand_prepares_between_two_heartbeats_spread),
        cmocka_unit_test(a_lighter_server_gets_only_what_makes_it_equal),
        cmocka_unit_test(a_lighter_server_without_a_lease_is_passed_over),
        cmocka_unit_test(nothing_is_decided_while_learning),
        cmocka_unit_test(cancel_wins_before_the_commit_and_loses_after),
        cmocka_unit_test(nack_tells_both_sides),
        cmocka_unit_test(an_unknown_flow_is_named_and_then_given_up),
        cmocka_unit_test(death_is_eight_leases_or_a_restart),
        cmocka_unit_test(entries_end_by_fins_by_age_and_by_flow_closed),
        cmocka_unit_test(a_sweep_looks_at_a_bounded_part_of_a_large_directory),
        cmocka_unit_test(a_closed_flow_stays_while_its_end_is_repeated),
        cmocka_unit_test(questions_are_answered_for_itself_and_for_servers_that_are_down),
        cmocka_unit_test(echo_is_answered_for_itself_alone),
        cmocka_unit_test(a_servers_address_from_another_servers_port_is_dropped),
        cmocka_unit_test(heartbeats_are_acknowledged_with_the_senders_clock),
        cmocka_unit_test(frames_to_the_switch_for_a_server_are_routed_to_it),
        cmocka_unit_test(broken_frames_stop_nothing),
    };
    int failed = 0;
    const char *const names[] = {"IPv4", "IPv6", "IPv4 with second addresses"};
    for (rack_kind = RACK_IPV4; rack_kind <= RACK_BOTH; rack_kind++) {
        failed += cmocka_run_group_tests_name(names[rack_kind], tests, NULL, NULL);
    }
    return failed;
}
