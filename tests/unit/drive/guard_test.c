/* What must not disturb a connection: guessed numbers (RFC 5961), old segments (PAWS, RFC 7323 §5),
 * malformed packets and options (RFC 9293 §3.1, §3.2), senders that cannot be, urgent data
 * (RFC 6093). */
#include "script.h"

/* ---- RFC 5961 ---- */

/* RFC 5961 §3.2, §4.2, §5.2, §7: guesses are challenged, and not every one of them. */
SCRIPT(challenges_are_limited)
{
    int fd = accepted(t, "");
    unsigned cnt = 0;
    for (unsigned i = 1; i <= 100; i++) {
        in(t, "R %u", 1 + i * 100);
        in(t, "S %u", 1 + i * 100);
        in(t, ". 1:2 ack %u", 1 + i * 1000);
        cnt += drain(t);
    }
    assert_in_range(cnt, 1, 10);
    assert_int_equal(state_of(t, fd), TCP_ESTABLISHED);
    silent_for(t, 10 * SEC);
    in(t, "R 100");
    out(t, ". 1 ack 1");
}

/* RFC 5961 §3.2: whoever is real answers the challenge with the exact number. */
SCRIPT(a_challenge_is_answered_by_the_real_peer)
{
    int fd = accepted(t, "");
    in(t, "S 50"); /* the peer has restarted */
    out(t, ". 1 ack 1");
    in(t, "R 1"); /* by §3.10.7.3 */
    get_error(t, fd, ECONNRESET);
}

/* ---- PAWS ---- */

/* RFC 7323 §5.3 R1: an older timestamp: dropped and acknowledged; not a RST. */
SCRIPT(old_timestamps_are_dropped)
{
    int fd = accepted(t, "ts 0:0");
    in(t, ". 1:101 ack 1 <ts 200:0>");
    out(t, ". 1 ack 101 <ts 0:200>");
    get(t, fd, 100);
    in(t, ". 101:201 ack 1 <ts 150:0>");
    out(t, ". 1 ack 101 <ts 0:200>");
    in(t, ". 101:201 ack 1 <ts 200:0>"); /* the same is not older */
    out(t, ". 1 ack 201 <ts 0:200>");
    in(t, "R 201 <ts 50:0>");
    get_error(t, fd, ECONNRESET);
}

/* RFC 7323 §3.2: agreed on, they are in every segment; one without is dropped, unless a RST. */
SCRIPT(a_segment_without_timestamps_is_dropped)
{
    int fd = accepted(t, "ts 0:0");
    in(t, ". 1:101 ack 1");
    silent(t);
    in(t, "R 1");
    get_error(t, fd, ECONNRESET);
}

/* RFC 7323 §4.3: the echo is that of the segment that the last ACK answered. */
SCRIPT(the_echo_is_of_what_was_acknowledged)
{
    accepted(t, "ts 0:0");
    in(t, ". 101:201 ack 1 <ts 20:0>"); /* ahead of a hole */
    out(t, ". 1 ack 1 <ts 0:0>");
    in(t, ". 1:101 ack 1 <ts 30:0>");
    out(t, ". 1 ack 201 <ts 0:30>");
    in(t, ". 301:401 ack 1 <ts 40:0>");
    out(t, ". 1 ack 201 <ts 0:30>");
}

/* A segment whose ACK is refused changes nothing: else one with the right sequence number and a
 * timestamp from the future would make PAWS drop all that the real peer sends from then on. */
SCRIPT(a_refused_ack_leaves_no_timestamp)
{
    int fd = accepted(t, "ts 0:0");
    in(t, "F. 1 ack 9999 <ts 200000:0>"); /* of what was never sent */
    out(t, ". 1 ack 1 <ts 0:0>");
    in(t, "- 1:11 <ts 200000:0>"); /* of nothing at all */
    silent(t);
    in(t, ". 1:101 ack 1 <ts 10:0>");
    out(t, ". 1 ack 101 <ts 0:10>");
    get(t, fd, 100);
}

/* RFC 7323 §5.5: after 24 days of silence the peer's clock may have wrapped. */
SCRIPT(timestamps_do_not_age_for_ever)
{
    int fd = accepted(t, "ts 0:0");
    drive_sleep(tool_step(t), 25 * 24 * 3600 * SEC);
    in(t, ". 1:101 ack 1 <ts -50:0>");
    assert_int_equal(drain(t), 1);
    get(t, fd, 100);
}

/* Our own clock crosses its wrap as well (RFC 7323 §5.4): a millisecond each. */
SCRIPT(our_timestamps_tick)
{
    accepted(t, "ts 0:0");
    drive_sleep(tool_step(t), 1234 * MS);
    in(t, ". 1:101 ack 1 <ts 5:0>");
    assert_int_equal(drain(t), 1);
    assert_in_range(last(t)->tcp.ts_val - t->ts_base, 1233, 1235);
}

/* ---- malformed ---- */

/* RFC 9293 MUST-3: a bad checksum; §3.1: bad lengths. MUST-2: ours is right, as every test checks. */
SCRIPT(broken_headers_are_dropped)
{
    uint8_t packet[DRIVE_PACKET_MAX];
    int fd = accepted(t, "");
    size_t ip = t->v6 ? 40 : 20;
    size_t len = packet_of(t, ". 1:101 ack 1", packet);
    packet[len - 1] ^= 1;
    inject_raw(t, packet, len);
    packet[len - 1] ^= 1;
    for (unsigned offset = 0; offset < 16; offset++) {
        packet[ip + 12] = (uint8_t)(offset << 4);
        fix_checksum(packet, len);
        if (offset < 5)
            inject_raw(t, packet, len);
    }
    inject_raw(t, packet, ip + 10); /* cut off */
    silent(t);
    in(t, ". 1:101 ack 1");
    out(t, ". 1 ack 101");
    get(t, fd, 100);
}

/* The options of a SYN are these bytes. */
static void syn_with(struct tool *t, const uint8_t *options, size_t cnt)
{
    uint8_t packet[DRIVE_PACKET_MAX];
    size_t len = packet_of(t, "S 0", packet), ip = t->v6 ? 40 : 20;
    memcpy(packet + len, options, cnt);
    packet[ip + 12] = (uint8_t)((20 + cnt) / 4 << 4);
    capy_store16(packet + (t->v6 ? 4 : 2), (uint16_t)(len + cnt - (t->v6 ? ip : 0)));
    if (!t->v6) {
        uint32_t sum = 0;
        capy_store16(packet + 10, 0);
        for (size_t i = 0; i < 20; i += 2)
            sum += capy_load16(packet + i);
        capy_store16(packet + 10, (uint16_t) ~((sum & 0xffff) + (sum >> 16)));
    }
    fix_checksum(packet, len + cnt);
    inject_raw(t, packet, len + cnt);
}

/* RFC 9293 MUST-4, MUST-6, MUST-64, MUST-68: unknown options are skipped by their length, wherever
 * they begin; MUST-69: nothing is read behind the end. */
SCRIPT(unknown_options_are_skipped)
{
    static const uint8_t options[] = {254, 5, 1, 2, 3, 1, 2, 4, 3, 232, 0, 8};
    listening(t);
    near_wrap(t, SERVICE_PORT);
    syn_with(t, options, sizeof options);
    out(t, "S. 0 ack 1 <mss %u>", t->v6 ? 1440u : 1460u);
}

/* RFC 9293 MUST-7: lengths that cannot be lead nowhere, least of all astray. */
SCRIPT(illegal_option_lengths_are_survived)
{
    static const uint8_t bad[][4] = {{2, 0, 3, 232}, {254, 1, 1, 1}, {254, 9, 1, 1}, {3, 4, 7, 1}};
    listening(t);
    near_wrap(t, SERVICE_PORT);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        syn_with(t, bad[i], 4);
    silent(t);
    in(t, "S 0 <mss 1000>");
    out(t, "S. 0 ack 1");
}

/* RFC 9293 MUST-5, MUST-65: an option may come in any segment; MSS means nothing behind the SYN. */
SCRIPT(an_mss_behind_the_syn_means_nothing)
{
    int fd = accepted(t, "");
    in(t, ". 1:11 ack 1 <mss 100>");
    out(t, ". 1 ack 11");
    put(t, fd, 1000);
    out(t, ". 1:1001 ack 11");
}

/* RFC 9293 §3.1: reserved bits are ignored, and never sent. */
SCRIPT(reserved_bits_are_ignored)
{
    uint8_t packet[DRIVE_PACKET_MAX];
    accepted(t, "");
    size_t len = packet_of(t, ". 1:101 ack 1", packet), ip = t->v6 ? 40 : 20;
    packet[ip + 12] |= 0x0f;
    fix_checksum(packet, len);
    inject_raw(t, packet, len);
    out(t, ". 1 ack 101");
    assert_int_equal(t->frame[CAPY_ETHER_LEN + ip + 12] & 0x0f, 0);
}

/* RFC 9293 MUST-50: IP options that we do not know are skipped. */
SCRIPT(ip_options_are_ignored)
{
    uint8_t packet[DRIVE_PACKET_MAX];
    accepted(t, "");
    size_t len = packet_of(t, ". 1:101 ack 1", packet);
    if (t->v6)
        return;
    memmove(packet + 24, packet + 20, len - 20);
    memcpy(packet + 20, (const uint8_t[]){0x94, 4, 0, 0}, 4); /* router alert */
    packet[0] = 0x46;
    capy_store16(packet + 2, (uint16_t)(len + 4));
    uint32_t sum = 0;
    capy_store16(packet + 10, 0);
    for (size_t i = 0; i < 24; i += 2)
        sum += capy_load16(packet + i);
    capy_store16(packet + 10, (uint16_t) ~((sum & 0xffff) + (sum >> 16)));
    inject_raw(t, packet, len + 4);
    out(t, ". 1 ack 101");
}

/* ---- senders that cannot be ---- */

/* RFC 9293 MUST-57, MUST-63: nothing comes from, or goes to, an address that is not one host's. */
SCRIPT(groups_are_no_senders)
{
    static const char *const from[] = {"224.0.0.1", "255.255.255.255", "192.0.2.255",
                                       "0.0.0.0",   "127.0.0.1",       "192.0.2.1"};
    uint8_t frame[CAPY_FRAME_MAX];
    listening(t);
    if (t->v6)
        return;
    for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
        struct capy_tcp_segment syn = {.seq = {PEER_ISN}, .flags = SYN, .window = 1000};
        struct capy_frame_to to = {
            .dst = capy_ip_from_v4(0xc0000201u), .src_port = PEER_PORT, .dst_port = SERVICE_PORT};
        assert_int_equal(capy_ip_parse(from[i], &to.src), 0);
        size_t len = capy_frame_build_tcp(frame, &to, &syn);
        inject_raw(t, frame + CAPY_ETHER_LEN, len - CAPY_ETHER_LEN);
        to.dst = to.src;
        to.src = capy_ip_from_v4(0xc0000202u);
        len = capy_frame_build_tcp(frame, &to, &syn);
        if (i < 3) /* a SYN to a group, MUST-57 */
            inject_raw(t, frame + CAPY_ETHER_LEN, len - CAPY_ETHER_LEN);
    }
    silent_for(t, 10 * SEC);
}

/* ---- urgent data ---- */

/* RFC 6093 §6: urgent data is data in line, whatever the pointer says. */
SCRIPT(urgent_data_is_data)
{
    int fd = accepted(t, "");
    in(t, "U. 1:101 ack 1 urg 1");
    out(t, ". 1 ack 101");
    in(t, "U. 101:201 ack 1 urg 65535");
    out(t, ". 1 ack 201");
    in(t, "U. 201 ack 1 urg 0");
    silent(t);
    get(t, fd, 200);
    in(t, "U. 201:301 ack 1 urg 100");
    out(t, ". 1 ack 301 urg 0");
    get(t, fd, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(challenges_are_limited),
        cmocka_unit_test(a_challenge_is_answered_by_the_real_peer),
        cmocka_unit_test(old_timestamps_are_dropped),
        cmocka_unit_test(a_segment_without_timestamps_is_dropped),
        cmocka_unit_test(the_echo_is_of_what_was_acknowledged),
        cmocka_unit_test(a_refused_ack_leaves_no_timestamp),
        cmocka_unit_test(timestamps_do_not_age_for_ever),
        cmocka_unit_test(our_timestamps_tick),
        cmocka_unit_test(broken_headers_are_dropped),
        cmocka_unit_test(unknown_options_are_skipped),
        cmocka_unit_test(illegal_option_lengths_are_survived),
        cmocka_unit_test(an_mss_behind_the_syn_means_nothing),
        cmocka_unit_test(reserved_bits_are_ignored),
        cmocka_unit_test(ip_options_are_ignored),
        cmocka_unit_test(groups_are_no_senders),
        cmocka_unit_test(urgent_data_is_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
