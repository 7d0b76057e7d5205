/* What routers say of a connection's packets (RFC 9293 §3.9.2.2, RFC 5927, RFC 1191, RFC 8201): ICMP
 * and ICMPv6 errors that quote the last packet that was seen. */
#include "script.h"

enum said { HOST, PORT, TIME, PARAMETER, QUENCH, TOO_BIG };

/* Type and code in either version; 0, 0: there is none. */
static const uint8_t codes[][2][2] = {
    [HOST] = {{3, 1}, {1, 0}},       [PORT] = {{3, 3}, {1, 4}},   [TIME] = {{11, 0}, {3, 0}},
    [PARAMETER] = {{12, 0}, {4, 0}}, [QUENCH] = {{4, 0}, {0, 0}}, [TOO_BIG] = {{3, 4}, {2, 0}},
};

static uint16_t checksum(uint64_t sum, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sum += (uint64_t)p[i] << (i % 2 == 0 ? 8 : 0);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

/* A router on the way quotes the last packet seen, its sequence number moved by ahead. */
static void said_of(struct tool *t, enum said what, uint32_t mtu, int32_t ahead)
{
    uint8_t packet[200] = {0};
    const uint8_t *quoted = t->frame + CAPY_ETHER_LEN;
    size_t ip = t->v6 ? 40 : 20, quoted_len = ip + 20, len = ip + 8 + quoted_len;
    uint8_t *icmp = packet + ip;
    const uint8_t *code = codes[what][t->v6];
    memcpy(icmp + 8, quoted, quoted_len);
    uint8_t *seq = icmp + 8 + ip + 4;
    capy_store32(seq, capy_load32(seq) + (uint32_t)ahead);
    icmp[0] = code[0];
    icmp[1] = code[1];
    capy_store32(icmp + 4, mtu);
    uint64_t sum = 0;
    if (t->v6) {
        static const uint8_t head[] = {0x60, 0, 0, 0, 0, 0, 58, 64, 0x20, 0x01, 0x0d, 0xb8};
        memcpy(packet, head, sizeof head);
        packet[23] = 0xfe; /* 2001:db8::fe */
        memcpy(packet + 24, quoted + 8, 16);
        capy_store16(packet + 4, (uint16_t)(8 + quoted_len));
        sum = 58 + 8 + quoted_len;
        for (size_t i = 8; i < 40; i += 2)
            sum += capy_load16(packet + i);
    } else {
        static const uint8_t head[] = {0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 2, 254};
        memcpy(packet, head, sizeof head);
        memcpy(packet + 16, quoted + 12, 4);
        capy_store16(packet + 2, (uint16_t)len);
        capy_store16(packet + 10, checksum(0, packet, ip));
    }
    capy_store16(icmp + 2, checksum(sum, icmp, 8 + quoted_len));
    inject_raw(t, packet, len);
}

/* RFC 9293 MUST-54, RFC 1122 §4.2.3.9: nobody is there: refused at once. */
SCRIPT(an_open_is_refused_by_a_router)
{
    int fd = connecting(t);
    said_of(t, PORT, 0, 0);
    get_error(t, fd, ECONNREFUSED);
    silent_for(t, 100 * SEC);
}

/* RFC 9293 MUST-47, MUST-56: a soft error alone ends nothing; when the time is over it says why. */
SCRIPT(a_soft_error_is_remembered)
{
    int fd = connecting(t);
    said_of(t, HOST, 0, 0);
    assert_int_equal(state_of(t, fd), TCP_SYN_SENT);
    drive_sleep(tool_step(t), 300 * SEC);
    assert_true(drain(t) > 3);
    get_error(t, fd, EHOSTUNREACH);
}

SCRIPT(a_soft_error_is_forgotten)
{
    int fd = accepted(t, "");
    put(t, fd, 100);
    out(t, ". 1:101 ack 1");
    said_of(t, HOST, 0, 0);
    in(t, ". 1 ack 101");
    put(t, fd, 100);
    drive_sleep(tool_step(t), 400 * SEC);
    assert_true(drain(t) > 3);
    get_error(t, fd, ETIMEDOUT);
}

/* RFC 9293 MUST-56, RFC 5927 §5.2: what is open goes on, whatever a router says. */
SCRIPT(errors_do_not_end_what_is_open)
{
    static const enum said all[] = {HOST, PORT, TIME, PARAMETER};
    int fd = accepted(t, "");
    put(t, fd, 100);
    out(t, ". 1:101 ack 1");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        said_of(t, all[i], 0, 0);
    silent(t);
    assert_int_equal(state_of(t, fd), TCP_ESTABLISHED);
    assert_int_equal(option_of(t, fd, SOL_SOCKET, SO_ERROR), 0);
    in(t, ". 1:11 ack 101");
    out(t, ". 101 ack 11");
}

/* RFC 9293 MUST-55. */
SCRIPT(source_quench_means_nothing)
{
    int fd = accepted(t, "");
    put(t, fd, 100);
    out(t, ". 1:101 ack 1");
    if (!t->v6)
        said_of(t, QUENCH, 0, 0);
    silent(t);
    assert_int_equal(info_of(t, fd).tcpi_snd_cwnd, 10);
}

/* RFC 5927 §4.1: only what is in flight can have met with an error. */
SCRIPT(errors_that_do_not_fit_mean_nothing)
{
    int fd = connecting(t);
    said_of(t, PORT, 0, 1);
    said_of(t, PORT, 0, -1);
    assert_int_equal(state_of(t, fd), TCP_SYN_SENT);
    in(t, "S. 0 ack 1 <mss 1400>");
    out(t, ". 1 ack 1");
    put(t, fd, 1400);
    out(t, ". 1:1401 ack 1");
    said_of(t, TOO_BIG, 1300, 1400);
    said_of(t, TOO_BIG, 1300, -1);
    silent(t);
    in(t, ". 1 ack 1401");
    said_of(t, TOO_BIG, 1300, 0);
    put(t, fd, 1400);
    out(t, ". 1401:2801 ack 1");
}

/* RFC 8201 §4: less than what every IPv6 link carries is discarded, also the nothing that RFC 1191 §5
 * has old IPv4 routers say. */
SCRIPT(too_big_for_less_than_any_link_means_nothing)
{
    int fd = accepted(t, "mss 1400");
    put(t, fd, 1400);
    out(t, ". 1:1401 ack 1");
    if (!t->v6)
        return;
    said_of(t, TOO_BIG, 0, 0);
    said_of(t, TOO_BIG, 1279, 0);
    silent(t);
    assert_int_equal(info_of(t, fd).tcpi_snd_mss, 1400);
    said_of(t, TOO_BIG, 1280, 0);
    out(t, ". 1:1221 ack 1");
    out(t, ". 1221:1401 ack 1");
}

/* RFC 1191 §3, RFC 8201 §4: it goes again in pieces that fit, at once, and so does all that follows. */
SCRIPT(too_big_shrinks_segments)
{
    unsigned mss = 1300 - (t->v6 ? 60 : 40);
    int l = listening(t);
    near_wrap(t, SERVICE_PORT);
    in(t, "S 0 <mss 1400>");
    assert_int_equal(drain(t), 1);
    in(t, ". 1 ack 1");
    int fd = drive_accept(tool_step(t), l, NULL, NULL);
    put(t, fd, 1400);
    out(t, ". 1:1401 ack 1");
    said_of(t, TOO_BIG, 1300, 0);
    out(t, ". 1:%u ack 1", 1 + mss);
    out(t, ". %u:1401 ack 1", 1 + mss);
    in(t, ". 1 ack 1401");
    put(t, fd, 1400);
    out(t, ". 1401:%u ack 1", 1401 + mss);
    assert_int_equal(option_of(t, fd, IPPROTO_TCP, TCP_MAXSEG), mss);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_open_is_refused_by_a_router),
        cmocka_unit_test(a_soft_error_is_remembered),
        cmocka_unit_test(a_soft_error_is_forgotten),
        cmocka_unit_test(errors_do_not_end_what_is_open),
        cmocka_unit_test(source_quench_means_nothing),
        cmocka_unit_test(errors_that_do_not_fit_mean_nothing),
        cmocka_unit_test(too_big_for_less_than_any_link_means_nothing),
        cmocka_unit_test(too_big_shrinks_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
