/* Explicit congestion notification (RFC 3168) as the wire shows it: ecn 2 is ECT(0), 3 a mark; E is the
 * echo, W the answer to it. */
#include "script.h"

#define SCRIPT_ECN(name) SCRIPT_WITH(name, (o.ecn = true, o.congestion = "newreno"))

static int accepted_with_ecn(struct tool *t)
{
    int l = listening(t);
    near_wrap(t, SERVICE_PORT);
    in(t, "SEW 0 <mss 1000>");
    out(t, "S.E 0 ack 1 ecn 0");
    in(t, ". 1 ack 1");
    silent(t);
    return drive_accept(tool_step(t), l, NULL, NULL);
}

/* RFC 3168 §6.1.1. */
SCRIPT_ECN(passive_open_agrees)
{
    int fd = accepted_with_ecn(t);
    put(t, fd, 1000);
    out(t, ". 1:1001 ack 1 ecn 2");
}

SCRIPT_ECN(active_open_agrees)
{
    int fd = connecting(t);
    assert_int_equal(last(t)->tcp.flags, CAPY_TCP_SYN | CAPY_TCP_ECE | CAPY_TCP_CWR);
    assert_int_equal(last(t)->ecn, 0);
    in(t, "S.E 0 ack 1 <mss 1000>");
    out(t, ". 1 ack 1 ecn 0");
    put(t, fd, 1000);
    out(t, ". 1:1001 ack 1 ecn 2");
}

/* A peer that does not, or only reflects what it does not know (§6.1.1.1). */
SCRIPT_ECN(without_agreement_nothing_is_marked)
{
    int fd = connecting(t);
    in(t, "S.EW 0 ack 1 <mss 1000>");
    out(t, ". 1 ack 1 ecn 0");
    put(t, fd, 1000);
    out(t, ". 1:1001 ack 1 ecn 0");
    in(t, ". 1:101 ack 1001 ecn 3");
    out(t, ". 1001 ack 101 ecn 0");
}

/* RFC 3168 §6.1.3: each ACK echoes a mark until the sender says that it slowed down. */
SCRIPT_ECN(marks_are_echoed_until_cwr)
{
    accepted_with_ecn(t);
    in(t, ". 1:101 ack 1 ecn 2");
    out(t, ". 1 ack 101 ecn 0");
    in(t, ". 101:201 ack 1 ecn 3");
    out(t, ".E 1 ack 201 ecn 0");
    in(t, ". 201:301 ack 1 ecn 2");
    out(t, ".E 1 ack 301 ecn 0");
    in(t, ".W 301:401 ack 1 ecn 2");
    out(t, ". 1 ack 401 ecn 0");
    in(t, ".W 401:501 ack 1 ecn 3"); /* marked again */
    out(t, ".E 1 ack 501 ecn 0");
}

/* RFC 3168 §6.1.2: half as much, once per round trip, and CWR with the first new data. */
SCRIPT_ECN(an_echo_reduces_once)
{
    int fd = accepted_with_ecn(t);
    put(t, fd, 30000);
    assert_int_equal(drain(t), 10);
    in(t, ".E 1 ack 1001");
    unsigned cwnd = info_of(t, fd).tcpi_snd_cwnd;
    assert_in_range(cwnd, 4, 6);
    for (unsigned acked = 2001; acked <= 5001; acked += 1000)
        in(t, ".E 1 ack %u", acked);
    assert_in_range(info_of(t, fd).tcpi_snd_cwnd, cwnd, cwnd + 1);
    silent(t);
    in(t, ".E 1 ack 6001");
    out(t, ".W 10001:11001 ack 1 ecn 2");
    in(t, ". 1 ack 7001");
    out(t, ". 11001:12001 ack 1 ecn 2");
}

/* RFC 3168 §6.1.4, §6.1.5, §6.1.6: only new data may be marked. */
SCRIPT_ECN(what_is_not_markable)
{
    int fd = accepted_with_ecn(t);
    put(t, fd, 1000);
    out(t, ". 1:1001 ack 1 ecn 2");
    out_in(t, 100 * MS, 2 * SEC, ". 1:1001 ack 1 ecn 0"); /* again */
    in(t, ". 1 ack 1001 win 0");
    put(t, fd, 10);
    out_in(t, 100 * MS, 3 * SEC, ". 1001:1002 ack 1 ecn 0"); /* a probe */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passive_open_agrees),
        cmocka_unit_test(active_open_agrees),
        cmocka_unit_test(without_agreement_nothing_is_marked),
        cmocka_unit_test(marks_are_echoed_until_cwr),
        cmocka_unit_test(an_echo_reduces_once),
        cmocka_unit_test(what_is_not_markable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
