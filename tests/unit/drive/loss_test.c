/* Loss and time: the retransmission timeout (RFC 6298), slow start and fast retransmit (RFC 5681,
 * RFC 6582, RFC 3042), recovery by SACK and by time (RFC 6675, RFC 8985, RFC 6937), giving up and keep-alive
 * (RFC 9293 §3.8.3, §3.8.4, RFC 5482). */
#include "script.h"

/* A connection of ours whose handshake took this long. */
static int connected_after(struct tool *t, uint64_t rtt, const char *options)
{
    int fd = connecting(t);
    drive_sleep(tool_step(t), rtt);
    in(t, "S. 0 ack 1 <mss 1000%s%s>", *options ? "," : "", options);
    assert_int_equal(drain(t), 1);
    return fd;
}

/* ---- RFC 6298 ---- */

/* RFC 9293 MUST-18, RFC 6298 §2.2, §2.3: SRTT and RTTVAR; §5.1, §5.4: the first unacknowledged
 * segment goes again after RTO; §5.5: then after twice as long. */
SCRIPT(the_timeout_follows_the_round_trip)
{
    int fd = connected_after(t, 100 * MS, "");
    assert_in_range(info_of(t, fd).tcpi_rtt, 99900, 100100);
    assert_in_range(info_of(t, fd).tcpi_rttvar, 49900, 50100);
    put(t, fd, 2000);
    assert_int_equal(drain(t), 2);
    out_in(t, 299 * MS, 301 * MS, ". 1:1001 ack 1");
    out_in(t, 599 * MS, 601 * MS, ". 1:1001 ack 1");
    out_in(t, 1199 * MS, 1201 * MS, ". 1:1001 ack 1");
}

SCRIPT(each_round_trip_moves_the_average)
{
    int fd = connected_after(t, 100 * MS, "");
    put(t, fd, 100);
    out(t, ". 1:101 ack 1");
    drive_sleep(tool_step(t), 200 * MS);
    in(t, ". 1 ack 101");
    assert_in_range(info_of(t, fd).tcpi_rtt, 112400, 112600);  /* 7/8 100 + 1/8 200 */
    assert_in_range(info_of(t, fd).tcpi_rttvar, 62400, 62600); /* 3/4 50 + 1/4 100 */
}

/* RFC 6298 §5.2, §5.3: new acknowledgments start the timer anew; the last one stops it. */
SCRIPT(an_ack_starts_the_timer_anew)
{
    int fd = connected_after(t, 100 * MS, "");
    put(t, fd, 2000);
    assert_int_equal(drain(t), 2);
    drive_sleep(tool_step(t), 90 * MS);
    in(t, ". 1 ack 1001");
    unsigned rto_us = info_of(t, fd).tcpi_rto;
    out_in(t, rto_us * 1000ull - MS, rto_us * 1000ull + MS, ". 1001:2001 ack 1");
    in(t, ". 1 ack 2001");
    silent_for(t, 100 * SEC);
}

/* RFC 6298 §3, §5: Karn's algorithm: a repeated segment gives no sample, and the timeout stays backed
 * off until one comes. */
SCRIPT(a_repeated_segment_gives_no_sample)
{
    int fd = connected_after(t, 100 * MS, "");
    put(t, fd, 100);
    out(t, ". 1:101 ack 1");
    out_in(t, 299 * MS, 301 * MS, ". 1:101 ack 1");
    in(t, ". 1 ack 101");
    assert_in_range(info_of(t, fd).tcpi_rtt, 99900, 100100);
    put(t, fd, 100);
    out(t, ". 101:201 ack 1");
    out_in(t, 599 * MS, 601 * MS, ". 101:201 ack 1");
    in(t, ". 1 ack 201");
}

/* DEVIATION(RFC 6298 §2.4): the timeout is at least 200 ms, not a second. §2.5: at most a minute. */
SCRIPT(the_timeout_has_bounds)
{
    int fd = connected_after(t, MS, "");
    set_option(t, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 1000000);
    put(t, fd, 100);
    out(t, ". 1:101 ack 1");
    uint64_t gap = 200 * MS;
    for (unsigned i = 0; i < 12; i++) {
        out_in(t, gap - MS, gap + MS, ". 1:101 ack 1");
        gap = 2 * gap > 60 * SEC ? 60 * SEC : 2 * gap;
    }
}

/* ---- RFC 5681 ---- */

/* RFC 9293 MUST-19, RFC 5681 §3.1: the window grows by what is acknowledged, while it is used. */
SCRIPT_WITH(slow_start, o.initial_window = 2)
{
    int fd = accepted(t, "");
    put(t, fd, 20000);
    assert_int_equal(drain(t), 2);
    in(t, ". 1 ack 1001");
    assert_int_equal(drain(t), 2);
    in(t, ". 1 ack 2001");
    assert_int_equal(drain(t), 2);
    in(t, ". 1 ack 4001");
    assert_int_equal(drain(t), 4);
}

/* RFC 5681 §3.1: after a timeout the window is one segment, and ssthresh half of what was out;
 * §4.3, RFC 6582 §4: what was out then goes again as slow start allows. */
SCRIPT(the_loss_window_is_one_segment)
{
    int fd = accepted(t, "");
    put(t, fd, 10000);
    assert_int_equal(drain(t), 10);
    out_in(t, 199 * MS, 201 * MS, ". 1:1001 ack 1");
    assert_in_range(info_of(t, fd).tcpi_snd_ssthresh, 5, 7);
    assert_int_equal(info_of(t, fd).tcpi_snd_cwnd, 1);
    in(t, ". 1 ack 1001");
    out(t, ". 1001:2001 ack 1");
    out(t, ". 2001:3001 ack 1");
    silent(t);
    in(t, ". 1 ack 10001");
    silent_for(t, 10 * SEC);
}

/* RFC 5681 §3.2, RFC 3042: the first two duplicates let new segments out, the third brings the lost
 * one at once; with the next ones new data. RFC 6582 §3.2: a partial ACK brings the next hole. */
SCRIPT_WITH(three_duplicates_retransmit, o.congestion = "newreno")
{
    int fd = accepted(t, "");
    put(t, fd, 20000);
    assert_int_equal(drain(t), 10);
    in(t, ". 1 ack 1");
    out(t, ". 10001:11001 ack 1");
    in(t, ". 1 ack 1");
    out(t, ". 11001:12001 ack 1");
    in(t, ". 1 ack 1");
    out(t, ". 1:1001 ack 1");
    silent(t);
    in(t, ". 1 ack 3001");
    out(t, ". 3001:4001 ack 1");
    drain(t);
    in(t, ". 1 ack 12001");
    assert_in_range(info_of(t, fd).tcpi_snd_cwnd, 4, 6);
}

/* RFC 5681 §2: what moves the window or carries data is no duplicate. */
SCRIPT(not_everything_is_a_duplicate)
{
    int fd = accepted(t, "");
    put(t, fd, 3000);
    assert_int_equal(drain(t), 3);
    for (unsigned i = 1; i <= 4; i++)
        in(t, ". 1 ack 1 win %u", 20000 + i * 1000);
    silent(t);
    for (unsigned i = 0; i < 4; i++)
        in(t, ". %u:%u ack 1 win 24000", 1 + i * 10, 11 + i * 10);
    assert_int_equal(drain(t), 4); /* our ACKs */
    assert_int_equal(info_of(t, fd).tcpi_total_retrans, 0);
}

/* ---- SACK and time ---- */

/* RFC 6675 §5: just the holes go again. RFC 2018 §5: and not what was reported. */
SCRIPT(sack_recovery_fills_the_holes)
{
    int fd = accepted(t, "sackok");
    put(t, fd, 10000);
    assert_int_equal(drain(t), 10);
    in(t, ". 1 ack 1 <sack 1001:3001>");
    in(t, ". 1 ack 1 <sack 1001:3001 4001:10001>");
    drive_sleep(tool_step(t), 20 * MS);
    out(t, ". 1:1001 ack 1");
    silent(t); /* RFC 6937: one out for one that left */
    in(t, ". 1 ack 3001 <sack 4001:10001>");
    out(t, ". 3001:4001 ack 1");
    silent(t);
    in(t, ". 1 ack 10001");
    silent_for(t, 10 * SEC);
}

/* RFC 8985 §6.2: one report is enough, after a quarter of the round trip. */
SCRIPT(what_is_late_is_lost_after_a_while)
{
    int fd = connected_after(t, 100 * MS, "sackok");
    put(t, fd, 3000);
    assert_int_equal(drain(t), 3);
    drive_sleep(tool_step(t), 100 * MS);
    in(t, ". 1 ack 1 <sack 1001:2001>");
    out_in(t, 20 * MS, 30 * MS, ". 1:1001 ack 1");
    in(t, ". 1 ack 2001");
    in(t, ". 1 ack 3001");
    silent_for(t, 10 * SEC);
}

/* RFC 8985 §7: a lost tail is probed after two round trips. */
SCRIPT(a_lost_tail_is_probed)
{
    int fd = connected_after(t, 100 * MS, "sackok");
    put(t, fd, 3000);
    assert_int_equal(drain(t), 3);
    out_in(t, 199 * MS, 250 * MS, ". 2001:3001 ack 1");
    drive_sleep(tool_step(t), 100 * MS);
    in(t, ". 1 ack 1001 <sack 2001:3001>");
    drive_sleep(tool_step(t), 30 * MS);
    out(t, ". 1001:2001 ack 1");
    in(t, ". 1 ack 3001");
    silent_for(t, 10 * SEC);
}

/* ---- giving up ---- */

/* RFC 9293 MUST-20, SHLD-11: 100 seconds at least are waited for an answer. */
SCRIPT(silence_is_borne_for_minutes)
{
    int fd = accepted(t, "");
    put(t, fd, 100);
    drive_sleep(tool_step(t), 299 * SEC);
    assert_int_equal(state_of(t, fd), TCP_ESTABLISHED);
    assert_true(drain(t) > 5);
    drive_sleep(tool_step(t), 62 * SEC);
    drain(t);
    get_error(t, fd, ETIMEDOUT);
    in(t, ". 1 ack 101");
    out(t, "R 101");
}

/* RFC 9293 MUST-21, RFC 5482: or as long as the application says. */
SCRIPT(the_application_sets_how_long)
{
    int fd = accepted(t, "");
    set_option(t, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000);
    put(t, fd, 100);
    drive_sleep(tool_step(t), 4900 * MS);
    assert_int_equal(state_of(t, fd), TCP_ESTABLISHED);
    drive_sleep(tool_step(t), 200 * MS);
    drain(t);
    get_error(t, fd, ETIMEDOUT);
}

/* ---- keep-alive ---- */

/* RFC 9293 MUST-25: off unless asked for. MUST-28: two hours. */
SCRIPT(nobody_is_asked_unless_wanted)
{
    int fd = accepted(t, "");
    silent_for(t, 24 * 3600 * SEC);
    set_option(t, fd, SOL_SOCKET, SO_KEEPALIVE, 1); /* MUST-24 */
    silent_for(t, 7199 * SEC);
    out_in(t, 0, 2 * SEC, ". 0 ack 1");
    in(t, ". 1 ack 1");
    set_option(t, fd, SOL_SOCKET, SO_KEEPALIVE, 0);
    silent_for(t, 24 * 3600 * SEC);
}

/* RFC 9293 MUST-27: the times are set; MUST-29, SHLD-12: probes without data below the window, and no
 * single one decides. */
SCRIPT(a_silent_peer_is_asked_thrice)
{
    int fd = accepted(t, "");
    set_option(t, fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(t, fd, IPPROTO_TCP, TCP_KEEPIDLE, 10);
    set_option(t, fd, IPPROTO_TCP, TCP_KEEPINTVL, 2);
    set_option(t, fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
    out_in(t, 9 * SEC, 11 * SEC, ". 0 ack 1");
    in(t, ". 1 ack 1"); /* it is there */
    out_in(t, 9 * SEC, 11 * SEC, ". 0 ack 1");
    out_in(t, 1 * SEC, 3 * SEC, ". 0 ack 1");
    out_in(t, 1 * SEC, 3 * SEC, ". 0 ack 1");
    assert_int_equal(state_of(t, fd), TCP_ESTABLISHED);
    drive_sleep(tool_step(t), 3 * SEC);
    drain(t);
    get_error(t, fd, ETIMEDOUT);
}

/* RFC 9293 MUST-26: not while data is outstanding, nor soon after anything came. */
SCRIPT(nobody_is_asked_who_says_something)
{
    int fd = accepted(t, "");
    set_option(t, fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(t, fd, IPPROTO_TCP, TCP_KEEPIDLE, 10);
    for (unsigned i = 0; i < 5; i++) {
        silent_for(t, 9 * SEC);
        in(t, ". %u:%u ack 1", 1 + i, 2 + i);
        out(t, ". 1 ack %u", 2 + i);
    }
    put(t, fd, 100);
    drive_sleep(tool_step(t), 60 * SEC);
    while (drain(t) > 0)
        assert_int_equal(last(t)->tcp.data_len, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_timeout_follows_the_round_trip),
        cmocka_unit_test(each_round_trip_moves_the_average),
        cmocka_unit_test(an_ack_starts_the_timer_anew),
        cmocka_unit_test(a_repeated_segment_gives_no_sample),
        cmocka_unit_test(the_timeout_has_bounds),
        cmocka_unit_test(slow_start),
        cmocka_unit_test(the_loss_window_is_one_segment),
        cmocka_unit_test(three_duplicates_retransmit),
        cmocka_unit_test(not_everything_is_a_duplicate),
        cmocka_unit_test(sack_recovery_fills_the_holes),
        cmocka_unit_test(what_is_late_is_lost_after_a_while),
        cmocka_unit_test(a_lost_tail_is_probed),
        cmocka_unit_test(silence_is_borne_for_minutes),
        cmocka_unit_test(the_application_sets_how_long),
        cmocka_unit_test(nobody_is_asked_unless_wanted),
        cmocka_unit_test(a_silent_peer_is_asked_thrice),
        cmocka_unit_test(nobody_is_asked_who_says_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
