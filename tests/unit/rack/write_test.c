/* Writing a rack file and reading it back: the same value, whole, and private to its owner. */
#include "good.h"
#include <sys/stat.h>

static void assert_round_trip(struct capy_rack *rack)
{
    char path[] = "/tmp/capy-rack-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(capy_rack_write(rack, path), CAPY_OK);
    struct capy_rack back;
    memset(&back, 0xa5, sizeof back);
    char err[512] = "";
    int rc = capy_rack_read(path, &back, err, sizeof err);
    assert_string_equal(err, "");
    assert_int_equal(rc, CAPY_OK);
    /* The path is where it was read from; all else must be equal. */
    memset(back.path, 0, sizeof back.path);
    memset(rack->path, 0, sizeof rack->path);
    assert_memory_equal(&back, rack, sizeof back);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(unlink(path), 0);
}

/* memcmp above needs equal padding: start from the cleared memory that capy_rack_default leaves. */
static struct capy_rack rack;

static void a_small_rack_round_trips(void **state)
{
    (void)state;
    char err[512];
    assert_int_equal(read_spoiled(0, NULL, &rack, err, sizeof err), CAPY_OK);
    assert_round_trip(&rack);
}

static void every_key_round_trips_away_from_its_default(void **state)
{
    (void)state;
    char err[512];
    assert_int_equal(read_spoiled(0, NULL, &rack, err, sizeof err), CAPY_OK);
    rack.encrypt = true;
    rack.offload = true;
    rack.tcpmig_port = 9999;
    rack.mig_port_first = 50000;
    rack.mig_port_cnt = 1000;
    memcpy(rack.driver, "af_xdp", sizeof "af_xdp");
    memcpy(rack.run_dir, "/tmp/a \"quoted\" \\ dir", sizeof "/tmp/a \"quoted\" \\ dir");
    memcpy(rack.gateway, rack.switch_ip, sizeof rack.gateway);
    rack.gateway[15] = 254;
    rack.prefix_len = 16;
    rack.mtu = 1400;
    memcpy(rack.switch_mac, "\x02\x01\x02\x03\x04\x05", 6);
    rack.directory_levels = 4;
    rack.directory_slots = 1024;
    rack.heartbeat_us = 700;
    rack.lease_us = 7000;
    rack.learn_us = 8000;
    rack.age_s = 100;
    rack.announce_s = 20;
    rack.linger_ms = 77;
    rack.load_threshold = UINT32_MAX;
    rack.load_interval_us = 3000000000u;
    rack.load_low = 17;
    rack.load_patience_us = 20;
    rack.load_cool_ms = 18;
    rack.load_budget = 19;
    rack.conn_max = 5;
    rack.buffer_mib = 6;
    rack.migrate_max = 7;
    rack.memory_max = 8;
    rack.snd_buf = 5000;
    rack.rcv_buf = 6000;
    rack.syn_backlog = 7000;
    rack.syn_rate = 0;
    rack.sit_ms = 1;
    rack.spin_us = 0;
    rack.service_cnt = 0;
    memset(rack.service, 0, sizeof rack.service);
    memcpy(rack.server[1].mac, "\x02\x01\x02\x03\x04\x06", 6);
    static const uint8_t net6[16] = {0xfd, 0x99};
    memcpy(rack.switch_ip6, net6, 16);
    memcpy(rack.gateway6, net6, 16);
    memcpy(rack.server[1].ip6, net6, 16); /* the first one has none */
    rack.switch_ip6[15] = 1;
    rack.gateway6[15] = 254;
    rack.server[1].ip6[15] = 12;
    rack.prefix6_len = 96;
    assert_round_trip(&rack);
}

static void a_service_address_round_trips(void **state)
{
    (void)state;
    char err[512];
    assert_int_equal(read_spoiled(10,
                                  "ip = \"10.99.0.1\"; ip6 = \"fd99::1\"; vip = \"10.99.0.100\"; "
                                  "vip6 = \"fd99::100\"; vip_policy = \"least_loaded\";",
                                  &rack, err, sizeof err),
                     CAPY_OK);
    assert_int_equal(rack.vip[15], 100);
    assert_int_equal(rack.vip6[14], 1);
    assert_string_equal(rack.vip_policy, "least_loaded");
    assert_round_trip(&rack);
}

static void an_ipv6_rack_round_trips(void **state)
{
    (void)state;
    char err[512];
    assert_int_equal(read_spoiled(0, NULL, &rack, err, sizeof err), CAPY_OK);
    static const uint8_t net[16] = {0xfd, 0x00};
    memcpy(rack.switch_ip, net, 16);
    rack.switch_ip[15] = 1;
    for (unsigned i = 0; i < rack.server_cnt; i++) {
        memcpy(rack.server[i].ip, net, 16);
        rack.server[i].ip[15] = (uint8_t)(11 + i);
    }
    rack.prefix_len = 64;
    assert_round_trip(&rack);
}

static void a_path_that_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    capy_rack_default(&rack);
    assert_int_equal(capy_rack_write(&rack, "/nonexistent/rack.conf"), CAPY_E_SYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_rack_round_trips),
        cmocka_unit_test(every_key_round_trips_away_from_its_default),
        cmocka_unit_test(a_service_address_round_trips),
        cmocka_unit_test(an_ipv6_rack_round_trips),
        cmocka_unit_test(a_path_that_cannot_be_written_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
