/* A host in no rack: its options, and two of them that talk over a link. */
#include "sock/os.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint64_t now = CAPY_SEC(1);

static uint64_t test_clock(void *ctx)
{
    (void)ctx;
    now += CAPY_US(5);
    return now;
}

static void options_become_a_rack_of_one(void **state)
{
    (void)state;
    struct capy_rack rack;
    struct capy_ip ip;
    char err[200] = "";
    const struct capy_options opt = {
        .device = "eth7", .address = "10.1.2.3/16", .gateway = "10.1.0.1", .driver = "tap"};
    assert_int_equal(capy_alone_read(&opt, &rack, err, sizeof err), CAPY_OK);
    assert_int_equal(rack.server_cnt, 1);
    assert_string_equal(rack.server[0].device, "eth7");
    assert_string_equal(rack.driver, "tap");
    assert_int_equal(rack.prefix_len, 16);
    ip = capy_ip_from_v4(0x0a010203);
    assert_memory_equal(rack.server[0].ip, ip.b, sizeof ip.b);
    ip = capy_ip_from_v4(0x0a010001);
    assert_memory_equal(rack.gateway, ip.b, sizeof ip.b);
}

static void wrong_options_are_told_with_their_remedy(void **state)
{
    (void)state;
    static const struct {
        struct capy_options opt;
        const char *said;
    } wrong[] = {
        {{.address = "10.1.2.3/16"}, "host: not a network interface; name one of this host's"},
        {{.device = "a-name-much-too-long", .address = "10.1.2.3/16"},
         "a-name-much-too-long: not a network interface; name one of this host's"},
        {{.device = "e"}, "host: not an address; write one as 10.99.0.101/24 or fd00::65/64"},
        {{.device = "e", .address = "10.1.2.3"},
         "10.1.2.3: not an address; write one as 10.99.0.101/24 or fd00::65/64"},
        {{.device = "e", .address = "10.1.2.3/33"},
         "10.1.2.3/33: not an address; write one as 10.99.0.101/24 or fd00::65/64"},
        {{.device = "e", .address = "10.1.2.3/2x"},
         "10.1.2.3/2x: not an address; write one as 10.99.0.101/24 or fd00::65/64"},
        {{.device = "e", .address = "::1/64"},
         "::1/64: no address that a host can have; write one of the link's"},
        {{.device = "e", .address = "127.0.0.1/8"},
         "127.0.0.1/8: no address that a host can have; write one of the link's"},
        {{.device = "e", .address = "10.1.2.255/24"},
         "10.1.2.255/24: no address that a host can have; write one of the link's"},
        {{.device = "e", .address = "10.1.2.3/24", .gateway = "fd00::1"},
         "fd00::1: not a gateway; write an address of the host's IP version"},
    };
    struct capy_rack rack;
    char err[200];
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(capy_alone_read(&wrong[i].opt, &rack, err, sizeof err), CAPY_E_CONFIG);
        assert_string_equal(err, wrong[i].said);
    }
}

static struct capy *open_host(struct capy_drv *drv, const char *address, uint8_t mac)
{
    char err[200] = "";
    struct capy_rack rack;
    const struct capy_options opt = {.device = "link", .address = address};
    assert_int_equal(capy_alone_read(&opt, &rack, err, sizeof err), CAPY_OK);
    rack.conn_max = 16;
    rack.buffer_mib = 4;
    drv->mac = (struct capy_mac){{2, 0, 0, 0, 0, mac}};
    capy_alone_take_mac(&rack, drv);
    struct capy *os = capy_open_with(drv, &rack, NULL, test_clock, NULL, err, sizeof err);
    assert_non_null(os);
    return os;
}

/* The next completion of either, while both take turns. */
static struct capy_done next(struct capy *os, struct capy *other)
{
    struct capy_done done, theirs;
    for (unsigned i = 0; i < 1000; i++) {
        if (capy_wait(os, &done, 1, 0) == 1)
            return done;
        assert_int_equal(capy_wait(other, &theirs, 1, 0), 0);
    }
    fail_msg("no completion");
    return done;
}

static void two_hosts_talk(void **state)
{
    (void)state;
    struct capy_drv *a, *b;
    struct capy_address to;
    assert_int_equal(capy_drv_link_pair(64, &a, &b), CAPY_OK);
    struct capy *server = open_host(a, "10.0.0.1/24", 1), *client = open_host(b, "10.0.0.2/24", 2);
    int lqd = capy_listen(server, 80);
    assert_int_equal(capy_address_parse("10.0.0.1:80", 0, &to), CAPY_OK);
    assert_int_equal(capy_accept(server, lqd), CAPY_OK);
    int qd = capy_connect(client, &to);
    assert_int_equal(next(client, server).op, CAPY_OP_CONNECT);
    assert_int_equal(capy_push(client, qd, "hello", 5), 5);
    struct capy_done done = next(server, client);
    assert_int_equal(done.op, CAPY_OP_ACCEPT);
    assert_int_equal(capy_pop(server, done.accepted, 0), CAPY_OK);
    int accepted = done.accepted;
    done = next(server, client);
    assert_int_equal(done.avail, 5);
    assert_memory_equal(done.data, "hello", 5);
    /* There is nothing to move to. */
    assert_int_equal(capy_migrate(server, accepted, NULL), CAPY_E_STATE);
    assert_int_equal(capy_rack(client)->server_cnt, 1);
    capy_close_os(client);
    capy_close_os(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_become_a_rack_of_one),
        cmocka_unit_test(wrong_options_are_told_with_their_remedy),
        cmocka_unit_test(two_hosts_talk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
