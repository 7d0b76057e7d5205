/* The P4 plane: switch/p4/capy_v1model.p4 on bmv2's simple_switch, in a network namespace of this process,
 * with a veth pair per port. The program is built with CAPY_CLOCK_IN_FRAME: eight bytes before each frame
 * say what time it is, and a frame at no time is answered on all ports, so that what comes before that
 * answer is all that comes. bmv2_helper.py, on control.py, fills the tables and reads the registers. */
#define _GNU_SOURCE
#include "plane_bmv2.h"

#include "base/bits.h"
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENTRIES_MAX 64u

static struct bmv2 {
    bool running;
    struct bmv2_ports ports;
    struct bmv2_helper helper;
    struct capy_switch_entry_info entry[ENTRIES_MAX];
    uint32_t entry_cnt;
    uint64_t count[CAPY_COUNT_END];
} the;

static const char *const counter_names[CAPY_COUNT_END] = {
#define X(name) #name,
    CAPY_SWITCH_COUNTERS(X)
#undef X
};

/* ---- start ---- */

static bool on_path(const char *program)
{
    char command[128];
    snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", program);
    return system(command) == 0;
}

static bool can_start(const char **why)
{
    if (!CAPY_P4_JSON[0])
        *why = "built without p4c-bm2-ss; install p4c and build again";
    else if (!on_path("simple_switch") || !on_path("simple_switch_CLI"))
        *why = "no simple_switch or simple_switch_CLI; install bmv2";
    else if (geteuid() != 0)
        *why = "needs root, for a network namespace";
    else if (unshare(CLONE_NEWNET) != 0)
        *why = "no network namespace";
    else
        return true;
    return false;
}

static bool start(const char **why)
{
    if (the.running)
        return true;
    if (!can_start(why))
        return false;
    bmv2_ports_open(&the.ports);
    bmv2_helper_start(&the.helper, &the.ports);
    the.running = true;
    return true;
}

/* ---- the plane ---- */

static void say_config(struct bmv2_helper *h, const struct capy_switch_cfg *c, uint64_t now)
{
    bmv2_say(h, "open now %llu mac ", (unsigned long long)now / 1000u);
    bmv2_say_bytes(h, c->mac.b, 6);
    bmv2_say(h, " ip ");
    bmv2_say_bytes(h, c->ip.b, 16);
    bmv2_say(h, " ip6 ");
    bmv2_say_bytes(h, c->ip6.b, 16);
    bmv2_say(h, " vip ");
    bmv2_say_bytes(h, c->vip.ip.b, 16);
    bmv2_say(h, " vip6 ");
    bmv2_say_bytes(h, c->vip.ip6.b, 16);
    bmv2_say(h, " maglev %u", c->vip.policy == CAPY_VIP_MAGLEV);
    for (uint16_t i = 0; i < c->vip.port_cnt; i++)
        bmv2_say(h, " service %u", c->vip.port[i]);
    bmv2_say(h, " port_first %u port_cnt %u lease %llu learn %llu age %llu linger %llu",
             c->mig_port_first, c->mig_port_cnt, (unsigned long long)c->lease_ns / 1000u,
             (unsigned long long)c->learn_ns / 1000u, (unsigned long long)c->age_ns / 1000u,
             (unsigned long long)c->linger_ns / 1000u);
    bmv2_say(h, " boot %llu slots %u levels %u key %llu %llu hash %llu %llu ports %u",
             (unsigned long long)c->boot_id, c->slots, c->levels, (unsigned long long)c->key.k0,
             (unsigned long long)c->key.k1, (unsigned long long)c->hash_key.k0,
             (unsigned long long)c->hash_key.k1, c->port_cnt);
    for (uint16_t i = 0; i < c->server_cnt; i++) {
        bmv2_say(h, " server %u mac ", c->server[i].port);
        bmv2_say_bytes(h, c->server[i].mac.b, 6);
        bmv2_say(h, " ip ");
        bmv2_say_bytes(h, c->server[i].ip.b, 16);
        bmv2_say(h, " ip6 ");
        bmv2_say_bytes(h, c->server[i].ip6.b, 16);
    }
    bmv2_say(h, "\n");
}

static void *bmv2_open(const struct capy_switch_cfg *cfg, uint64_t now, const char **why)
{
    if (!start(why))
        return NULL;
    say_config(&the.helper, cfg, now);
    const char *answer = bmv2_hear(&the.helper);
    if (strcmp(answer, "ok") != 0) { /* that is no reason to be left out */
        printf("bmv2: %s\n", answer);
        exit(1);
    }
    return &the;
}

static void bmv2_close(void *self)
{
    (void)self; /* goes on, for the next vector */
}

/* The same frame on every port but the one it came from is one flood. */
static void join_flood(struct plane_out *out)
{
    if (out->cnt != PORTS - 1)
        return;
    for (unsigned i = 1; i < out->cnt; i++)
        if (out->frame[i].len != out->frame[0].len ||
            memcmp(out->frame[i].data, out->frame[0].data, out->frame[0].len) != 0)
            return;
    out->cnt = 1;
    out->frame[0].port = PLANE_FLOOD;
}

static void bmv2_input(void *self, uint16_t port, uint8_t *frame, size_t len, uint64_t now,
                       struct plane_out *out)
{
    struct bmv2 *b = self;
    out->cnt = 0;
    bmv2_ports_send(&b->ports, port, now / 1000u, frame, len);
    bmv2_ports_collect(&b->ports, out);
    join_flood(out);
}

/* The service address's table; and a frame from the control port for each slot that is taken. */
static void bmv2_expire(void *self, uint64_t now)
{
    struct bmv2 *b = self;
    struct plane_out out;
    bmv2_say(&b->helper, "used %llu\n", (unsigned long long)now / 1000u);
    char *rest = NULL, *answer = strdup(bmv2_hear(&b->helper));
    for (char *word = strtok_r(answer, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        uint8_t sweep[60] = {0};
        capy_store16(sweep + 12, 0x88b6);
        capy_store32(sweep + 14, (uint32_t)strtoul(word, NULL, 10));
        bmv2_ports_send(&b->ports, BMV2_CONTROL_PORT, now / 1000u, sweep, sizeof sweep);
    }
    free(answer);
    bmv2_ports_collect(&b->ports, &out);
}

/* "CLIENT PORT HOME PORT PHASE EPOCH OWNER PORT PREVIOUS PORT FLAGS;" for each, addresses in hex. */
static bool read_entry(const char *text, struct capy_switch_entry_info *e)
{
    char client[33], home[33];
    unsigned v[9];
    if (sscanf(text, "%32s %u %32s %u %u %u %u %u %u %u %u", client, &v[0], home, &v[1], &v[2],
               &v[3], &v[4], &v[5], &v[6], &v[7], &v[8]) != 11)
        return false;
    *e = (struct capy_switch_entry_info){
        .key = {.client_port = (uint16_t)v[0], .home_port = (uint16_t)v[1]},
        .phase = (enum capy_phase)v[2],
        .epoch = v[3],
        .owner = (uint16_t)v[4],
        .owner_port = (uint16_t)v[5],
        .previous = (uint16_t)v[6],
        .previous_port = (uint16_t)v[7],
        .served = v[8] & 1u,
        .owner_dead = v[8] & 2u,
    };
    return bmv2_read_hex(client, e->key.client.b, 16) && bmv2_read_hex(home, e->key.home.b, 16);
}

static bool bmv2_directory(void *self, uint32_t *cursor, struct capy_switch_entry_info *out)
{
    struct bmv2 *b = self;
    if (*cursor == 0) {
        bmv2_say(&b->helper, "entries\n");
        b->entry_cnt = 0;
        const char *at = bmv2_hear(&b->helper);
        while (b->entry_cnt < ENTRIES_MAX && read_entry(at, &b->entry[b->entry_cnt])) {
            b->entry_cnt++;
            at = strchr(at, ';');
            at = at ? at + 1 : "";
        }
    }
    if (*cursor >= b->entry_cnt)
        return false;
    *out = b->entry[(*cursor)++];
    return true;
}

static const char *bmv2_counter(void *self, unsigned i, uint64_t *value)
{
    struct bmv2 *b = self;
    if (i == 0) {
        bmv2_say(&b->helper, "counts\n");
        char *at = (char *)bmv2_hear(&b->helper);
        for (unsigned k = 0; k < CAPY_COUNT_END; k++)
            b->count[k] = strtoull(at, &at, 10);
    }
    if (i >= CAPY_COUNT_END)
        return NULL;
    *value = b->count[i];
    return counter_names[i];
}

const struct plane plane_bmv2 = {
    .name = "bmv2",
    .len_min = 14, /* an Ethernet header; no device delivers less */
    .open = bmv2_open,
    .close = bmv2_close,
    .input = bmv2_input,
    .expire = bmv2_expire,
    .directory = bmv2_directory,
    .counter = bmv2_counter,
};
