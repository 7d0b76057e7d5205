/* What the code alone does when a server is drained: two library OSes and the switch's core, joined by
 * links in memory, and connections that wait for their next request. Time is virtual; what is measured
 * is the processor time of each of the three, as if each had a core. One line of JSON.
 *   bench-drain [CONNECTIONS] [ROUNDS]     the median of the rounds; ROUNDS 0: one, for counting instructions */
#include "sock/os.h"
#include "switch/user/config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    SERVERS = 2,
    CLIENT = SERVERS, /* its port at the switch */
    SWITCH = SERVERS, /* in the times */
    PORT = 80,
    LINK_DEPTH = 4096,
    PER_CLIENT = 20000, /* as many as a client has ports for, and some to spare */
    BATCH = 500,        /* opened at once */
    CONNECTIONS_MAX = 1000000,
    ROUNDS_MAX = 99,
    TURN_NS = 5000,
    DONE_MAX = 64,
};

static struct bench {
    uint64_t now;
    struct capy_rack rack;
    struct capy *os[SERVERS];
    int lqd[SERVERS];
    struct capy_drv *wire[SERVERS]; /* the switch's ends */
    struct capy_switch *tor;
    uint64_t expire_at;
    void *tor_mem, *client_mem;
    struct capy_stack *client;
    unsigned client_cnt;
    uint64_t ns[SERVERS + 1];
    unsigned in_flight_max;
} b;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "bench-drain: %s\n", what);
    exit(1);
}

static uint64_t clock_of(void *ctx)
{
    (void)ctx;
    return b.now;
}

static uint64_t cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return CAPY_SEC(ts.tv_sec) + (uint64_t)ts.tv_nsec;
}

static struct capy_ip ip_of(unsigned host)
{
    return capy_ip_from_v4(0x0a630000u + host); /* 10.99.0.0/16 */
}

static void make_rack(unsigned cnt)
{
    struct capy_rack *rack = &b.rack;
    capy_rack_default(rack);
    rack->key[0] = 1;
    rack->prefix_len = 16;
    rack->directory_levels = 8;
    rack->directory_slots = 262144;
    rack->conn_max = cnt + 1024u;
    rack->memory_max = 2 * rack->conn_max;
    rack->buffer_mib = 64;
    rack->syn_rate = 0; /* time hardly passes while connections are opened */
    rack->server_cnt = SERVERS;
    rack->client_port_cnt = 1;
    memcpy(rack->switch_ip, ip_of(1).b, 16);
    memcpy(rack->switch_mac, (uint8_t[]){2, 0xca, 0, 0, 0, 1}, 6);
    for (unsigned i = 0; i < SERVERS; i++) {
        memcpy(rack->server[i].ip, ip_of(11 + i).b, 16);
        memcpy(rack->server[i].mac, (uint8_t[]){2, 0xca, 0, 0, 0, (uint8_t)(11 + i)}, 6);
        (void)snprintf(rack->server[i].name, sizeof rack->server[i].name, "s%u", i + 1);
    }
}

static void *memory(size_t size)
{
    void *mem = size > 0 ? aligned_alloc(64, (size + 63u) & ~(size_t)63u) : NULL;
    if (!mem)
        fail("no memory");
    return mem;
}

/* Another client in the place of the last one, whose connections the servers keep. */
static void next_client(void)
{
    struct capy_stack_cfg cfg;
    capy_stack_cfg_default(&cfg);
    cfg.mac = (struct capy_mac){{2, 0xca, 0, 0, 0, 100}};
    cfg.ip = ip_of(256 + b.client_cnt++);
    cfg.netmask = capy_ip_from_v4(0xffff0000u);
    cfg.conn_max = PER_CLIENT + 16u;
    cfg.block_cnt = 4096;
    cfg.hash_key = (struct capy_key){5, b.client_cnt};
    if (!b.client_mem)
        b.client_mem = memory(capy_stack_size(&cfg));
    b.client = capy_stack_init(b.client_mem, &cfg, b.now);
}

static void open_all(unsigned cnt)
{
    struct capy_switch_cfg cfg;
    memset(&b, 0, sizeof b);
    b.now = CAPY_SEC(1);
    make_rack(cnt);
    capy_plane_cfg(&b.rack, (struct capy_key){3, 4}, 7, &cfg);
    b.tor_mem = memory(capy_switch_size(&cfg));
    b.tor = capy_switch_init(b.tor_mem, &cfg, b.now);
    for (unsigned i = 0; i < SERVERS; i++) {
        struct capy_drv *mine;
        char err[256];
        if (capy_drv_link_pair(LINK_DEPTH, &mine, &b.wire[i]) != CAPY_OK)
            fail("no memory for links");
        b.os[i] =
            capy_open_with(mine, &b.rack, b.rack.server[i].name, clock_of, NULL, err, sizeof err);
        if (!b.os[i])
            fail(err);
        b.lqd[i] = capy_listen(b.os[i], PORT);
        for (unsigned accepts = 0; accepts < DONE_MAX; accepts++)
            capy_accept(b.os[i], b.lqd[i]);
    }
    next_client();
}

static void close_all(void)
{
    for (unsigned i = 0; i < SERVERS; i++) {
        capy_close_os(b.os[i]);
        b.wire[i]->ops->close(b.wire[i]);
    }
    free(b.tor_mem);
    free(b.client_mem);
}

static void to_server(unsigned i, const uint8_t *data, size_t len)
{
    struct capy_frame frame;
    if (b.wire[i]->ops->reserve(b.wire[i], &frame, 1) != 1)
        return; /* its ring is full: lost, as on a device */
    memcpy(frame.data, data, len);
    frame.len = (uint32_t)len;
    b.wire[i]->ops->submit(b.wire[i], &frame, 1);
}

/* One frame through the switch and on to where it goes. */
static void through_switch(unsigned from, uint8_t *data, size_t len)
{
    static struct capy_switch_out out;
    capy_switch_input(b.tor, (uint16_t)from, data, len, b.now, &out);
    for (unsigned k = 0; k < out.cnt; k++)
        for (unsigned port = 0; port <= CLIENT; port++) {
            bool flood = out.frame[k].port == CAPY_PORT_FLOOD && port != from;
            if (out.frame[k].port != port && !flood)
                continue;
            if (port == CLIENT)
                capy_stack_input(b.client, out.frame[k].data, out.frame[k].len, b.now);
            else
                to_server(port, out.frame[k].data, out.frame[k].len);
        }
}

static void switch_turn(unsigned i)
{
    struct capy_frame frames[CAPY_DRV_BURST];
    uint64_t t0 = cpu_ns();
    unsigned cnt;
    while ((cnt = b.wire[i]->ops->receive(b.wire[i], frames, CAPY_DRV_BURST)) > 0) {
        for (unsigned k = 0; k < cnt; k++)
            through_switch(i, frames[k].data, frames[k].len);
        b.wire[i]->ops->release(b.wire[i], frames, cnt);
    }
    b.ns[SWITCH] += cpu_ns() - t0;
}

static void server_turn(unsigned i)
{
    struct capy_done done[DONE_MAX];
    uint64_t t0 = cpu_ns();
    int cnt = capy_wait(b.os[i], done, DONE_MAX, 0);
    for (int k = 0; k < cnt; k++)
        if (done[k].op == CAPY_OP_ACCEPT) {
            capy_accept(b.os[i], done[k].qd);
            capy_pop(b.os[i], done[k].accepted, 0);
        }
    (void)capy_send(b.os[i]);
    b.ns[i] += cpu_ns() - t0;
}

static void client_turn(void)
{
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_stack_event ev;
    size_t len;
    capy_stack_expire(b.client, b.now);
    while (capy_stack_event(b.client, &ev))
        if (ev.bits & (CAPY_EV_RESET | CAPY_EV_TIMED_OUT))
            fail("a connection was lost");
    while ((len = capy_stack_output(b.client, frame, b.now)) > 0)
        through_switch(CLIENT, frame, len);
}

static void turn(void)
{
    b.now += TURN_NS;
    client_turn();
    for (unsigned i = 0; i < SERVERS; i++) {
        server_turn(i);
        switch_turn(i);
    }
    uint64_t t0 = cpu_ns();
    if (b.now >= b.expire_at)
        b.expire_at = capy_switch_expire(b.tor, b.now);
    b.ns[SWITCH] += cpu_ns() - t0;
    if (b.os[0]->mover.in_flight > b.in_flight_max)
        b.in_flight_max = b.os[0]->mover.in_flight;
}

static void turn_until(const uint32_t *live, uint32_t cnt, const char *what)
{
    uint64_t give_up_at = b.now + CAPY_SEC(60);
    while (*live != cnt) {
        turn();
        if (b.now > give_up_at)
            fail(what);
    }
}

static void connect_all(unsigned cnt)
{
    struct capy_ip server = ip_of(11);
    for (unsigned i = 0; i < cnt; i++) {
        capy_handle conn;
        if (i > 0 && i % PER_CLIENT == 0)
            next_client();
        if (capy_stack_connect(b.client, &server, PORT, 0, 0, &conn, b.now) != CAPY_OK)
            fail("the client has no room");
        if ((i + 1) % BATCH == 0 || i + 1 == cnt)
            turn_until(&b.os[0]->live_cnt, i + 1, "connections did not open");
    }
}

/* One drain; the processor time of s1, s2 and switch in ns[]. */
static void measure(unsigned cnt, double ns[SERVERS + 1])
{
    open_all(cnt);
    for (uint64_t until = b.now + CAPY_SEC(1); b.now < until;) /* leases, and quiet times over */
        turn();
    connect_all(cnt);
    memset(b.ns, 0, sizeof b.ns);
    capy_mover_drain(b.os[0], true);
    turn_until(&b.os[0]->live_cnt, 0, "the drain did not end");
    turn_until(&b.os[1]->live_cnt, cnt, "connections did not arrive");
    if (b.os[0]->mover.moved != cnt)
        fail("not every connection moved once");
    for (unsigned i = 0; i <= SERVERS; i++)
        ns[i] = (double)b.ns[i] / cnt;
    close_all();
}

static int by_value(const void *x, const void *y)
{
    double p = *(const double *)x, q = *(const double *)y;
    return (p > q) - (p < q);
}

int main(int argc, char **argv)
{
    static double ns[SERVERS + 1][ROUNDS_MAX];
    unsigned cnt = argc > 1 ? (unsigned)atoi(argv[1]) : 100000;
    unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 5;
    if (cnt < 1 || cnt > CONNECTIONS_MAX || rounds > ROUNDS_MAX)
        fail("1 to 1000000 connections, 0 to 99 rounds");
    rounds = rounds ? rounds : 1;
    for (unsigned i = 0; i < rounds; i++) {
        double one[SERVERS + 1];
        measure(cnt, one);
        for (unsigned k = 0; k <= SERVERS; k++)
            ns[k][i] = one[k];
    }
    double sum = 0;
    for (unsigned k = 0; k <= SERVERS; k++) {
        qsort(ns[k], rounds, sizeof ns[k][0], by_value);
        sum += k < SERVERS ? ns[k][rounds / 2] : 0;
    }
    printf("{\"connections\": %u, \"rounds\": %u, \"origin_ns\": %.0f, \"target_ns\": %.0f, "
           "\"switch_ns\": %.0f, \"per_second_and_core\": %.0f, \"window\": %u}\n",
           cnt, rounds, ns[0][rounds / 2], ns[1][rounds / 2], ns[SWITCH][rounds / 2], 1e9 / sum,
           b.in_flight_max);
    return 0;
}
