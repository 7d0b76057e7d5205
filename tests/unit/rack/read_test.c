/* Reading a rack file: values and defaults, and every fault of a single key by its error text. */
#include "good.h"

struct fault {
    unsigned line; /* of the good file, replaced by text */
    const char *text;
    const char *error; /* behind the path */
};

static void expect_faults(const struct fault *faults, size_t cnt)
{
    struct capy_rack rack;
    char err[512];
    for (size_t i = 0; i < cnt; i++) {
        assert_int_equal(read_spoiled(faults[i].line, faults[i].text, &rack, err, sizeof err),
                         CAPY_E_CONFIG);
        assert_string_equal(err, faults[i].error);
        assert_null(strchr(err, '\n'));
    }
}

#define EXPECT_FAULTS(faults) expect_faults(faults, sizeof(faults) / sizeof(faults)[0])

static void good_file_gives_values_and_defaults(void **state)
{
    (void)state;
    struct capy_rack rack;
    char err[512] = "";
    assert_int_equal(read_spoiled(0, NULL, &rack, err, sizeof err), CAPY_OK);
    assert_true(rack.key[0] == 0x0001020304050607u && rack.key[1] == 0x08090a0b0c0d0e0fu);
    assert_int_equal(rack.server_cnt, 2);
    assert_string_equal(rack.server[1].name, "s2");
    assert_memory_equal(rack.server[1].ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x63\x00\x0c", 16);
    assert_memory_equal(rack.server[1].mac, "\x02\xca\x0a\x63\x00\x0c", 6);
    assert_memory_equal(rack.switch_mac, "\x02\xca\x0a\x63\x00\x01", 6);
    assert_string_equal(rack.server[0].port, "s1");
    assert_int_equal(rack.client_port_cnt, 2);
    assert_string_equal(rack.client_port[1].device, "c2");
    assert_int_equal(rack.service_cnt, 2);
    assert_int_equal(rack.service[0].port, 80);
    assert_int_equal(rack.conn_max, 1000);
    assert_int_equal(rack.load_threshold, 8);
    assert_int_equal(rack.load_interval_us, 500);
    assert_int_equal(rack.load_low, 4);
    assert_int_equal(rack.load_patience_us, 300000);
    assert_int_equal(rack.load_cool_ms, 1000);
    assert_int_equal(rack.load_budget, 4);
    assert_int_equal(rack.mig_port_cnt, 4096);
    assert_int_equal(rack.lease_us, 3 * rack.heartbeat_us);
    assert_int_equal(rack.mtu, 1500);
    assert_false(rack.encrypt);
    assert_int_equal(capy_rack_server_index(&rack, "s2"), 1);
    assert_int_equal(capy_rack_server_index(&rack, "s3"), -1);
}

static void lease_follows_heartbeat_unless_written(void **state)
{
    (void)state;
    struct capy_rack rack;
    char err[512];
    assert_int_equal(read_spoiled(3, "heartbeat_us = 1000;", &rack, err, sizeof err), CAPY_OK);
    assert_int_equal(rack.lease_us, 3000);
    assert_int_equal(
        read_spoiled(3, "heartbeat_us = 1000; lease_us = 9000;", &rack, err, sizeof err), CAPY_OK);
    assert_int_equal(rack.lease_us, 9000);
}

static void integers_of_64_bits_are_read_whole(void **state)
{
    (void)state;
    struct capy_rack rack;
    char err[512];
    const char *text = "trigger: { load_threshold = 4294967295L; };";
    assert_int_equal(read_spoiled(23, text, &rack, err, sizeof err), CAPY_OK);
    assert_true(rack.load_threshold == UINT32_MAX);
    text = "trigger: { load_threshold = 4294967296L; };";
    assert_int_equal(read_spoiled(23, text, &rack, err, sizeof err), CAPY_E_CONFIG);
    assert_string_equal(err, ":23: load_threshold = 4294967296 is out of range; "
                             "write a number, 0 for no automatic migration");
}

static void unknown_keys_are_named_with_the_known_ones(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        {3, "tcp_mig_port = 7777;",
         ":3: unknown key tcp_mig_port in rack; known are key, run_dir, driver, encrypt, "
         "offload, tcpmig_port, mig_port_first, mig_port_cnt, gateway, prefix_len, gateway6, "
         "prefix6_len, "
         "mtu, heartbeat_us, lease_us"},
        {12, "dir = { };",
         ":12: unknown key dir in switch; known are ip, ip6, mac, vip, vip6, vip_policy, "
         "client_ports, directory"},
        {12, "directory = { level = 2; };",
         ":12: unknown key level in switch.directory; known are levels, slots, learn_us, age_s, "
         "announce_s, linger_ms"},
        {15, "{ name = \"s1\"; ip = \"10.99.0.11\"; dev = \"eth0\"; port = \"s1\"; },",
         ":15: unknown key dev in servers; known are name, ip, ip6, mac, device, port, stack"},
        {22, "limit: { };",
         ":22: unknown group limit; known are rack, switch, servers, services, limits, trigger"},
    };
    EXPECT_FAULTS(faults);
}

static void missing_keys_are_named(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        {2, "",
         ":1: rack has no key; write 32 hex digits, the same on every machine "
         "(openssl rand -hex 16 makes them)"},
        {10, "", ":9: switch has no ip; write the switch's own address in the subnet"},
        {11, "", ":9: switch has no client_ports; write ( \"DEVICE\", ... )"},
        {16, "{ name = \"s2\"; ip = \"10.99.0.12\"; device = \"eth0\"; }",
         ":16: servers has no port; write the switch's device that leads to this server, "
         "at most 15 characters"},
        {19, "{ name = \"http\"; },", ":19: services has no port; write a TCP port, 1 to 65535"},
    };
    EXPECT_FAULTS(faults);
}

static void wrong_types_are_refused(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        {3, "tcpmig_port = \"7777\";",
         ":3: tcpmig_port is not an integer; write a UDP port, 1 to 65535"},
        {3, "tcpmig_port = 7777.0;",
         ":3: tcpmig_port is not an integer; write a UDP port, 1 to 65535"},
        {3, "encrypt = 1;", ":3: encrypt is neither true nor false; write true or false"},
        {5, "driver = 1;",
         ":5: driver is not a string in quotes; write \"auto\", \"af_xdp\" or \"tap\""},
        {11, "client_ports = \"c1\";",
         ":11: client_ports is not a list of 1 to 16 devices; write ( \"DEVICE\", ... )"},
        {11, "client_ports = ( 1 );",
         ":11: client_ports: member 1 is not a device; write its name in quotes, "
         "at most 15 characters"},
        {11, "client_ports = ( \"c1\", \"a-much-too-long-name\" );",
         ":11: client_ports: member 2 is not a device; write its name in quotes, "
         "at most 15 characters"},
        {12, "directory = 3;", ":12: switch.directory is not a group; write { key = value; ... }"},
        {15, "7,", ":15: servers is not a group; write { key = value; ... }"},
        {22, "limits = 5;", ":22: limits is not a group; write { key = value; ... }"},
    };
    EXPECT_FAULTS(faults);
}

static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        {2, "key = \"0001020304050607\";",
         ":2: key is not 32 hex digits, or all zero; write 32 hex digits, the same on every "
         "machine "
         "(openssl rand -hex 16 makes them)"},
        {2, "key = \"00000000000000000000000000000000\";",
         ":2: key is not 32 hex digits, or all zero; write 32 hex digits, the same on every "
         "machine "
         "(openssl rand -hex 16 makes them)"},
        {2, "key = \"g00102030405060708090a0b0c0d0e0f\";",
         ":2: key is not 32 hex digits, or all zero; write 32 hex digits, the same on every "
         "machine "
         "(openssl rand -hex 16 makes them)"},
        {3, "tcpmig_port = 0;",
         ":3: tcpmig_port = 0 is out of range; write a UDP port, 1 to 65535"},
        {3, "tcpmig_port = -1;",
         ":3: tcpmig_port = -1 is out of range; write a UDP port, 1 to 65535"},
        {3, "mtu = 9000;", ":3: mtu = 9000 is out of range; write bytes, 576 to 1500"},
        {10, "ip = \"10.99.0\";",
         ":10: ip = \"10.99.0\" is not valid; write the switch's own address in the subnet"},
        {10, "ip = \"10.99.0.1\"; mac = \"02:ca\";",
         ":10: mac = \"02:ca\" is not valid; write six hex bytes as \"02:ca:0a:63:00:01\", "
         "or leave the key out"},
        {12, "directory = { levels = 9; };", ":12: levels = 9 is out of range; write 1 to 8"},
        {15, "{ name = \"\"; ip = \"10.99.0.11\"; device = \"eth0\"; port = \"s1\"; },",
         ":15: name = \"\" is not valid; write 1 to 31 letters, digits, '-' or '_'"},
        {15,
         "{ name = \"s1\"; ip = \"10.99.0.11\"; device = \"eth01234567890123\"; port = \"s1\"; },",
         ":15: device = \"eth01234567890123\" is not valid; "
         "write the interface that the server opens, at most 15 characters"},
    };
    EXPECT_FAULTS(faults);
}

static void syntax_errors_and_repeated_keys_are_refused(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        {3, "tcpmig_port 7777;",
         ":3: syntax error; write key = value; with groups in { } and lists in ( ), "
         "each key once"},
        {4, "tcpmig_port = 7778;",
         ":4: duplicate setting name; write key = value; with groups in { } and lists in ( ), "
         "each key once"},
    };
    EXPECT_FAULTS(faults);
}

static void missing_groups_are_named(void **state)
{
    (void)state;
    static const char *const key = "rack: { key = \"000102030405060708090a0b0c0d0e0f\"; };";
    struct capy_rack rack;
    char err[512], text[512];
    assert_int_equal(read_text("", &rack, err, sizeof err), CAPY_E_CONFIG);
    assert_non_null(strstr(err, ":1: no group rack; write rack: { key = \"...\"; };"));
    assert_int_equal(read_text(key, &rack, err, sizeof err), CAPY_E_CONFIG);
    assert_non_null(strstr(err, ":1: no group switch; write switch: { ip = \"...\"; "));
    (void)snprintf(text, sizeof text, "%s switch: { ip = \"10.0.0.1\"; client_ports = (\"c\"); };",
                   key);
    assert_int_equal(read_text(text, &rack, err, sizeof err), CAPY_E_CONFIG);
    assert_non_null(strstr(err, ":1: servers is not a list; write ( { name = \"...\"; ... }"));
}

static void too_many_servers_are_refused(void **state)
{
    (void)state;
    char text[16384] = "rack: { key = \"000102030405060708090a0b0c0d0e0f\"; };\n"
                       "switch: { ip = \"10.0.0.1\"; client_ports = (\"c\"); };\nservers = (\n";
    for (int i = 0; i <= CAPY_RACK_SERVER_MAX; i++) {
        size_t n = strlen(text);
        (void)snprintf(text + n, sizeof text - n,
                       "%s{ name = \"s%d\"; ip = \"10.0.0.%d\"; device = \"e\"; port = \"p%d\"; }",
                       i ? "," : "", i, i + 10, i);
    }
    (void)strncat(text, ");", sizeof text - strlen(text) - 1);
    struct capy_rack rack;
    char err[512];
    assert_int_equal(read_text(text, &rack, err, sizeof err), CAPY_E_CONFIG);
    assert_non_null(strstr(err, ":3: servers has 65 members; write at most 64"));
}

static void absent_file_is_named(void **state)
{
    (void)state;
    struct capy_rack rack;
    char err[512];
    assert_int_equal(capy_rack_read("/nonexistent/rack.conf", &rack, err, sizeof err),
                     CAPY_E_CONFIG);
    assert_string_equal(err, "/nonexistent/rack.conf: cannot read the rack file: No such file or "
                             "directory; name an existing one with --rack FILE");
    assert_int_equal(capy_rack_read("/", &rack, err, sizeof err), CAPY_E_CONFIG);
    assert_string_equal(err, "/: cannot read the rack file: Is a directory; name an existing one "
                             "with --rack FILE");
}

static void too_long_a_path_is_refused(void **state)
{
    (void)state;
    struct capy_rack rack;
    char err[512], path[400];
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(capy_rack_read(path, &rack, err, sizeof err), CAPY_E_CONFIG);
    assert_non_null(strstr(err, "path too long; use at most 255 characters"));
}

/* Whatever is between the quotes. */
static void an_error_is_one_line(void **state)
{
    (void)state;
    struct capy_rack rack;
    char err[512];
    assert_int_equal(read_spoiled(10, "    ip = \"10.99\n.\x1b[2J0.1\";", &rack, err, sizeof err),
                     CAPY_E_CONFIG);
    assert_non_null(strstr(err, "\"10.99?.?[2J0.1\""));
}

static void a_short_error_buffer_is_never_overrun(void **state)
{
    (void)state;
    struct capy_rack rack;
    char err[16];
    memset(err, '#', sizeof err);
    assert_int_equal(capy_rack_read("/nonexistent/rack.conf", &rack, err, 8), CAPY_E_CONFIG);
    assert_int_equal(strlen(err), 7);
    assert_int_equal(err[8], '#');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_file_gives_values_and_defaults),
        cmocka_unit_test(lease_follows_heartbeat_unless_written),
        cmocka_unit_test(integers_of_64_bits_are_read_whole),
        cmocka_unit_test(unknown_keys_are_named_with_the_known_ones),
        cmocka_unit_test(missing_keys_are_named),
        cmocka_unit_test(wrong_types_are_refused),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(syntax_errors_and_repeated_keys_are_refused),
        cmocka_unit_test(missing_groups_are_named),
        cmocka_unit_test(too_many_servers_are_refused),
        cmocka_unit_test(absent_file_is_named),
        cmocka_unit_test(too_long_a_path_is_refused),
        cmocka_unit_test(an_error_is_one_line),
        cmocka_unit_test(a_short_error_buffer_is_never_overrun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
