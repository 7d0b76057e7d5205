/* Closing: half-close, both orders, both at once, TIME_WAIT, and connections cut off (RFC 9293 §3.6,
 * §3.10.4, §3.10.5, RFC 2525 §2.17). */
#include "script.h"

static void shut(struct tool *t, int fd)
{
    assert_int_equal(drive_shutdown(tool_step(t), fd, SHUT_WR), 0);
}

static void close_it(struct tool *t, int fd)
{
    assert_int_equal(drive_close(tool_step(t), fd), 0);
}

/* RFC 9293 §3.6: the other direction goes on; MUST-12: a FIN reads as the end, no error. */
SCRIPT(half_closed_we_go_on_receiving)
{
    int fd = accepted(t, "");
    put(t, fd, 100);
    shut(t, fd);
    out(t, ". 1:101 ack 1");
    out(t, "F. 101 ack 1");
    in(t, ". 1:1001 ack 102");
    out(t, ". 102 ack 1001");
    get(t, fd, 1000);
    in(t, ". 1001:1101 ack 102");
    out(t, ". 102 ack 1101");
    in(t, "F. 1101 ack 102");
    out(t, ". 102 ack 1102");
    get(t, fd, 100);
    get_end(t, fd);
    assert_int_equal(option_of(t, fd, SOL_SOCKET, SO_ERROR), 0);
}

SCRIPT(half_closed_we_go_on_sending)
{
    int fd = accepted(t, "");
    in(t, "F. 1:101 ack 1");
    out(t, ". 1 ack 102");
    get(t, fd, 100);
    get_end(t, fd);
    put(t, fd, 1500);
    out(t, ". 1:1001 ack 102");
    out(t, ". 1001:1501 ack 102");
    in(t, ". 102 ack 1501");
    close_it(t, fd);
    out(t, "F. 1501 ack 102");
    in(t, ". 102 ack 1502");
    silent_for(t, 600 * SEC);
}

/* RFC 9293 Figure 13. */
SCRIPT(both_sides_close_at_once)
{
    int fd = accepted(t, "");
    shut(t, fd);
    out(t, "F. 1 ack 1");
    in(t, "F. 1 ack 1");
    out(t, ". 2 ack 2");
    assert_int_equal(state_of(t, fd), TCP_CLOSING);
    in(t, ". 2 ack 2");
    assert_int_equal(state_of(t, fd), TCP_TIME_WAIT);
    silent_for(t, 600 * SEC);
    assert_int_equal(state_of(t, fd), TCP_CLOSE);
}

/* Data and FINs cross, and everything arrives. */
SCRIPT(data_crosses_the_fins)
{
    int fd = accepted(t, "");
    put(t, fd, 100);
    shut(t, fd);
    assert_int_equal(drain(t), 2);
    in(t, "F. 1:51 ack 1");
    out(t, ". 102 ack 52");
    in(t, ". 52 ack 101"); /* our data, not yet our FIN */
    assert_int_equal(state_of(t, fd), TCP_CLOSING);
    in(t, ". 52 ack 102");
    assert_int_equal(state_of(t, fd), TCP_TIME_WAIT);
    get(t, fd, 50);
    get_end(t, fd);
}

/* A FIN is repeated like data (RFC 9293 §3.10.4). */
SCRIPT(a_lost_fin_goes_again)
{
    int fd = accepted(t, "");
    shut(t, fd);
    out(t, "F. 1 ack 1");
    out_in(t, 100 * MS, 2 * SEC, "F. 1 ack 1");
    in(t, ". 1 ack 2");
    assert_int_equal(state_of(t, fd), TCP_FIN_WAIT2);
    silent_for(t, 10 * SEC);
}

/* RFC 9293 MUST-13: TIME_WAIT lasts 2 MSL (DEVIATION: of 30 s, as kernels do), anew from each repeated
 * FIN. */
SCRIPT(time_wait_starts_over_with_each_fin)
{
    int fd = accepted(t, "");
    shut(t, fd);
    out(t, "F. 1 ack 1");
    in(t, "F. 1 ack 2");
    out(t, ". 2 ack 2");
    for (unsigned i = 0; i < 3; i++) {
        silent_for(t, 50 * SEC);
        assert_int_equal(state_of(t, fd), TCP_TIME_WAIT);
        in(t, "F. 1 ack 2");
        out(t, ". 2 ack 2");
    }
    drive_sleep(tool_step(t), 59 * SEC);
    assert_int_equal(state_of(t, fd), TCP_TIME_WAIT);
    drive_sleep(tool_step(t), 2 * SEC);
    assert_int_equal(state_of(t, fd), TCP_CLOSE);
    in(t, "F. 1 ack 2");
    out(t, "R 2");
}

/* RFC 9293 SHLD-3, RFC 2525 §2.17: data that nobody will read is told by a reset: unread at the
 * close, or arriving after it. */
SCRIPT(closing_over_unread_data_resets)
{
    int fd = accepted(t, "");
    in(t, ". 1:101 ack 1");
    out(t, ". 1 ack 101");
    close_it(t, fd);
    out(t, "R. 1 ack 101");
    in(t, ". 101 ack 1");
    out(t, "R 1");
}

SCRIPT(data_after_the_close_resets)
{
    int fd = accepted(t, "");
    close_it(t, fd);
    out(t, "F. 1 ack 1");
    in(t, ". 1 ack 2");
    in(t, ". 1:101 ack 2");
    out(t, "R. 2 ack 1");
}

/* What was written before the close arrives, and is repeated if it must. */
SCRIPT(the_last_bytes_outlive_the_close)
{
    int fd = accepted(t, "");
    put(t, fd, 1500);
    close_it(t, fd);
    out(t, ". 1:1001 ack 1");
    out(t, ". 1001:1501 ack 1");
    out(t, "F. 1501 ack 1");
    out_in(t, 100 * MS, 2 * SEC, ". 1:1001 ack 1");
    in(t, ". 1 ack 1001");
    out(t, "F. 1001:1501 ack 1");
    in(t, "F. 1 ack 1502");
    out(t, ". 1502 ack 2");
}

/* RFC 9293 §3.10.5, ABORT: SO_LINGER with no time. MUST-12: the other side reads a reset as one. */
SCRIPT(an_abort_resets)
{
    const struct linger none = {.l_onoff = 1};
    int fd = accepted(t, "");
    put(t, fd, 100);
    out(t, ". 1:101 ack 1");
    assert_int_equal(drive_setsockopt(tool_step(t), fd, SOL_SOCKET, SO_LINGER, &none, sizeof none),
                     0);
    close_it(t, fd);
    out(t, "R. 101 ack 1");
    silent_for(t, 600 * SEC);
}

SCRIPT(a_reset_is_no_orderly_end)
{
    int fd = accepted(t, "");
    in(t, ". 1:101 ack 1");
    out(t, ". 1 ack 101");
    in(t, "R 101");
    get_error(t, fd, ECONNRESET);
    get_end(t, fd); /* once told, it is over */
    assert_fails(drive_send(tool_step(t), fd, "x", 1, 0), EPIPE);
}

/* RFC 9293 §3.10.4: in SYN-SENT there is nothing to close. */
SCRIPT(closing_an_unanswered_open)
{
    int fd = connecting(t);
    close_it(t, fd);
    silent_for(t, 600 * SEC);
    in(t, "S. 0 ack 1");
    out(t, "R 1");
}

/* Without an application nobody waits for ever for the peer's FIN. */
SCRIPT(a_peer_that_never_closes_is_forgotten)
{
    int fd = accepted(t, "");
    close_it(t, fd);
    out(t, "F. 1 ack 1");
    in(t, ". 1 ack 2");
    silent_for(t, 600 * SEC);
    in(t, ". 1 ack 2");
    out(t, "R 2");
}

/* RFC 9293 MUST-41, MUST-42: a listener goes on beside what it led to, and another may take its
 * place. */
SCRIPT(a_port_serves_many)
{
    int fd = accepted(t, "");
    uint32_t iss = t->iss;
    t->peer_port++;
    in(t, "S 0 <mss 1000>");
    out(t, "S. 0 ack 1");
    in(t, ". 1 ack 1");
    t->peer_port--;
    t->iss = iss;
    put(t, fd, 10);
    out(t, ". 1:11 ack 1");
}

/* The peer's FIN overtook its last text: what fills the hole completes it, and both are acknowledged
 * at once, whatever delay acknowledgements may have. */
SCRIPT_WITH(a_fin_that_was_early_is_acknowledged, o.delayed_ack = true)
{
    int fd = accepted(t, "");
    in(t, "F. 11 ack 1");
    out(t, ". 1 ack 1");
    in(t, ". 1:11 ack 1");
    out(t, ". 1 ack 12");
    assert_int_equal(state_of(t, fd), TCP_CLOSE_WAIT);
    get(t, fd, 10);
    get_end(t, fd);
}

SCRIPT_WITH(an_early_fin_is_acknowledged_in_time_wait, o.delayed_ack = true)
{
    int fd = accepted(t, "");
    assert_int_equal(drive_shutdown(tool_step(t), fd, SHUT_WR), 0);
    out(t, "F. 1 ack 1");
    in(t, "F. 11 ack 2");
    out(t, ". 2 ack 1");
    in(t, ". 1:11 ack 2");
    out(t, ". 2 ack 12");
    assert_int_equal(state_of(t, fd), TCP_TIME_WAIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_closed_we_go_on_receiving),
        cmocka_unit_test(half_closed_we_go_on_sending),
        cmocka_unit_test(both_sides_close_at_once),
        cmocka_unit_test(data_crosses_the_fins),
        cmocka_unit_test(a_lost_fin_goes_again),
        cmocka_unit_test(time_wait_starts_over_with_each_fin),
        cmocka_unit_test(closing_over_unread_data_resets),
        cmocka_unit_test(data_after_the_close_resets),
        cmocka_unit_test(the_last_bytes_outlive_the_close),
        cmocka_unit_test(an_abort_resets),
        cmocka_unit_test(a_reset_is_no_orderly_end),
        cmocka_unit_test(closing_an_unanswered_open),
        cmocka_unit_test(a_peer_that_never_closes_is_forgotten),
        cmocka_unit_test(a_port_serves_many),
        cmocka_unit_test(a_fin_that_was_early_is_acknowledged),
        cmocka_unit_test(an_early_fin_is_acknowledged_in_time_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
