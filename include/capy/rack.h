/* The rack file: servers, addresses, services and the key, in one small file that every program
 * reads (libconfig syntax). docs/operating.md shows one with every key. */
#ifndef CAPY_RACK_H
#define CAPY_RACK_H

#include "capy/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPY_RACK_SERVER_MAX 64
#define CAPY_RACK_CLIENT_MAX 16
#define CAPY_RACK_SERVICE_MAX 16
#define CAPY_RACK_NAME_MAX 32

struct capy_rack_server {
    char name[CAPY_RACK_NAME_MAX];
    char device[16]; /* interface that the server's program opens */
    uint8_t ip[16];  /* its primary address, IPv4-mapped or IPv6: TCPMig runs between these */
    uint8_t ip6[16]; /* a second one, IPv6, beside an IPv4 ip; all zero: none */
    uint8_t mac[6];  /* default 02:ca + the last four bytes of ip */
    char port[16];   /* the switch's device that leads to this server */
    char stack[16];  /* whose TCP its connections are: "capy" (also: ""), "linux": the kernel's */
};

struct capy_rack_port { /* a client-facing device of the switch */
    char device[16];
};

struct capy_rack_service {
    char name[CAPY_RACK_NAME_MAX];
    uint16_t port;
};

struct capy_rack {
    char path[256];    /* where it was read from */
    char run_dir[256]; /* control sockets: <run_dir>/<name>.sock */
    uint64_t key[2];
    bool encrypt;
    bool offload; /* large segments: the device cuts and joins them, or the driver in software */
    uint16_t tcpmig_port;
    uint16_t mig_port_first, mig_port_cnt;
    char driver[16];     /* auto, af_xdp, tap */
    uint8_t gateway[16]; /* all zero: none */
    uint8_t prefix_len;  /* 24, or 64 when the primary addresses are IPv6 */
    uint8_t gateway6[16];
    uint8_t prefix6_len; /* of the subnet of the ip6 addresses: 64 */
    uint16_t mtu;

    uint8_t switch_ip[16];
    uint8_t switch_ip6[16]; /* as a server's ip6 */
    uint8_t switch_mac[6];
    uint8_t vip[16], vip6[16]; /* the service address, as the switch's ip and ip6; all zero: none */
    char vip_policy[16];       /* maglev, least_loaded */
    uint32_t directory_levels, directory_slots;
    uint32_t heartbeat_us, lease_us; /* lease: default 3 heartbeats */
    uint32_t learn_us;               /* grace time after the switch's boot */
    uint32_t age_s, announce_s;      /* a directory entry's age limit, and the refresh below it */
    uint32_t linger_ms;              /* an entry's time after both FINs */

    /* The trigger (paper §3.3): over this load a server moves connections away. 0: off. */
    uint32_t load_threshold;
    uint32_t load_low;         /* until it is at this load or below; default: half the threshold */
    uint32_t load_patience_us; /* before the first move when the load is twice the threshold; less
                                  when there is more */
    uint32_t load_interval_us; /* between acts; the load is averaged over a quarter of it */
    uint32_t load_cool_ms;     /* what moved is not moved again for this long */
    uint32_t load_budget;      /* automatic migrations in flight */

    uint32_t conn_max, buffer_mib, migrate_max, memory_max;
    uint32_t snd_buf, rcv_buf;
    uint32_t syn_backlog, syn_rate; /* half-open connections; SYNs a second of one peer, 0: any */
    uint32_t sit_ms;                /* bytes that sit this long when buffers are short; 0: never */
    uint32_t spin_us;               /* busy-poll this long before sleeping */

    unsigned server_cnt, client_port_cnt, service_cnt;
    struct capy_rack_server server[CAPY_RACK_SERVER_MAX];
    struct capy_rack_port client_port[CAPY_RACK_CLIENT_MAX];
    struct capy_rack_service service[CAPY_RACK_SERVICE_MAX];
};

/* Reads and checks a rack file: unknown keys, wrong types, missing or clashing names, addresses,
 * devices and ports are refused. CAPY_OK, or CAPY_E_CONFIG with one line in err:
 * "FILE:LINE: what is wrong; what to write instead". */
int capy_rack_read(const char *path, struct capy_rack *rack, char *err, size_t err_len);
/* Index of the server named so, or -1. */
int capy_rack_server_index(const struct capy_rack *rack, const char *name);
/* Writes a rack file that capy_rack_read reads back to the same value. */
int capy_rack_write(const struct capy_rack *rack, const char *path);
/* All defaults; no servers. */
void capy_rack_default(struct capy_rack *rack);

#endif
