/* Rack files whose keys are right one by one and wrong together: each by its error text. */
#include "good.h"

struct fault {
    unsigned line;
    const char *text;
    const char *error;
};

static void expect_faults(const struct fault *faults, size_t cnt)
{
    struct capy_rack rack;
    char err[512];
    for (size_t i = 0; i < cnt; i++) {
        assert_int_equal(read_spoiled(faults[i].line, faults[i].text, &rack, err, sizeof err),
                         CAPY_E_CONFIG);
        assert_string_equal(err, faults[i].error);
    }
}

#define EXPECT_FAULTS(faults) expect_faults(faults, sizeof(faults) / sizeof(faults)[0])
#define S2(name, ip, rest) "{ name = \"" name "\"; ip = \"" ip "\"; device = \"eth0\"; " rest " }"

static void words_outside_their_set(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        {4, "run_dir = \"run\";",
         ":4: run_dir = \"run\" is not an absolute path; write one that begins with /"},
        {5, "driver = \"dpdk\";",
         ":5: driver = \"dpdk\" is not known; write \"auto\", \"af_xdp\" or \"tap\""},
        {16, S2("s2", "10.99.0.12", "port = \"s2\"; stack = \"bsd\";"),
         ":16: stack = \"bsd\" is not known; write \"capy\" or \"linux\""},
        {12, "directory = { slots = 1000; };",
         ":12: slots = 1000 is not a power of two; write 65536, say"},
    };
    EXPECT_FAULTS(faults);
}

static void names_that_clash(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        {16, S2("s1", "10.99.0.12", "port = \"s2\";"),
         ":16: server name \"s1\" is used twice; write another name"},
        {16, S2("switch", "10.99.0.12", "port = \"s2\";"),
         ":16: server name \"switch\" is the switch's; write another name"},
        {16, S2("../x", "10.99.0.12", "port = \"s2\";"),
         ":16: server name \"../x\" has other characters than letters, digits, '-' and '_'; "
         "write another name"},
        {20, "{ name = \"http\"; port = 81; }",
         ":20: service name \"http\" is used twice; write another name"},
        {20, "{ name = \"ht tp\"; port = 81; }",
         ":20: service name \"ht tp\" has other characters than letters, digits, '-' and '_'; "
         "write another name"},
        {4,
         "run_dir = \"/run/a-directory-name-that-leaves-hardly-any-room-for-the-name-of-a-socket"
         "/because-it-goes-on-and-on\";",
         ":15: run_dir and server name \"s1\" are too long for a socket's path; "
         "write a shorter run_dir (107 characters in all)"},
    };
    EXPECT_FAULTS(faults);
}

static void addresses_that_clash(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        {16, S2("s2", "10.99.0.11", "port = \"s2\";"),
         ":16: server ip 10.99.0.11 is used twice, also as s1; write another address"},
        {16, S2("s2", "10.99.0.1", "port = \"s2\";"),
         ":16: server ip 10.99.0.1 is used twice, also as the switch's; write another address"},
        {3, "gateway = \"10.99.0.12\";",
         ":16: server ip 10.99.0.12 is used twice, also as the gateway's; write another address"},
        {16, S2("s2", "10.98.0.12", "port = \"s2\";"),
         ":16: server ip 10.98.0.12 is outside the switch's subnet 10.99.0.1/24; "
         "write an address inside, or another prefix_len"},
        {3, "gateway = \"10.98.0.254\";",
         ":3: gateway 10.98.0.254 is outside the switch's subnet 10.99.0.1/24; "
         "write an address inside, or another prefix_len"},
        {16, S2("s2", "10.99.0.255", "port = \"s2\";"),
         ":16: server ip 10.99.0.255 is the subnet's broadcast address; write a host's address"},
        {10, "ip = \"10.99.0.0\";",
         ":10: switch ip 10.99.0.0 is the subnet's network address; write a host's address"},
        {10, "ip = \"127.0.0.1\";",
         ":10: switch ip 127.0.0.1 is a loopback, multicast or reserved address; "
         "write a host's address"},
        {10, "ip = \"224.0.0.1\";",
         ":10: switch ip 224.0.0.1 is a loopback, multicast or reserved address; "
         "write a host's address"},
        {16, S2("s2", "fd00::12", "port = \"s2\";"),
         ":16: server ip fd00::12 is not of the IP version of the switch, 10.99.0.1; "
         "write one version for the whole rack"},
        {3, "gateway = \"10.99.0.1\";",
         ":3: gateway is the switch's own address; write the router's"},
        {7, "prefix_len = 33;", ":7: prefix_len = 33 is out of range for IPv4; write 1 to 32"},
    };
    EXPECT_FAULTS(faults);
}

/* The good file with a second, IPv6 subnet: line 3 is the rack group's, 10 the switch's, 16 of s2. */
#define SWITCH6(rest) "ip = \"10.99.0.1\"; ip6 = \"fd99::1\"; " rest
#define S2_IP6(ip6) S2("s2", "10.99.0.12", "port = \"s2\"; ip6 = \"" ip6 "\";")

static void second_addresses_out_of_place(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        {10, "ip = \"10.99.0.1\"; ip6 = \"::1\";",
         ":10: switch ip6 ::1 is the unspecified or the loopback address; write a host's address"},
        {10, "ip = \"10.99.0.1\"; ip6 = \"10.99.0.2\";",
         ":10: switch ip6 10.99.0.2 is an IPv4 address; write an IPv6 address"},
        {16, S2_IP6("10.99.0.13"),
         ":16: server ip6 10.99.0.13 is an IPv4 address; write an IPv6 address"},
        {16, S2_IP6("::ffff:10.99.0.13"),
         ":16: server ip6 10.99.0.13 is an IPv4 address; write an IPv6 address"},
        {3, "gateway6 = \"10.99.0.254\";",
         ":3: gateway6 10.99.0.254 is an IPv4 address; write an IPv6 address"},
        {3, "gateway6 = \"fd99::254\";",
         ":3: gateway6 fd99::254 is in a rack whose switch has no ip6; write switch.ip6"},
        {16, S2_IP6("fd99::12"),
         ":16: server ip6 fd99::12 is in a rack whose switch has no ip6; write switch.ip6"},
        {10, SWITCH6("mac = \"02:ca:0a:63:00:01\"; ip7 = 1;"),
         ":10: unknown key ip7 in switch; known are ip, ip6, mac, vip, vip6, vip_policy, "
         "client_ports, directory"},
    };
    EXPECT_FAULTS(faults);
}

#define VIP(rest) "ip = \"10.99.0.1\"; vip = \"10.99.0.100\"; " rest

static void a_service_address_out_of_place(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        {10, "ip = \"10.99.0.1\"; vip = \"10.98.0.100\";",
         ":10: vip 10.98.0.100 is outside the switch's subnet 10.99.0.1/24; "
         "write an address inside, or another prefix_len"},
        {10, "ip = \"10.99.0.1\"; vip = \"10.99.0.1\";",
         ":10: vip is the switch's own address; write one that nobody has"},
        {10, "ip = \"10.99.0.1\"; vip = \"10.99.0.12\";",
         ":16: server ip 10.99.0.12 is used twice, also as the vip; write another address"},
        {10, "ip = \"10.99.0.1\"; vip = \"fd99::100\";",
         ":10: vip fd99::100 is not of the IP version of the switch, 10.99.0.1; "
         "write one version for the whole rack"},
        {10, VIP("vip6 = \"fd99::100\";"),
         ":10: vip6 fd99::100 is in a rack whose switch has no ip6; write switch.ip6"},
        {10, "ip = \"10.99.0.1\"; ip6 = \"fd99::1\"; vip6 = \"fd99::100\";",
         ":10: vip6 stands beside no vip; write switch.vip, too"},
        {10, VIP("vip_policy = \"random\";"),
         ":10: vip_policy = \"random\" is not known; write \"maglev\" or \"least_loaded\""},
    };
    EXPECT_FAULTS(faults);
}

/* Two lines that fit each other only without a service address. */
static void ports_beside_a_service_address(void **state)
{
    (void)state;
    static const struct {
        const char *rack, *services, *error;
    } faults[] = {
        {"", "", ":2: vip has no services; write services = ( { name = \"http\"; port = 80; } );"},
        {"", "services = ( { name = \"x\"; port = 57328; } );",
         ":4: port 57328 of service \"x\" is among the ports 57328 to 65535 for migrated "
         "connections; write another port or mig_port_first"},
        {"mig_port_first = 5136; mig_port_cnt = 100;",
         "services = ( { name = \"x\"; port = 80; } );",
         ":1: mig_port_first = 5136 leaves no ports below it for the vip's connections; "
         "write at least 5137"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct capy_rack rack;
        char text[1024], err[512] = "";
        (void)snprintf(
            text, sizeof text,
            "rack: { key = \"000102030405060708090a0b0c0d0e0f\"; %s };\n"
            "switch: { " VIP("client_ports = ( \"c1\" );") " };\n"
                                                           "servers = ( " S2(
                                                               "s1", "10.99.0.11",
                                                               "port = \"s1\";") " );\n%s\n",
            faults[i].rack, faults[i].services);
        assert_int_equal(read_text(text, &rack, err, sizeof err), CAPY_E_CONFIG);
        assert_string_equal(err, faults[i].error);
    }
}

#define KEY "key = \"000102030405060708090a0b0c0d0e0f\"; "
#define TAIL "device = \"e\"; port = "

/* A rack with a second subnet, from three of its values. */
static int read_second(const char *group, const char *switch_ip6, const char *s2_ip6,
                       struct capy_rack *rack, char *err, size_t err_len)
{
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "rack: { " KEY "%s };\n"
                   "switch: { ip = \"10.99.0.1\"; ip6 = \"%s\"; client_ports = ( \"c1\" ); };\n"
                   "servers = (\n"
                   "{ name = \"s1\"; ip = \"10.99.0.11\"; ip6 = \"fd99::11\"; " TAIL "\"s1\"; },\n"
                   "{ name = \"s2\"; ip = \"10.99.0.12\"; ip6 = \"%s\"; " TAIL "\"s2\"; } );\n",
                   group, switch_ip6, s2_ip6);
    return read_text(text, rack, err, err_len);
}

static void second_addresses_that_clash(void **state)
{
    (void)state;
    static const struct {
        const char *group, *switch_ip6, *s2_ip6, *error;
    } faults[] = {
        {"", "fd99::1", "fd99::11",
         ":5: server ip6 fd99::11 is used twice, also as s1; write another address"},
        {"", "fd99::1", "fd99::1",
         ":5: server ip6 fd99::1 is used twice, also as the switch's; write another address"},
        {"gateway6 = \"fd99::12\";", "fd99::1", "fd99::12",
         ":5: server ip6 fd99::12 is used twice, also as the gateway's; write another address"},
        {"gateway6 = \"fd99::1\";", "fd99::1", "fd99::12",
         ":1: gateway6 is the switch's own address; write the router's"},
        {"gateway6 = \"fd98::254\";", "fd99::1", "fd99::12",
         ":1: gateway6 fd98::254 is outside the switch's subnet fd99::1/64; "
         "write an address inside, or another prefix6_len"},
        {"", "fd99::1", "fd99:0:0:1::12",
         ":5: server ip6 fd99:0:0:1::12 is outside the switch's subnet fd99::1/64; "
         "write an address inside, or another prefix6_len"},
        {"prefix6_len = 124;", "fd99::1", "fd99::12",
         ":4: server ip6 fd99::11 is outside the switch's subnet fd99::1/124; "
         "write an address inside, or another prefix6_len"},
        {"", "fd99::1", "fd99::",
         ":5: server ip6 fd99:: is the subnet's router anycast address; write a host's address"},
        {"", "fe80::1", "fd99::12",
         ":2: switch ip6 fe80::1 is a link-local address; write a host's address"},
        {"", "ff02::1", "fd99::12",
         ":2: switch ip6 ff02::1 is a multicast address; write a host's address"},
        {"prefix6_len = 129;", "fd99::1", "fd99::12",
         ":1: prefix6_len = 129 is out of range; "
         "write the prefix length of the ip6 addresses' subnet, 1 to 128"},
        {"", "::", "fd99::12",
         ":2: ip6 = \"::\" is not valid; "
         "write the switch's second address, IPv6, or leave the key out"},
    };
    struct capy_rack rack;
    char err[512] = "";
    assert_int_equal(read_second("", "fd99::1", "fd99::12", &rack, err, sizeof err), CAPY_OK);
    assert_int_equal(rack.prefix6_len, 64);
    assert_memory_equal(rack.server[1].ip6, "\xfd\x99\0\0\0\0\0\0\0\0\0\0\0\0\0\x12", 16);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        assert_int_equal(read_second(faults[i].group, faults[i].switch_ip6, faults[i].s2_ip6, &rack,
                                     err, sizeof err),
                         CAPY_E_CONFIG);
        assert_string_equal(err, faults[i].error);
    }
}

/* Where the primary addresses are IPv6 there is no second subnet. */
static void second_addresses_beside_ipv6(void **state)
{
    (void)state;
    static const struct {
        const char *group, *tor, *server, *error;
    } faults[] = {
        {"", "ip6 = \"fd98::1\";", "",
         ":2: switch ip6 fd98::1 stands beside primary addresses that are IPv6 themselves; "
         "write it only in a rack whose ip addresses are IPv4"},
        {"gateway6 = \"fd99::254\";", "", "",
         ":1: gateway6 fd99::254 stands beside primary addresses that are IPv6 themselves; "
         "write it only in a rack whose ip addresses are IPv4"},
        {"", "", "ip6 = \"fd98::11\";",
         ":3: server ip6 fd98::11 stands beside primary addresses that are IPv6 themselves; "
         "write it only in a rack whose ip addresses are IPv4"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        char text[1024], err[512];
        struct capy_rack rack;
        (void)snprintf(text, sizeof text,
                       "rack: { " KEY "%s };\n"
                       "switch: { ip = \"fd99::1\"; client_ports = ( \"c1\" ); %s };\n"
                       "servers = ( { name = \"s1\"; ip = \"fd99::11\"; " TAIL "\"s1\"; %s } );\n",
                       faults[i].group, faults[i].tor, faults[i].server);
        assert_int_equal(read_text(text, &rack, err, sizeof err), CAPY_E_CONFIG);
        assert_string_equal(err, faults[i].error);
    }
}

static void macs_that_clash(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        {16, S2("s2", "10.99.0.12", "port = \"s2\"; mac = \"02:ca:0a:63:00:0b\";"),
         ":16: mac 02:ca:0a:63:00:0b of server \"s2\" is used twice; "
         "write each device's own (ip link shows it)"},
        {16, S2("s2", "10.99.0.12", "port = \"s2\"; mac = \"02:ca:0a:63:00:01\";"),
         ":16: mac 02:ca:0a:63:00:01 of server \"s2\" is used twice; "
         "write each device's own (ip link shows it)"},
        {16, S2("s2", "10.99.0.12", "port = \"s2\"; mac = \"01:00:5e:00:00:01\";"),
         ":16: mac is a multicast address or all zero; "
         "write the device's own (ip link shows it)"},
        {10, "ip = \"10.99.0.1\"; mac = \"00:00:00:00:00:00\";",
         ":10: mac is a multicast address or all zero; "
         "write the device's own (ip link shows it)"},
    };
    EXPECT_FAULTS(faults);
}

static void switch_devices_that_clash(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        {16, S2("s2", "10.99.0.12", "port = \"s1\";"),
         ":16: switch device \"s1\" leads to two places; write one device per server, "
         "and none of client_ports"},
        {16, S2("s2", "10.99.0.12", "port = \"c1\";"),
         ":16: switch device \"c1\" leads to two places; write one device per server, "
         "and none of client_ports"},
        {11, "client_ports = ( \"c1\", \"c1\" );",
         ":11: client_ports names device \"c1\" twice; write each device once"},
    };
    EXPECT_FAULTS(faults);
}

static void ports_that_clash(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        {3, "tcpmig_port = 61441;",
         ":6: ports 61440 to 65535 for migrated connections include tcpmig_port 61441; "
         "write another mig_port_first or tcpmig_port"},
        {6, "mig_port_first = 7000;",
         ":6: ports 7000 to 11095 for migrated connections include tcpmig_port 7777; "
         "write another mig_port_first or tcpmig_port"},
        {6, "mig_port_first = 65000;",
         ":6: mig_port_first + mig_port_cnt goes to port 69095; "
         "write a range that ends at 65535 or before"},
        {6, "mig_port_cnt = 5000;",
         ":1: mig_port_first + mig_port_cnt goes to port 66439; "
         "write a range that ends at 65535 or before"},
        {20, "{ name = \"echo\"; port = 65535; }",
         ":20: port 65535 of service \"echo\" is among the ports 57344 to 65535 for migrated "
         "connections; write another port or mig_port_first"},
        {20, "{ name = \"echo\"; port = 80; }",
         ":20: port 80 is used by two services, \"http\" and \"echo\"; write another port"},
    };
    EXPECT_FAULTS(faults);
}

static void times_that_clash(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        {3, "heartbeat_us = 1000; lease_us = 1999;",
         ":3: lease_us = 1999 is below two heartbeats of 1000; write at least 2000"},
        {12, "directory = { learn_us = 1000; };",
         ":12: learn_us = 1000 is below lease_us = 150000; write at least one lease"},
        {12, "directory = { age_s = 100; announce_s = 51; };",
         ":12: announce_s = 51 is above half of age_s = 100, so one lost message would age a live "
         "flow out; write at most 50"},
    };
    EXPECT_FAULTS(faults);
}

static void marks_of_the_trigger_that_clash(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        {23, "trigger: { load_threshold = 8; load_low = 8; };",
         ":23: load_low = 8 is not below load_threshold = 8; write 4, say"},
    };
    EXPECT_FAULTS(faults);
}

static void buffers_that_a_migration_cannot_carry(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        {22, "limits: { snd_buf = 2097152; rcv_buf = 2097152; };",
         ":22: snd_buf + rcv_buf = 4194304 is more than a migration can carry; "
         "write at most 2621440 in all"},
    };
    EXPECT_FAULTS(faults);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_outside_their_set),
        cmocka_unit_test(names_that_clash),
        cmocka_unit_test(addresses_that_clash),
        cmocka_unit_test(a_service_address_out_of_place),
        cmocka_unit_test(ports_beside_a_service_address),
        cmocka_unit_test(second_addresses_out_of_place),
        cmocka_unit_test(second_addresses_that_clash),
        cmocka_unit_test(second_addresses_beside_ipv6),
        cmocka_unit_test(macs_that_clash),
        cmocka_unit_test(switch_devices_that_clash),
        cmocka_unit_test(ports_that_clash),
        cmocka_unit_test(times_that_clash),
        cmocka_unit_test(marks_of_the_trigger_that_clash),
        cmocka_unit_test(buffers_that_a_migration_cannot_carry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
