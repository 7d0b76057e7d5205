/* The gate before the kernel's TCP on a veth pair: who answers a segment that no socket wants, and who
 * sees it. Both ends' frames are made and read by hand. */
#include "rig.h"

#include "kernel/gate.h"
#include "kernel/packet.h"
#include "wire/frame.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>

#define TCPMIG_PORT 2017u
#define FIRST 50000u
#define LAST 50099u

static const struct capy_gate_rules rules = {
    .tcpmig_port = TCPMIG_PORT, .first = FIRST, .last = LAST};
static const struct capy_mac peer_mac = {{0x02, 0xca, 0, 0, 0, 9}};

struct scene {
    struct capy_drv *packet; /* of veth0, where 10.0.0.2 and fd00::2 are */
    struct capy_gate *gate;
    int peer; /* the other end of the cable: 10.0.0.1, fd00::1 */
};

static struct scene open_scene(void)
{
    char err[ERR_LEN] = "";
    struct scene s = {0};
    rig_veth(1500);
    rig_run("ip link set lo up && ip addr add 10.0.0.2/24 dev veth0 && "
            "ip addr add fd00::2/64 dev veth0 nodad && "
            "ip neigh add 10.0.0.1 lladdr 02:ca:00:00:00:09 dev veth0 && "
            "ip neigh add fd00::1 lladdr 02:ca:00:00:00:09 dev veth0");
    s.packet = capy_packet_open("veth0", err, sizeof err);
    if (!s.packet)
        fail_msg("%s", err);
    s.gate = capy_gate_open(if_nametoindex("veth0"), &rules, err, sizeof err);
    if (!s.gate && strstr(err, "bpftool")) {
        print_message("skipped: %s\n", err);
        skip();
    }
    if (!s.gate)
        fail_msg("%s", err);
    const struct sockaddr_ll at = {.sll_family = AF_PACKET,
                                   .sll_protocol = htons(ETH_P_ALL),
                                   .sll_ifindex = (int)if_nametoindex("veth1")};
    s.peer = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    assert_int_equal(bind(s.peer, (const struct sockaddr *)&at, sizeof at), 0);
    rig_patience(s.peer);
    return s;
}

static void close_scene(struct scene *s)
{
    capy_gate_close(s->gate);
    s->packet->ops->close(s->packet);
    close(s->peer);
}

static void send_segment(const struct scene *s, bool v6, uint16_t port, uint8_t flags)
{
    uint8_t frame[CAPY_FRAME_MAX];
    const struct capy_frame_to to = {.dst_mac = s->packet->mac,
                                     .src_mac = peer_mac,
                                     .src = rig_ip(v6 ? "fd00::1" : "10.0.0.1"),
                                     .dst = rig_ip(v6 ? "fd00::2" : "10.0.0.2"),
                                     .src_port = 40000,
                                     .dst_port = port};
    const struct capy_tcp_segment seg = {.seq = {port}, .ack = {1}, .flags = flags, .window = 1000};
    size_t len = capy_frame_build_tcp(frame, &to, &seg);
    assert_int_equal(send(s->peer, frame, len, 0), len);
}

/* The next frame of TCP that the kernel sends to the peer: its flags. Its checksum may be left to a device
 * that a veth is not. */
static unsigned answered(const struct scene *s, uint16_t port)
{
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_packet p;
    for (;;) {
        ssize_t n = recv(s->peer, frame, sizeof frame, 0);
        assert_true(n > 0);
        if (memcmp(frame, peer_mac.b, sizeof peer_mac.b) == 0 &&
            capy_frame_parse_checked(frame, (size_t)n, &p) == CAPY_DROP_NONE &&
            p.kind == CAPY_PACKET_TCP && p.src_port == port)
            return p.tcp.flags;
    }
}

/* The next frame that was set aside is a segment to this port. */
static void set_aside(const struct scene *s, uint16_t port)
{
    struct capy_frame f;
    struct capy_packet p;
    unsigned cnt = 0;
    for (unsigned turn = 0; cnt == 0 && turn < WAIT_MS; turn++) {
        cnt = s->packet->ops->receive(s->packet, &f, 1);
        if (cnt == 0)
            poll(NULL, 0, 1);
    }
    assert_int_equal(cnt, 1);
    assert_int_equal(capy_frame_parse(f.data, f.len, &p), CAPY_DROP_NONE);
    assert_int_equal(p.kind, CAPY_PACKET_TCP);
    assert_int_equal(p.dst_port, port);
    s->packet->ops->release(s->packet, &f, 1);
}

/* Else RST, which would end a connection that is on its way. */
static void segments_that_no_socket_wants_are_set_aside(void **state)
{
    (void)state;
    struct scene s = open_scene();
    for (unsigned v6 = 0; v6 < 2; v6++) {
        send_segment(&s, v6, 8080, CAPY_TCP_ACK);
        assert_true(answered(&s, 8080) & CAPY_TCP_RST); /* a port that is nobody's */
        send_segment(&s, v6, FIRST, CAPY_TCP_ACK);
        set_aside(&s, FIRST);
        send_segment(&s, v6, LAST, CAPY_TCP_ACK);
        set_aside(&s, LAST);
    }
    capy_gate_serve(s.gate, 8080);
    send_segment(&s, false, 8080, CAPY_TCP_ACK);
    set_aside(&s, 8080);
    send_segment(&s, false, LAST + 1, CAPY_TCP_ACK); /* and nothing was answered in between */
    assert_true(answered(&s, LAST + 1) & CAPY_TCP_RST);
    close_scene(&s);
}

static void services_beyond_the_most_are_left_to_the_kernel(void **state)
{
    (void)state;
    struct scene s = open_scene();
    for (uint16_t i = 0; i <= CAPY_GATE_SERVICES_MAX; i++) {
        capy_gate_serve(s.gate, (uint16_t)(8000 + i));
        capy_gate_serve(s.gate, (uint16_t)(8000 + i)); /* takes no room */
    }
    send_segment(&s, false, 8000 + CAPY_GATE_SERVICES_MAX - 1, CAPY_TCP_ACK);
    set_aside(&s, 8000 + CAPY_GATE_SERVICES_MAX - 1);
    send_segment(&s, false, 8000 + CAPY_GATE_SERVICES_MAX, CAPY_TCP_ACK);
    assert_true(answered(&s, 8000 + CAPY_GATE_SERVICES_MAX) & CAPY_TCP_RST);
    close_scene(&s);
}

/* A listener gets its SYNs, and nothing else that is not its own. */
static void a_listener_gets_its_syns(void **state)
{
    (void)state;
    struct scene s = open_scene();
    const struct capy_ip ip = rig_ip("10.0.0.2");
    union capy_sockaddr at;
    socklen_t len = capy_sockaddr_make(&ip, 8080, &at);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, &at.any, len), 0);
    assert_int_equal(listen(listener, 8), 0);
    capy_gate_serve(s.gate, 8080);
    send_segment(&s, false, 8080, CAPY_TCP_ACK);
    set_aside(&s, 8080);
    send_segment(&s, false, 8080, CAPY_TCP_SYN);
    assert_int_equal(answered(&s, 8080), CAPY_TCP_SYN | CAPY_TCP_ACK);
    close(listener);
    close_scene(&s);
}

static void a_second_gate_takes_the_place_of_what_a_crash_left(void **state)
{
    (void)state;
    struct scene s = open_scene();
    char err[ERR_LEN] = "";
    struct capy_gate *left = s.gate;
    s.gate = capy_gate_open(if_nametoindex("veth0"), &rules, err, sizeof err);
    if (!s.gate)
        fail_msg("%s", err);
    capy_gate_serve(s.gate, 8080);
    send_segment(&s, false, 8080, CAPY_TCP_ACK);
    set_aside(&s, 8080);
    capy_gate_close(left);
    capy_gate_close(s.gate);
    s.gate = NULL;
    send_segment(&s, false, 8080, CAPY_TCP_ACK); /* it is gone, and the kernel has its word again */
    assert_true(answered(&s, 8080) & CAPY_TCP_RST);
    close_scene(&s);
}

static void it_is_refused_with_a_remedy(void **state)
{
    (void)state;
    char err[ERR_LEN] = "";
    rig_veth(1500);
    assert_null(capy_gate_open(9999, &rules, err, sizeof err));
    if (strstr(err, "bpftool")) {
        print_message("skipped: %s\n", err);
        skip();
    }
    assert_non_null(strstr(err, "gate"));
    assert_null(strchr(err, '\n'));
    rig_powerless();
    struct capy_gate *g = capy_gate_open(if_nametoindex("veth0"), &rules, err, sizeof err);
    rig_powerful();
    assert_null(g);
    assert_non_null(strstr(err, "root"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_that_no_socket_wants_are_set_aside),
        cmocka_unit_test(services_beyond_the_most_are_left_to_the_kernel),
        cmocka_unit_test(a_listener_gets_its_syns),
        cmocka_unit_test(a_second_gate_takes_the_place_of_what_a_crash_left),
        cmocka_unit_test(it_is_refused_with_a_remedy),
    };
    return cmocka_run_group_tests_name("kernel/gate", tests, NULL, NULL);
}
