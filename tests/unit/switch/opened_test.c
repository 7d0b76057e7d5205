/* Connections that servers opened, as the switch steers them: many to one peer, fenced while nobody
 * knows them, and between two servers that both ends have left. */
#include "plane_stage.h"

enum { OPENED = 61440 - 4096, PEER_PORT = 443 };

/* A port that server `id` may open from: the k-th. */
static uint16_t opened_port(unsigned id, unsigned k)
{
    unsigned first = OPENED + (id + SERVERS - OPENED % SERVERS) % SERVERS;
    return (uint16_t)(first + k * SERVERS);
}

/* The flow of that name moves from origin to target, which runs it under target_port. */
static void move(struct stage *s, struct capy_flow_key key, uint16_t origin, uint16_t target,
                 uint16_t target_port)
{
    struct capy_mig_msg m = message(CAPY_MIG_PREPARE_MIG_ACK, 0, origin, target, 1);
    m.key = key;
    m.target_port = target_port;
    mig(s, target, m, NULL);
    m.type = CAPY_MIG_CONN_STATE;
    m.total = m.length = 8;
    mig(s, origin, m, (const uint8_t *)"whatever");
}

static struct capy_flow_key opened_by_0(uint16_t port)
{
    return (struct capy_flow_key){ip(200), ip(1), PEER_PORT, port};
}

static void many_to_one_peer_have_room(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 65536);
    for (unsigned k = 0; k < 200; k++) {
        uint16_t port = opened_port(0, k);
        move(&s, opened_by_0(port), 0, 1, port);
        tcp(&s, CLIENT_PORT, 200, 1, 200, PEER_PORT, 1, port, CAPY_TCP_ACK);
        assert_true(out_is(&s, 1, 200, PEER_PORT, 2, port));
        tcp(&s, 1, 2, 200, 2, port, 200, PEER_PORT, CAPY_TCP_ACK);
        assert_true(out_is(&s, CLIENT_PORT, 1, port, 200, PEER_PORT));
    }
    shut(&s);
}

/* It keeps its port: any other is no answer of a target. */
static void a_target_must_keep_the_port(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    uint16_t port = opened_port(0, 3);
    move(&s, opened_by_0(port), 0, 1, MIG_PORT);
    assert_int_equal(capy_switch_entry_cnt(s.sw), 0);
    move(&s, opened_by_0(port), 0, 1, port);
    assert_int_equal(capy_switch_entry_cnt(s.sw), 1);
    shut(&s);
}

/* The peer would reset a connection whose name it does not know. */
static void without_an_entry_only_the_opener_speaks(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 64);
    uint16_t port = opened_port(0, 5);
    tcp(&s, 0, 1, 200, 1, port, 200, PEER_PORT, CAPY_TCP_ACK);
    assert_int_equal(s.out.cnt, 1);
    tcp(&s, 1, 2, 200, 2, port, 200, PEER_PORT, CAPY_TCP_ACK);
    assert_int_equal(s.out.cnt, 0);
    assert_int_equal(counter(&s, "drop_unowned"), 1);
    shut(&s);
}

/* Server 0 opened it to server 1's service; its end moved to server 2, and then the other end. */
static void both_ends_may_move(void **st)
{
    (void)st;
    struct stage s;
    boot(&s, 1024);
    uint16_t port = opened_port(0, 7);
    move(&s, (struct capy_flow_key){ip(2), ip(1), 80, port}, 0, 2, port);
    tcp(&s, 1, 2, 1, 2, 80, 1, port, CAPY_TCP_ACK);
    assert_true(out_is(&s, 2, 2, 80, 3, port));
    tcp(&s, 2, 3, 2, 3, port, 2, 80, CAPY_TCP_ACK);
    assert_true(out_is(&s, 1, 1, port, 2, 80));

    move(&s, (struct capy_flow_key){ip(1), ip(2), port, 80}, 1, 0, MIG_PORT);
    tcp(&s, 2, 3, 2, 3, port, 2, 80, CAPY_TCP_ACK);
    assert_true(out_is(&s, 0, 1, port, 1, MIG_PORT));
    tcp(&s, 0, 1, 2, 1, MIG_PORT, 1, port, CAPY_TCP_ACK);
    assert_true(out_is(&s, 2, 2, 80, 3, port));
    /* What the first owners still say is fenced, wherever the other end is. */
    tcp(&s, 0, 1, 2, 1, port, 2, 80, CAPY_TCP_RST);
    assert_int_equal(s.out.cnt, 0);
    tcp(&s, 1, 2, 1, 2, 80, 1, port, CAPY_TCP_RST);
    assert_int_equal(s.out.cnt, 0);
    assert_int_equal(counter(&s, "drop_fenced"), 2);
    shut(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_to_one_peer_have_room),
        cmocka_unit_test(a_target_must_keep_the_port),
        cmocka_unit_test(without_an_entry_only_the_opener_speaks),
        cmocka_unit_test(both_ends_may_move),
    };
    int failed = 0;
    for (rack_kind = RACK_IPV4; rack_kind <= RACK_BOTH; rack_kind++)
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    return failed;
}
