/* Opening a connection: the handshake and what is agreed in it (RFC 9293 §3.5, §3.7.1, RFC 7323,
 * RFC 2018, RFC 6691, RFC 6528), repeated and given up SYNs, and names used again (RFC 6191). */
#include "script.h"

/* RFC 9293 MUST-14, SHLD-5, MAY-3: the MSS option is sent in every SYN, and heeded. MUST-65: in no
 * other segment. */
SCRIPT(passive_open_agrees_on_what_was_offered)
{
    int l = listening(t);
    near_wrap(t, SERVICE_PORT);
    in(t, "S 0 <mss 1000,ws 7,sackok,ts 0:0>");
    out(t, "S. 0 ack 1 <mss %u,ws 3,sackok,ts 0:0>", t->v6 ? 1440u : 1460u);
    in(t, ". 1 ack 1 <ts 1:0>");
    silent(t);
    int fd = drive_accept(tool_step(t), l, NULL, NULL);
    put(t, fd, 2000);
    out(t, ". 1:989 ack 1 <ts 0:1>"); /* MUST-16: less the 12 bytes of timestamps */
    out(t, ". 989:1977 ack 1 <ts 0:1>");
    out(t, ". 1977:2001 ack 1 <ts 0:1>");
}

/* RFC 9293 MUST-14, MUST-15: without the option 536 bytes, over IPv6 1220. RFC 7323 §2.2, §3.2, RFC 2018 §2: what
 * was not offered is not used. */
SCRIPT(passive_open_of_a_plain_syn)
{
    int l = listening(t);
    near_wrap(t, SERVICE_PORT);
    in(t, "S 0");
    out(t, "S. 0 ack 1 win 65535 <mss %u>", t->v6 ? 1440u : 1460u);
    in(t, ". 1 ack 1");
    int fd = drive_accept(tool_step(t), l, NULL, NULL);
    unsigned mss = t->v6 ? 1220 : 536;
    put(t, fd, mss + 100);
    out(t, ". 1:%u ack 1 <>", 1 + mss);
    out(t, ". %u:%u ack 1 <>", 1 + mss, 101 + mss);
    in(t, ". 1001:1101 ack 1"); /* no SACK block for it either */
    out(t, ". %u ack 1 <>", 101 + mss);
}

/* RFC 9293 MUST-15 for who opens: a SYN-ACK may be as plain. */
SCRIPT(active_open_of_a_plain_syn_ack)
{
    unsigned mss = t->v6 ? 1220 : 536;
    int fd = connecting(t);
    in(t, "S. 0 ack 1");
    out(t, ". 1 ack 1 <>");
    put(t, fd, mss + 100);
    out(t, ". 1:%u ack 1 <>", 1 + mss);
    out(t, ". %u:%u ack 1 <>", 1 + mss, 101 + mss);
}

/* RFC 6691 §3, RFC 9293 MUST-67: what we offer is what the MTU leaves, options not deducted. */
SCRIPT_WITH(the_offered_mss_is_that_of_the_mtu, o.mtu = 1300)
{
    listening(t);
    near_wrap(t, SERVICE_PORT);
    in(t, "S 0 <mss 9000,ts 0:0>");
    out(t, "S. 0 ack 1 <mss %u,ts 0:0>", 1300 - (t->v6 ? 60 : 40));
}

/* RFC 9293 MUST-16, RFC 6691 §2: never beyond our own MTU, whatever the peer can take. */
SCRIPT_WITH(a_segment_fits_both_ends, o.mtu = 1300)
{
    unsigned mss = 1300 - (t->v6 ? 60 : 40);
    int l = listening(t);
    near_wrap(t, SERVICE_PORT);
    in(t, "S 0 <mss 9000>");
    out(t, "S. 0 ack 1 <mss %u>", mss);
    in(t, ". 1 ack 1");
    put(t, drive_accept(tool_step(t), l, NULL, NULL), 2000);
    out(t, ". 1:%u ack 1", 1 + mss);
    out(t, ". %u:2001 ack 1", 1 + mss);
}

SCRIPT(active_open_offers_everything)
{
    int fd = connecting(t);
    char like[100] = "";
    const struct capy_tcp_segment *syn = &last(t)->tcp;
    snprintf(like, sizeof like, "%x %u", syn->opts, syn->mss);
    assert_string_equal(like, t->v6 ? "f 1440" : "f 1460"); /* mss, ws, sackok, ts */
    in(t, "S. 0 ack 1 <mss 1000,ws 2,sackok,ts 0:0>");
    out(t, ". 1 ack 1 <ts 0:0>");
    assert_int_equal(state_of(t, fd), TCP_ESTABLISHED);
    struct sockaddr_storage theirs, wanted;
    socklen_t len = sizeof theirs, wanted_len;
    memset(&theirs, 0, sizeof theirs);
    name_of(t, false, PEER_PORT, &wanted, &wanted_len);
    assert_int_equal(drive_getpeername(tool_step(t), fd, (struct sockaddr *)&theirs, &len), 0);
    assert_int_equal(len, wanted_len);
    assert_memory_equal(&theirs, &wanted, len);
    put(t, fd, 1000);
    out(t, ". 1:989 ack 1");
    out(t, ". 989:1001 ack 1");
}

SCRIPT_WITH(options_that_are_off_are_not_offered,
            (o.timestamps = false, o.sack = false, o.window_scale = false))
{
    connecting(t);
    assert_int_equal(last(t)->tcp.opts, CAPY_TCP_OPT_MSS);
    in(t, "S. 0 ack 1 <mss 1000,ws 2,sackok,ts 0:0>"); /* a peer that did not listen */
    out(t, ". 1 ack 1 <>");
    in(t, ". 1:101 ack 1");
    out(t, ". 1 ack 101 <>");
}

SCRIPT_WITH(options_that_are_off_are_not_taken,
            (o.timestamps = false, o.sack = false, o.window_scale = false))
{
    listening(t);
    near_wrap(t, SERVICE_PORT);
    in(t, "S 0 <mss 1000,ws 7,sackok,ts 0:0>");
    out(t, "S. 0 ack 1 <mss %u>", t->v6 ? 1440u : 1460u);
}

/* RFC 7323 §2.2: the window of a SYN is never scaled; §2.3: a shift beyond 14 is 14. */
SCRIPT_WITH(windows_are_scaled_behind_the_handshake, o.initial_window = 30)
{
    int fd = connected(t, "ws 15");
    in(t, ". 1 ack 1 win 1"); /* 16384 bytes */
    put(t, fd, 30000);
    assert_int_equal(drain(t), 16);
}

/* RFC 9293 MUST-10, Figure 8. */
SCRIPT(both_sides_open_at_once)
{
    int fd = connecting(t);
    in(t, "S 0 <mss 1000>");
    out(t, "S. 0 ack 1");
    in(t, "S. 0 ack 1 <mss 1000>");
    out(t, ". 1 ack 1");
    assert_int_equal(state_of(t, fd), TCP_ESTABLISHED);
    put(t, fd, 10);
    out(t, ". 1:11 ack 1");
    in(t, ". 1:21 ack 11");
    out(t, ". 11 ack 21");
    get(t, fd, 20);
}

/* RFC 9293 MUST-11, §3.10.7.4: a reset sends a passive open back to LISTEN, an active one is over. */
SCRIPT(a_reset_of_a_half_open_connection_returns_to_listen)
{
    int l = listening(t);
    near_wrap(t, SERVICE_PORT);
    in(t, "S 0");
    out(t, "S. 0 ack 1");
    in(t, "R 1");
    silent_for(t, 10 * SEC);
    assert_fails(drive_accept(tool_step(t), l, NULL, NULL), EAGAIN);
    in(t, "S 500");
    out(t, "S. 0 ack 501");
}

/* RFC 9293 Figure 9: an old SYN comes first; the peer resets what it led to. */
SCRIPT(an_old_syn_is_recovered_from)
{
    int l = listening(t);
    near_wrap(t, SERVICE_PORT);
    in(t, "S -100");
    out(t, "S. 0 ack -99");
    in(t, "R -99");
    in(t, "S 0");
    out(t, "S. 0 ack 1");
    in(t, ". 1 ack 1");
    assert_true(drive_accept(tool_step(t), l, NULL, NULL) >= 0);
}

/* RFC 9293 MUST-22, MUST-23, RFC 6298 §2.1, §5.5: a SYN waits a second, then twice as long each time,
 * three minutes in all. */
SCRIPT(an_unanswered_syn)
{
    int fd = connecting(t);
    uint64_t began = t->at, gap = SEC;
    for (unsigned i = 0; i < 7; i++) {
        out_in(t, gap - MS, gap + MS, "S 0");
        gap = 2 * gap > 60 * SEC ? 60 * SEC : 2 * gap;
    }
    drive_sleep(tool_step(t), began + 180 * SEC - drive_now(t->d));
    assert_int_equal(state_of(t, fd), TCP_SYN_SENT);
    silent_for(t, 60 * SEC);
    get_error(t, fd, ETIMEDOUT);
}

/* The peer did not get our SYN-ACK: it goes again by the timer. */
SCRIPT(an_unanswered_syn_ack)
{
    int l = listening(t);
    near_wrap(t, SERVICE_PORT);
    in(t, "S 0 <mss 1000>");
    out(t, "S. 0 ack 1");
    out_in(t, SEC - MS, SEC + MS, "S. 0 ack 1");
    out_in(t, 2 * SEC - MS, 2 * SEC + MS, "S. 0 ack 1");
    in(t, ". 1 ack 1");
    assert_true(drive_accept(tool_step(t), l, NULL, NULL) >= 0);
    silent_for(t, 100 * SEC);
}

/* RFC 6298 §5.7, RFC 5681 §3.1: after a lost SYN data begins with a timeout of 3 s and one segment. */
SCRIPT_WITH(after_a_lost_syn_one_segment_goes, o.timestamps = false)
{
    int fd = connecting(t);
    out_in(t, SEC - MS, SEC + MS, "S 0");
    in(t, "S. 0 ack 1 <mss 1000>");
    out(t, ". 1 ack 1");
    put(t, fd, 3000);
    out(t, ". 1:1001 ack 1");
    out_in(t, 3 * SEC - MS, 3 * SEC + MS, ". 1:1001 ack 1");
}

/* RFC 5681 §3.1, RFC 6928: else ten segments. */
SCRIPT(the_initial_window_is_ten_segments)
{
    int fd = accepted(t, "");
    put(t, fd, 20000);
    assert_int_equal(drain(t), 10);
}

SCRIPT_WITH(the_initial_window_may_be_set, o.initial_window = 2)
{
    int fd = accepted(t, "");
    put(t, fd, 20000);
    assert_int_equal(drain(t), 2);
}

/* RFC 9293 MUST-8, MUST-9, SHLD-1, RFC 6528: a clock of 4 us and a secret of each tuple. */
SCRIPT(initial_sequence_numbers_follow_a_clock)
{
    listening(t);
    in(t, "S 0");
    assert_int_equal(drain(t), 1);
    uint32_t first = t->iss;
    in(t, "R 1");
    drive_sleep(tool_step(t), 4000000);
    in(t, "S 0");
    assert_int_equal(drain(t), 1);
    assert_in_range(t->iss - first, 997, 1002);
    in(t, "R 1");
    t->peer_port++; /* another tuple: another secret */
    in(t, "S 0");
    assert_int_equal(drain(t), 1);
    assert_not_in_range(t->iss - first, 0, 100000);
    t->peer_port--;
}

/* RFC 9293 MAY-2, RFC 6191 §2: in TIME_WAIT a SYN with a later timestamp, or number, opens anew; one
 * of before is challenged. */
static int in_time_wait(struct tool *t, const char *options, const char *ts)
{
    int fd = accepted(t, options);
    assert_int_equal(drive_shutdown(tool_step(t), fd, SHUT_WR), 0);
    out(t, "F. 1 ack 1");
    in(t, "F. 1 ack 2%s", ts);
    out(t, ". 2 ack 2");
    assert_int_equal(state_of(t, fd), TCP_TIME_WAIT);
    return fd;
}

SCRIPT(time_wait_ends_early_for_a_later_timestamp)
{
    int fd = in_time_wait(t, "ts 0:0", " <ts 5:0>");
    in(t, "S -9000 <ts 4:0>");
    out(t, ". 2 ack 2");
    assert_int_equal(state_of(t, fd), TCP_TIME_WAIT);
    in(t, "S -9000 <ts 6:0>");
    out(t, "S. 0 ack -8999");
}

SCRIPT(time_wait_ends_early_for_a_later_number)
{
    int fd = in_time_wait(t, "", "");
    in(t, "S 1");
    out(t, ". 2 ack 2");
    assert_int_equal(state_of(t, fd), TCP_TIME_WAIT);
    in(t, "S 3");
    out(t, "S. 0 ack 4");
}

/* RFC 9293 MUST-46, MUST-57, MUST-63: nobody is connected to a group, and none of its members'
 * segments count. */
SCRIPT(groups_and_nobodies_are_no_peers)
{
    static const char *const none[] = {"224.0.0.1", "255.255.255.255", "192.0.2.255", "0.0.0.0",
                                       "192.0.2.1"};
    int fd = drive_socket(tool_step(t), AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    for (size_t i = 0; !t->v6 && i < sizeof none / sizeof *none; i++) {
        struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(80)};
        struct capy_ip ip;
        assert_int_equal(capy_ip_parse(none[i], &ip), 0);
        name.sin_addr.s_addr = htonl(capy_ip_v4(&ip));
        assert_fails(drive_connect(tool_step(t), fd, (struct sockaddr *)&name, sizeof name),
                     ENETUNREACH);
    }
    silent_for(t, 10 * SEC);
}

/* RFC 1122 §3.3.1.1: what is not on the link is behind a gateway, or nowhere. */
static void connect_far(struct tool *t, int wanted)
{
    struct sockaddr_in name = tool_name(0x0a000001u, 80); /* 10.0.0.1 */
    int fd = drive_socket(tool_step(t), AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_fails(drive_connect(tool_step(t), fd, (struct sockaddr *)&name, sizeof name), wanted);
    assert_int_equal(drain(t), wanted == EINPROGRESS);
}

static void not_without_a_gateway(struct tool *t)
{
    connect_far(t, ENETUNREACH);
}

static void by_a_gateway(struct tool *t)
{
    connect_far(t, EINPROGRESS);
}

static void a_gateway_leads_off_the_link(void **state)
{
    (void)state;
    struct drive_options o = script_options();
    tool_twice(not_without_a_gateway, &o);
    o.gateway = "192.0.2.254";
    tool_twice(by_a_gateway, &o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passive_open_agrees_on_what_was_offered),
        cmocka_unit_test(passive_open_of_a_plain_syn),
        cmocka_unit_test(active_open_of_a_plain_syn_ack),
        cmocka_unit_test(the_offered_mss_is_that_of_the_mtu),
        cmocka_unit_test(a_segment_fits_both_ends),
        cmocka_unit_test(active_open_offers_everything),
        cmocka_unit_test(options_that_are_off_are_not_offered),
        cmocka_unit_test(options_that_are_off_are_not_taken),
        cmocka_unit_test(windows_are_scaled_behind_the_handshake),
        cmocka_unit_test(both_sides_open_at_once),
        cmocka_unit_test(a_reset_of_a_half_open_connection_returns_to_listen),
        cmocka_unit_test(an_old_syn_is_recovered_from),
        cmocka_unit_test(an_unanswered_syn),
        cmocka_unit_test(an_unanswered_syn_ack),
        cmocka_unit_test(after_a_lost_syn_one_segment_goes),
        cmocka_unit_test(the_initial_window_is_ten_segments),
        cmocka_unit_test(the_initial_window_may_be_set),
        cmocka_unit_test(initial_sequence_numbers_follow_a_clock),
        cmocka_unit_test(time_wait_ends_early_for_a_later_timestamp),
        cmocka_unit_test(time_wait_ends_early_for_a_later_number),
        cmocka_unit_test(groups_and_nobodies_are_no_peers),
        cmocka_unit_test(a_gateway_leads_off_the_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
