/* Flow control and acknowledgements: windows closed, probed, shrunk and silly (RFC 9293 §3.8.6), small
 * segments (§3.7.4), delayed acknowledgements (§3.8.6.3), reassembly and SACK as the receiver
 * (RFC 2018, RFC 2883), the push bit (§3.9.1.2). */
#include "script.h"

/* ---- the peer's window ---- */

/* RFC 9293 MUST-1: 65535 is a window, not -1. */
SCRIPT_WITH(a_window_is_unsigned, o.initial_window = 64)
{
    int fd = accepted(t, "");
    in(t, ". 1 ack 1 win 65535");
    put(t, fd, 65000);
    assert_int_equal(drain(t), 64);
}

/* RFC 9293 MUST-35, MUST-36, SHLD-29, SHLD-30: a closed window is probed after a timeout, then half as
 * often each time; MUST-37, MAY-8: for as long as the peer answers. */
SCRIPT(a_closed_window_is_probed_for_ever)
{
    int fd = accepted(t, "");
    in(t, ". 1 ack 1 win 0");
    put(t, fd, 100);
    uint64_t gap = 0;
    silent(t);
    uint64_t before = drive_now(t->d);
    for (unsigned i = 0; i < 20; i++) {
        out_in(t, gap, 61 * SEC, ". 1:2 ack 1");
        if (gap < 30 * SEC)
            assert_true(t->at - before >= gap + gap * 9 / 10);
        gap = t->at - before;
        before = t->at;
        in(t, ". 1 ack 1 win 0");
    }
    assert_true(drive_now(t->d) > 600 * SEC);
    in(t, ". 1 ack 1 win 1000");
    out(t, ". 1:101 ack 1");
    silent(t);
}

/* RFC 9293 §3.7.4, §3.8.6.2.1: the rest of a write does not wait for the ACK of the byte that probed
 * for it: Nagle's algorithm is against a second small segment, and this is one. */
SCRIPT_WITH(an_open_window_is_used_at_once, o.nagle = true)
{
    int fd = accepted(t, "");
    in(t, ". 1 ack 1 win 0");
    put(t, fd, 100);
    out_in(t, 0, SEC, ". 1:2 ack 1");
    in(t, ". 1 ack 1 win 2000");
    out(t, "P. 1:101 ack 1");
    put(t, fd, 50);
    silent(t); /* now it waits */
    in(t, ". 1 ack 101 win 0");
    out_in(t, 0, SEC, ". 101:102 ack 1");
    put(t, fd, 1500);
    in(t, ". 1 ack 101 win 2000");
    out(t, ". 101:1101 ack 1");
    silent(t); /* of more than a segment the last part waits as ever */
    in(t, ". 1 ack 1101 win 2000");
    out(t, "P. 1101:1651 ack 1");
}

/* A window that opens by less than is worth a segment gets what had gone into it, and no more; nor does
 * a cork come loose. The FIN goes along. */
SCRIPT(an_open_window_is_used_with_care)
{
    int fd = accepted(t, "");
    in(t, ". 1 ack 1 win 0");
    put(t, fd, 100);
    out_in(t, 0, SEC, ". 1:2 ack 1");
    in(t, ". 1 ack 1 win 50");
    out(t, ". 1:2 ack 1");
    in(t, ". 1 ack 2 win 0");
    out_in(t, 0, SEC, ". 2:3 ack 1");
    set_option(t, fd, IPPROTO_TCP, TCP_CORK, 1);
    in(t, ". 1 ack 2 win 1000");
    out(t, ". 2:3 ack 1");
    silent(t);
    in(t, ". 1 ack 2 win 0");
    assert_int_equal(drive_shutdown(tool_step(t), fd, SHUT_WR), 0);
    in(t, ". 1 ack 2 win 1000");
    out(t, "FP. 2:101 ack 1");
    in(t, ". 1 ack 102 win 1000");
    silent_for(t, 10 * SEC);
    assert_int_equal(state_of(t, fd), TCP_FIN_WAIT2);
}

/* A peer that does not answer the probes is given up after the user timeout. */
SCRIPT(unanswered_probes_end)
{
    int fd = accepted(t, "");
    set_option(t, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 20000);
    in(t, ". 1 ack 1 win 0");
    put(t, fd, 100);
    drive_sleep(tool_step(t), 19 * SEC);
    assert_int_equal(state_of(t, fd), TCP_ESTABLISHED);
    assert_true(drain(t) > 3);
    drive_sleep(tool_step(t), 2 * SEC);
    get_error(t, fd, ETIMEDOUT);
}

/* RFC 9293 MUST-34, SHLD-15, SHLD-16: the peer takes back window it had promised: nothing new beyond
 * it, and what is lost goes again within it. SHLD-17: that alone is no reason to give up. */
SCRIPT(a_window_may_shrink)
{
    int fd = accepted(t, "");
    put(t, fd, 8000);
    assert_int_equal(drain(t), 8);
    in(t, ". 1 ack 1001 win 1500"); /* 2001:2501 and all behind is beyond it now */
    put(t, fd, 1000);
    silent(t);
    in(t, ". 1 ack 8001 win 1500");
    out(t, ". 8001:9001 ack 1");
}

/* RFC 9293 §3.10.7.4, fifth step: only news about the window count. */
SCRIPT(an_old_segment_does_not_move_the_window)
{
    int fd = accepted(t, "");
    in(t, ". 1:101 ack 1 win 5000");
    out(t, ". 1 ack 101");
    in(t, ". 1:101 ack 1 win 0"); /* an old duplicate */
    out(t, ". 1 ack 101");
    put(t, fd, 1000);
    out(t, ". 1:1001 ack 101");
    in(t, ". 101 ack 1001 win 0");
    put(t, fd, 10);
    silent(t);
    in(t, ". 101 ack 501 win 5000"); /* an older ACK */
    silent(t);
}

/* RFC 9293 MUST-38: no silly segments: less than one, and less than half of the largest window, waits
 * for room, but not for ever. */
SCRIPT(the_sender_avoids_silly_windows)
{
    int fd = accepted(t, "");
    in(t, ". 1 ack 1 win 300");
    put(t, fd, 5000);
    silent(t);
    out_in(t, 100 * MS, 1100 * MS, ". 1:301 ack 1");
    in(t, ". 1 ack 301 win 300");
    silent(t);
    in(t, ". 1 ack 301 win 1000");
    out(t, ". 301:1301 ack 1");
}

/* ---- our window ---- */

/* RFC 9293 MUST-39, SHLD-14: the edge moves by a segment or half the buffer, and never to the left. */
SCRIPT_WITH(the_receiver_avoids_silly_windows, o.receive_buffer = 4096)
{
    int fd = accepted(t, "");
    in(t, ". 1:1001 ack 1");
    out(t, ". 1 ack 1001 win 3096");
    in(t, ". 1001:2001 ack 1");
    out(t, ". 1 ack 2001 win 2096");
    in(t, ". 2001:3001 ack 1");
    out(t, ". 1 ack 3001 win 1096");
    in(t, ". 3001:4001 ack 1");
    out(t, ". 1 ack 4001 win 96");
    get(t, fd, 100);
    silent(t); /* 196 bytes would be silly */
    get(t, fd, 1000);
    out(t, ". 1 ack 4001 win 1196");
    get(t, fd, 900);
    silent(t);
    get(t, fd, 1000);
}

/* RFC 9293 §3.10.7.4, first step, MUST-66: into a closed window nothing enters but ACK and RST. */
SCRIPT_WITH(a_closed_window_lets_acks_and_resets_in, o.receive_buffer = 4096)
{
    int fd = accepted(t, "");
    put(t, fd, 100);
    out(t, ". 1:101 ack 1");
    for (unsigned i = 0; i < 4; i++)
        in(t, ". %u:%u ack 1", 1 + i * 1000, 1001 + i * 1000);
    in(t, ". 4001:4097 ack 1");
    assert_int_equal(drain(t), 5);
    assert_int_equal(last(t)->tcp.window, 0);
    in(t, ". 4097:4098 ack 101"); /* a probe: refused, its ACK counts */
    out(t, ". 101 ack 4097 win 0");
    assert_int_equal(info_of(t, fd).tcpi_unacked, 0);
    in(t, "R 4097");
    get_error(t, fd, ECONNRESET);
}

/* RFC 9293 §3.8.6: reading opens a closed window, and says so. */
SCRIPT_WITH(reading_opens_a_closed_window, o.receive_buffer = 4096)
{
    int fd = accepted(t, "");
    for (unsigned i = 0; i < 4; i++)
        in(t, ". %u:%u ack 1", 1 + i * 1024, 1 + (i + 1) * 1024);
    assert_int_equal(drain(t), 4);
    get(t, fd, 4096);
    out(t, ". 1 ack 4097 win 4096");
    in(t, ". 4097:5097 ack 1");
    out(t, ". 1 ack 5097 win 3096");
}

/* ---- acknowledgements ---- */

/* RFC 9293 SHLD-18, MUST-40, RFC 5681 §4.2: one small segment may wait, less than half a second. */
SCRIPT_WITH(an_ack_may_wait, o.delayed_ack = true)
{
    int fd = accepted(t, "");
    in(t, ". 1:101 ack 1");
    silent(t);
    out_in(t, 1, 499 * MS, ". 1 ack 101");
    in(t, ". 101:201 ack 1");
    get(t, fd, 200);
    put(t, fd, 50); /* an answer carries it */
    out(t, ". 1:51 ack 201");
    in(t, ". 201 ack 51");
    silent_for(t, SEC);
}

SCRIPT_WITH(an_ack_waits_as_long_as_it_is_told, (o.delayed_ack = true, o.delayed_ack_ms = 300))
{
    accepted(t, "");
    in(t, ". 1:101 ack 1");
    out_in(t, 299 * MS, 301 * MS, ". 1 ack 101");
}

/* RFC 9293 SHLD-19, RFC 5681 §4.2: not beyond two full segments; around holes not at all. */
SCRIPT_WITH(an_ack_does_not_always_wait, o.delayed_ack = true)
{
    accepted(t, "");
    in(t, ". 1:1001 ack 1");
    silent(t);
    in(t, ". 1001:2001 ack 1");
    out(t, ". 1 ack 2001");
    in(t, ". 3001:4001 ack 1"); /* ahead of a hole (MAY-13) */
    out(t, ". 1 ack 2001");
    in(t, ". 2001:3001 ack 1"); /* and filling it */
    out(t, ". 1 ack 4001");
    in(t, ". 1:1001 ack 1"); /* a duplicate */
    out(t, ". 1 ack 4001");
}

/* ---- reassembly ---- */

/* RFC 9293 SHLD-31: what arrives ahead is kept; each byte is delivered once, whatever overlaps. */
SCRIPT(segments_in_any_order)
{
    int fd = accepted(t, "");
    in(t, ". 501:1001 ack 1");
    out(t, ". 1 ack 1");
    in(t, ". 301:701 ack 1");
    out(t, ". 1 ack 1");
    in(t, ". 901:1101 ack 1");
    out(t, ". 1 ack 1");
    in(t, "F. 1201 ack 1");
    out(t, ". 1 ack 1");
    in(t, ". 1:401 ack 1");
    out(t, ". 1 ack 1101");
    in(t, ". 1001:1201 ack 1");
    out(t, ". 1 ack 1202");
    get(t, fd, 1201 - 1);
    get_end(t, fd);
}

/* RFC 2018 §4: the latest block first, then those reported before. RFC 2883 §4: duplicates. */
SCRIPT(sack_blocks_tell_what_is_held)
{
    accepted(t, "sackok");
    in(t, ". 1001:1101 ack 1");
    out(t, ". 1 ack 1 <sack 1001:1101>");
    in(t, ". 2001:2101 ack 1");
    out(t, ". 1 ack 1 <sack 2001:2101 1001:1101>");
    in(t, ". 3001:3101 ack 1");
    out(t, ". 1 ack 1 <sack 3001:3101 2001:2101 1001:1101>");
    in(t, ". 1101:1201 ack 1");
    out(t, ". 1 ack 1 <sack 1001:1201 3001:3101 2001:2101>");
    in(t, ". 2001:2101 ack 1"); /* D-SACK, and the block it lies in */
    out(t, ". 1 ack 1 <sack 2001:2101 2001:2101 1001:1201 3001:3101>");
    in(t, ". 1:1001 ack 1");
    out(t, ". 1 ack 1201 <sack 2001:2101 3001:3101>");
    in(t, ". 1:1001 ack 1");
    out(t, ". 1 ack 1201 <sack 1:1001 2001:2101 3001:3101>");
}

/* RFC 7323 §3.2: beside timestamps there is room for three blocks. */
SCRIPT(sack_blocks_beside_timestamps)
{
    accepted(t, "sackok,ts 0:0");
    for (unsigned i = 1; i <= 4; i++)
        in(t, ". %u:%u ack 1 <ts 0:0>", i * 1000, i * 1000 + 100);
    assert_int_equal(drain(t), 4);
    assert_int_equal(last(t)->tcp.sack_cnt, 3);
}

/* ---- small segments ---- */

/* RFC 9293 SHLD-7: less than a segment waits while anything is unacknowledged. MUST-17: or not. */
SCRIPT_WITH(small_writes_wait, o.nagle = true)
{
    int fd = accepted(t, "");
    put(t, fd, 10);
    out(t, ". 1:11 ack 1");
    put(t, fd, 10);
    put(t, fd, 10);
    silent(t);
    in(t, ". 1 ack 11");
    out(t, ". 11:31 ack 1");
    put(t, fd, 1500);
    out(t, ". 31:1031 ack 1");
    set_option(t, fd, IPPROTO_TCP, TCP_NODELAY, 1);
    out(t, ". 1031:1531 ack 1");
    put(t, fd, 10);
    out(t, ". 1531:1541 ack 1");
}

/* TCP_CORK and MSG_MORE: less than a segment waits for more, RFC 9293 MUST-60: but not for ever. */
SCRIPT(a_cork_holds_the_last_segment)
{
    int fd = accepted(t, "");
    set_option(t, fd, IPPROTO_TCP, TCP_CORK, 1);
    put(t, fd, 1500);
    out(t, ". 1:1001 ack 1");
    set_option(t, fd, IPPROTO_TCP, TCP_CORK, 0);
    out(t, ". 1001:1501 ack 1");
    in(t, ". 1 ack 1501");
    set_option(t, fd, IPPROTO_TCP, TCP_CORK, 1);
    put(t, fd, 10);
    out_in(t, 190 * MS, 2 * SEC, ". 1501:1511 ack 1");
}

/* RFC 9293 MUST-61: the last segment of what is queued has PSH. */
SCRIPT(the_last_segment_is_pushed)
{
    int fd = accepted(t, "");
    put(t, fd, 2500);
    out(t, ". 1:1001 ack 1");
    out(t, ". 1001:2001 ack 1");
    out(t, "P. 2001:2501 ack 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_is_unsigned),
        cmocka_unit_test(a_closed_window_is_probed_for_ever),
        cmocka_unit_test(an_open_window_is_used_at_once),
        cmocka_unit_test(an_open_window_is_used_with_care),
        cmocka_unit_test(unanswered_probes_end),
        cmocka_unit_test(a_window_may_shrink),
        cmocka_unit_test(an_old_segment_does_not_move_the_window),
        cmocka_unit_test(the_sender_avoids_silly_windows),
        cmocka_unit_test(the_receiver_avoids_silly_windows),
        cmocka_unit_test(a_closed_window_lets_acks_and_resets_in),
        cmocka_unit_test(reading_opens_a_closed_window),
        cmocka_unit_test(an_ack_may_wait),
        cmocka_unit_test(an_ack_waits_as_long_as_it_is_told),
        cmocka_unit_test(an_ack_does_not_always_wait),
        cmocka_unit_test(segments_in_any_order),
        cmocka_unit_test(sack_blocks_tell_what_is_held),
        cmocka_unit_test(sack_blocks_beside_timestamps),
        cmocka_unit_test(small_writes_wait),
        cmocka_unit_test(a_cork_holds_the_last_segment),
        cmocka_unit_test(the_last_segment_is_pushed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
