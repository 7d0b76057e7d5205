/* The rack as a value: its defaults, and servers by name. The value is plain data without pointers;
 * copies are free to make. */
#include "rack/reader.h"
#include <string.h>

void capy_rack_default(struct capy_rack *rack)
{
    *rack = (struct capy_rack){
        .run_dir = "/run/capy",
        .encrypt = false,
        .offload = false,
        .tcpmig_port = 7777,
        .mig_port_first = 61440, /* above Linux's ephemeral ports (32768..60999) */
        .mig_port_cnt = 4096,
        .driver = "auto",
        .prefix_len = 24,
        .prefix6_len = 64, /* RFC 4291 §2.5.1 */
        .mtu = 1500,
        .vip_policy = "maglev",
        .directory_levels = 2, /* paper §3.2: a two-level hash of 2^16 slots each */
        .directory_slots = 65536,
        /* A lease must outlast the stalls of a shared machine (tens of ms were seen), for a server
         * whose lease expired loses the connections it served. */
        .heartbeat_us = 50000,
        .lease_us = 150000,
        .learn_us = 500000, /* longer than any frame lives in a rack, and several heartbeats */
        .age_s = 300,
        .announce_s = 60,
        .linger_ms = 5000,
        .load_threshold = 0,
        .load_patience_us = 300000,
        .load_interval_us = 3000,
        .load_cool_ms = 1000,
        .load_budget = 4,
        .conn_max = 16384,
        .buffer_mib = 64,
        .migrate_max = 256,
        .memory_max = 32768, /* twice conn_max: a whole drain and what came before it */
        .snd_buf = 1024 * 1024,
        .rcv_buf = 1024 * 1024, /* 300 MB/s at a round trip of 3.5 ms */
        .syn_backlog = 1024,
        .syn_rate = 20000,
        .sit_ms = 10000,
        .spin_us = 50,
    };
}

int capy_rack_server_index(const struct capy_rack *rack, const char *name)
{
    for (unsigned i = 0; i < rack->server_cnt; i++)
        if (strcmp(rack->server[i].name, name) == 0)
            return (int)i;
    return -1;
}
