/* Moves in racks of both IP versions, and of IPv6 alone: there and back, servers that have one version
 * only, and frames that come late. */
#include "world.h"

#include "base/bits.h"
#include "base/checksum.h"

static void there_and_back(bool ipv6_only, bool ipv6)
{
    world_init(1);
    sim_init_as(&w.r, 1, ipv6_only);
    streams_attach(&w.st);
    w.st.ipv6_from = ipv6 ? 0 : 1;
    world_start();
    open_streams(1, 100000, 100000);
    stream_grant(&w.st, 0, 30000);
    run_for(CAPY_MS(1));
    assert_int_equal(stream_migrate(&w.st, 0, 1), CAPY_OK);
    run_for(CAPY_MS(1));
    assert_int_equal(w.st.moved, 1);
    assert_int_equal(w.st.stream[0].at, 1);
    stream_grant(&w.st, 0, 30000);
    run_for(CAPY_MS(1));
    assert_int_equal(stream_migrate(&w.st, 0, 2), CAPY_OK); /* from away to away */
    run_for(CAPY_MS(1));
    assert_int_equal(w.st.stream[0].at, 2);
    assert_int_equal(stream_migrate(&w.st, 0, 0), CAPY_OK); /* and home */
    run_for(CAPY_MS(1));
    assert_int_equal(w.st.stream[0].at, 0);
    assert_int_equal(w.st.moved, 3);
    finish();
    assert_int_equal(client_retransmissions(), 0);
    no_leak();
    sim_free(&w.r);
}

static void one_move_there_and_back(void **state)
{
    (void)state;
    there_and_back(false, false);
    there_and_back(false, true);
    there_and_back(true, true);
}

/* A frame that overtakes nothing and still comes late to a frozen origin goes on to the target, in
 * its own version of IP. */
static void late_frames_are_put_back(void **state)
{
    (void)state;
    for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
        uint64_t put_back = 0;
        world_init(4);
        w.st.ipv6_from = ipv6 ? 0 : 1; /* of one stream */
        w.r.faults.jitter_ns = CAPY_US(300);
        world_start();
        open_streams(1, 1u << 30, 1000);
        for (uint16_t n = 0; n < 60; n++) {
            stream_grant(&w.st, 0, 40000);
            run_for(CAPY_US(400));
            stream_migrate(&w.st, 0, n % SIM_SERVERS);
            run_for(CAPY_MS(5));
        }
        for (unsigned h = 0; h < SIM_SERVERS; h++)
            put_back += capy_stack_counters(w.r.host[h])->put_back_frames;
        print_message("IPv%u: %u moved, %llu put back\n", ipv6 ? 6u : 4u, w.st.moved,
                      (unsigned long long)put_back);
        assert_true(w.st.moved > 20 && put_back > 0);
        cut_streams();
        finish();
        no_leak();
        sim_free(&w.r);
    }
}

enum { ECT_0 = 2, CE = 3 }; /* RFC 3168 §5 */

/* Which segments the network marks: one in eight, by what no server on the way changes, so that a frame
 * that comes by again can be told to have been marked. */
static bool is_chosen(const struct capy_packet *p)
{
    uint32_t h = (p->tcp.seq.v ^ p->tcp.ack.v << 7 ^ p->src_port) * 0x9e3779b1u;
    return h >> 29 == 0;
}

/* IPv4's header has a checksum, IPv6's has none. */
static void mark(uint8_t *frame)
{
    enum { IP_AT = 14, CHECK_AT = IP_AT + 10 };
    uint8_t *ip = frame + IP_AT, *bits = ip + 1;
    bool v4 = ip[0] >> 4 == 4;
    uint16_t before = (uint16_t)(ip[0] << 8 | ip[1]);
    *bits = (uint8_t)(*bits | CE << (v4 ? 0 : 4));
    if (v4)
        capy_store16(frame + CHECK_AT, capy_checksum_update16(capy_load16(frame + CHECK_AT), before,
                                                              (uint16_t)(ip[0] << 8 | ip[1])));
}

/* What became of the marks of a run. again: of frames that a server sent on for another one, how many
 * were marked. */
struct marks {
    uint64_t marked, heard, cuts, held, put_back, relayed, again;
};

/* A frame that has just left its host. What is sent on says of the network's marks what it said. */
static void look_at(struct sim_frame *f, struct marks *m)
{
    struct capy_packet p;
    if (capy_frame_parse(f->data, f->len, &p) != CAPY_DROP_NONE || p.kind != CAPY_PACKET_TCP)
        return;
    const struct capy_stack_cfg *from = &w.r.cfg[f->link];
    if (capy_ip_eq(&p.src, &from->ip) || capy_ip_eq(&p.src, &from->ip6)) {
        if (p.ecn != ECT_0 || !is_chosen(&p))
            return;
        mark(f->data);
        m->marked++;
        return;
    }
    m->again += p.ecn == CE;
    assert_true(p.ecn != CE || is_chosen(&p));
    assert_false(p.ecn == ECT_0 && is_chosen(&p));
}

/* Lets time pass while the network marks. *seen: how many frames there were before. */
static void run_marking(uint64_t ns, uint64_t *seen, struct marks *m)
{
    uint64_t until = w.r.now + ns;
    while (w.r.now < until) {
        run_for(w.r.delay_ns / 2);
        for (uint32_t i = 0; i < w.r.flight.cnt; i++) {
            struct sim_frame *f = &w.r.flight.frames[w.r.flight.heap[i]];
            if (f->to_switch && f->order >= *seen)
                look_at(f, m);
        }
        *seen = w.r.flight.order;
    }
}

static void count_marks(struct marks *m)
{
    for (unsigned h = 0; h < SIM_HOSTS; h++) {
        const struct capy_stack_counters *count = capy_stack_counters(w.r.host[h]);
        m->heard += count->tcp.ce_segs_in;
        m->cuts += count->tcp.ecn_cuts;
        m->held += count->held_frames;
        m->put_back += count->put_back_frames;
        m->relayed += count->relayed_frames;
        assert_int_equal(count->hold_drops, 0);
    }
}

/* Three connections move while data flows both ways and the network marks. With jitter the switch also
 * forgets them halfway. */
static struct marks move_under_marks(bool ipv6, uint64_t jitter_ns)
{
    struct marks m = {0};
    uint64_t seen = 0;
    world_init(10); /* a rack of both versions */
    w.st.ipv6_from = ipv6 ? 0 : 1000;
    for (unsigned h = 0; h < SIM_HOSTS; h++)
        w.r.cfg[h].tcp.ecn = CAPY_TCP_ECN_OFFER;
    w.r.faults.jitter_ns = jitter_ns;
    world_start();
    open_streams(3, 8u << 20, 8u << 20);
    for (uint16_t n = 0; n < 120; n++) {
        for (uint32_t i = 0; i < 3; i++)
            stream_grant(&w.st, i, 50000);
        run_marking(CAPY_US(150), &seen, &m);
        stream_migrate(&w.st, n % 3u, (uint16_t)((n + n / 3) % SIM_SERVERS));
        run_marking(CAPY_MS(2), &seen, &m);
        if (jitter_ns > 0 && n == 50) {
            sim_reboot_switch(&w.r);
            /* What it runs is announced later than homes hear of the new switch. */
            sim_stall(&w.r, 1, CAPY_MS(15));
        }
    }
    for (uint32_t i = 0; i < 3; i++)
        stream_grant(&w.st, i, UINT32_MAX);
    run_marking(CAPY_MS(200), &seen, &m);
    finish();
    count_marks(&m);
    print_message("IPv%u: %u moved, %llu frames held, %llu put back, %llu relayed; "
                  "%llu marked, %llu of them sent on, %llu heard, %llu cuts\n",
                  ipv6 ? 6u : 4u, w.st.moved, (unsigned long long)m.held,
                  (unsigned long long)m.put_back, (unsigned long long)m.relayed,
                  (unsigned long long)m.marked, (unsigned long long)m.again,
                  (unsigned long long)m.heard, (unsigned long long)m.cuts);
    assert_true(m.marked > 100 && w.st.moved > 20 && m.held > 0 && m.cuts > 0);
    return m;
}

/* A mark is heard once, by the connection, where it then is: the switch rewrites marked frames in both
 * directions, and hold buffers keep them. */
static void marks_arrive_wherever_the_connection_is(void **state)
{
    (void)state;
    for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
        struct marks m = move_under_marks(ipv6, 0);
        assert_int_equal(m.heard, m.marked);
        assert_int_equal(client_retransmissions(), 0);
        no_leak();
        sim_free(&w.r);
    }
}

/* Frames overtake each other, and some come to a server that the connection has left: origins put
 * them back and, while a new switch learns, homes relay them, marks and all (look_at). Few marks are not
 * heard: those lost with their frame, and those whose bytes were sent again and came first. */
static void late_marks_arrive_as_well(void **state)
{
    (void)state;
    for (unsigned ipv6 = 0; ipv6 < 2; ipv6++) {
        struct marks m = move_under_marks(ipv6, CAPY_US(200));
        assert_true(m.put_back > 0 && m.relayed > 0 && m.again > 0);
        assert_true(m.heard <= m.marked && (m.marked - m.heard) * 50 <= m.marked);
        no_leak();
        sim_free(&w.r);
    }
}

/* A server without an address of a flow's version is no target for it (docs/protocol.md): the switch
 * knows, or else the server says so. */
static void one_version_only(bool switch_knows)
{
    world_init(1);
    for (unsigned h = 0; h < SIM_SERVERS; h++)
        w.r.cfg[h].peers[2].ip6 = (struct capy_ip){{0}};
    w.r.cfg[2].ip6 = (struct capy_ip){{0}};
    if (switch_knows)
        w.r.switch_cfg.server[2].ip6 = (struct capy_ip){{0}};
    world_start();
    stream_open(&w.st, 0, 1000, 1000); /* over IPv4 */
    stream_open(&w.st, 0, 1000, 1000); /* over IPv6 */
    run_for(CAPY_MS(10));
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(stream_migrate(&w.st, i, 2), CAPY_OK);
        run_for(CAPY_MS(10));
    }
    assert_int_equal(w.st.stream[0].at, 2);
    assert_int_equal(w.st.stream[1].at, 0);
    assert_int_equal(w.st.kept, 1);
    const struct capy_stack_counters *count = capy_stack_counters(w.r.host[0]);
    assert_int_equal(count->kept_by_verdict[CAPY_VERDICT_NO_TARGET], switch_knows);
    assert_int_equal(count->kept_by_reason[CAPY_REASON_NO_SERVICE], !switch_knows);
    for (int n = 0; switch_knows && n < 4; n++) { /* nor is it chosen */
        assert_int_equal(stream_migrate(&w.st, 1, CAPY_SERVER_ANY), CAPY_OK);
        run_for(CAPY_MS(10));
        assert_int_not_equal(w.st.stream[1].at, 2);
    }
    finish();
    no_leak();
    sim_free(&w.r);
}

static void a_server_of_one_version_takes_only_that(void **state)
{
    (void)state;
    one_version_only(true);
    one_version_only(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_move_there_and_back),
        cmocka_unit_test(a_server_of_one_version_takes_only_that),
        cmocka_unit_test(late_frames_are_put_back),
        cmocka_unit_test(marks_arrive_wherever_the_connection_is),
        cmocka_unit_test(late_marks_arrive_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
