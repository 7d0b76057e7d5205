/* The rack file's keys; see schema.h. docs/operating.md shows each with its unit and default. */
#include "rack/schema.h"

#define CNT(a) (sizeof(a) / sizeof(a)[0])
#define AT(field) offsetof(struct capy_rack, field)
#define NAME_LEN_MAX (CAPY_RACK_NAME_MAX - 1)
#define DEVICE_LEN_MAX 15 /* IFNAMSIZ less its NUL */
#define HOUR_US 3600000000LL

/* Ranges: wide enough for any rack, tight enough that a slipped unit is noticed. */
static const struct rack_field rack_fields[] = {
    {"key", RACK_KEY, AT(key), 0, 0, true,
     "write 32 hex digits, the same on every machine (openssl rand -hex 16 makes them)"},
    {"run_dir", RACK_TEXT, AT(run_dir), 1, sizeof(((struct capy_rack *)0)->run_dir) - 1, false,
     "write the absolute path of a directory, as \"/run/capy\""},
    {"driver", RACK_TEXT, AT(driver), 1, 15, false, "write \"auto\", \"af_xdp\" or \"tap\""},
    {"encrypt", RACK_BOOL, AT(encrypt), 0, 1, false, "write true or false"},
    {"offload", RACK_BOOL, AT(offload), 0, 1, false, "write true or false"},
    {"tcpmig_port", RACK_U16, AT(tcpmig_port), 1, 65535, false, "write a UDP port, 1 to 65535"},
    {"mig_port_first", RACK_U16, AT(mig_port_first), 1024, 65535, false,
     "write a TCP port, 1024 to 65535"},
    {"mig_port_cnt", RACK_U16, AT(mig_port_cnt), 1, 64512, false,
     "write a number of ports, 1 to 64512"},
    {"gateway", RACK_IP, AT(gateway), 0, 0, false,
     "write the address of the clients' router, or leave the key out"},
    {"prefix_len", RACK_U8, AT(prefix_len), 1, 128, false,
     "write the subnet's prefix length, 1 to 32 (IPv6: 1 to 128)"},
    {"gateway6", RACK_IP, AT(gateway6), 0, 0, false,
     "write the IPv6 address of the clients' router, or leave the key out"},
    {"prefix6_len", RACK_U8, AT(prefix6_len), 1, 128, false,
     "write the prefix length of the ip6 addresses' subnet, 1 to 128"},
    {"mtu", RACK_U16, AT(mtu), 576, 1500, false, "write bytes, 576 to 1500"},
    {"heartbeat_us", RACK_U32, AT(heartbeat_us), 100, 60000000, false,
     "write microseconds, 100 to 60000000"},
    {"lease_us", RACK_U32, AT(lease_us), 200, 600000000, false,
     "write microseconds, at least two heartbeats"},
};

static const struct rack_field switch_fields[] = {
    {"ip", RACK_IP, AT(switch_ip), 0, 0, true, "write the switch's own address in the subnet"},
    {"ip6", RACK_IP, AT(switch_ip6), 0, 0, false,
     "write the switch's second address, IPv6, or leave the key out"},
    {"mac", RACK_MAC, AT(switch_mac), 0, 0, false,
     "write six hex bytes as \"02:ca:0a:63:00:01\", or leave the key out"},
    {"vip", RACK_IP, AT(vip), 0, 0, false,
     "write the address in the subnet that all services have together, or leave the key out"},
    {"vip6", RACK_IP, AT(vip6), 0, 0, false,
     "write the services' second address, IPv6, or leave the key out"},
    {"vip_policy", RACK_TEXT, AT(vip_policy), 1, 15, false, "write \"maglev\" or \"least_loaded\""},
    {"client_ports", RACK_INNER, 0, 0, 0, true, "write ( \"DEVICE\", ... )"},
    {"directory", RACK_INNER, 0, 0, 0, false, "write { levels = 2; ... }"},
};

static const struct rack_field directory_fields[] = {
    {"levels", RACK_U32, AT(directory_levels), 1, 8, false, "write 1 to 8"},
    {"slots", RACK_U32, AT(directory_slots), 16, 1 << 24, false,
     "write a power of two, 16 to 16777216"},
    {"learn_us", RACK_U32, AT(learn_us), 1000, 600000000, false,
     "write microseconds, at least one lease"},
    {"age_s", RACK_U32, AT(age_s), 2, 1000000, false, "write seconds, 2 to 1000000"},
    {"announce_s", RACK_U32, AT(announce_s), 1, 500000, false,
     "write seconds, at most half of age_s"},
    {"linger_ms", RACK_U32, AT(linger_ms), 1, 600000, false, "write milliseconds, 1 to 600000"},
};

static const struct rack_field limit_fields[] = {
    {"conn_max", RACK_U32, AT(conn_max), 1, 1 << 22, false, "write a number, 1 to 4194304"},
    {"buffer_mib", RACK_U32, AT(buffer_mib), 1, 1 << 20, false, "write MiB, 1 to 1048576"},
    {"migrate_max", RACK_U32, AT(migrate_max), 1, 65536, false, "write a number, 1 to 65536"},
    {"memory_max", RACK_U32, AT(memory_max), 1, 1 << 24, false, "write a number, 1 to 16777216"},
    {"snd_buf", RACK_U32, AT(snd_buf), 4096, 1 << 30, false, "write bytes, 4096 to 1073741824"},
    {"rcv_buf", RACK_U32, AT(rcv_buf), 4096, 1 << 30, false, "write bytes, 4096 to 1073741824"},
    {"syn_backlog", RACK_U32, AT(syn_backlog), 1, 1 << 22, false, "write a number, 1 to 4194304"},
    {"syn_rate", RACK_U32, AT(syn_rate), 0, 1000000000, false,
     "write a number per second, 0 for no limit"},
    {"sit_ms", RACK_U32, AT(sit_ms), 0, 86400000, false,
     "write milliseconds, 0 (never) to 86400000"},
    {"spin_us", RACK_U32, AT(spin_us), 0, 1000000000, false,
     "write microseconds, 0 (always sleep) to 1000000000"},
};

static const struct rack_field trigger_fields[] = {
    {"load_threshold", RACK_U32, AT(load_threshold), 0, UINT32_MAX, false,
     "write a number, 0 for no automatic migration"},
    {"load_low", RACK_U32, AT(load_low), 0, UINT32_MAX, false,
     "write a number below load_threshold"},
    {"patience_us", RACK_U32, AT(load_patience_us), 0, HOUR_US, false,
     "write microseconds, 0 to 3600000000"},
    {"interval_us", RACK_U32, AT(load_interval_us), 10, HOUR_US, false,
     "write microseconds, 10 to 3600000000"},
    {"cool_down_ms", RACK_U32, AT(load_cool_ms), 0, 86400000, false,
     "write milliseconds, 0 to 86400000"},
    {"budget", RACK_U32, AT(load_budget), 1, 1 << 16, false, "write a number, 1 to 65536"},
};

#define GROUP(path, fields)                                                                        \
    {                                                                                              \
        path, fields, CNT(fields)                                                                  \
    }

const struct rack_group rack_groups[] = {
    GROUP("rack", rack_fields),
    GROUP("switch", switch_fields),
    GROUP("switch.directory", directory_fields),
    GROUP("limits", limit_fields),
    GROUP("trigger", trigger_fields),
};
const unsigned rack_group_cnt = CNT(rack_groups);

#define AT_SERVER(field) offsetof(struct capy_rack_server, field)

static const struct rack_field server_fields[] = {
    {"name", RACK_TEXT, AT_SERVER(name), 1, NAME_LEN_MAX, true,
     "write 1 to 31 letters, digits, '-' or '_'"},
    {"ip", RACK_IP, AT_SERVER(ip), 0, 0, true, "write the server's address in the subnet"},
    {"ip6", RACK_IP, AT_SERVER(ip6), 0, 0, false,
     "write the server's second address, IPv6, or leave the key out"},
    {"mac", RACK_MAC, AT_SERVER(mac), 0, 0, false,
     "write six hex bytes as \"02:ca:0a:63:00:0b\", or leave the key out"},
    {"device", RACK_TEXT, AT_SERVER(device), 1, DEVICE_LEN_MAX, true,
     "write the interface that the server opens, at most 15 characters"},
    {"port", RACK_TEXT, AT_SERVER(port), 1, DEVICE_LEN_MAX, true,
     "write the switch's device that leads to this server, at most 15 characters"},
    {"stack", RACK_TEXT, AT_SERVER(stack), 1, 15, false, "write \"capy\" or \"linux\""},
};

static const struct rack_field service_fields[] = {
    {"name", RACK_TEXT, offsetof(struct capy_rack_service, name), 1, NAME_LEN_MAX, true,
     "write 1 to 31 letters, digits, '-' or '_'"},
    {"port", RACK_U16, offsetof(struct capy_rack_service, port), 1, 65535, true,
     "write a TCP port, 1 to 65535"},
};

const struct rack_list rack_lists[] = {
    {GROUP("servers", server_fields), AT(server), sizeof(struct capy_rack_server), AT(server_cnt),
     CAPY_RACK_SERVER_MAX, true},
    {GROUP("services", service_fields), AT(service), sizeof(struct capy_rack_service),
     AT(service_cnt), CAPY_RACK_SERVICE_MAX, false},
};
const unsigned rack_list_cnt = CNT(rack_lists);
