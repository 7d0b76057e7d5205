/* The rack in memory; see rig.h. */
#include "rig.h"
#include "replay/replay.h"
#include "sock/host.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TURN_NS CAPY_US(5)
#define PATIENCE 4000u   /* turns: 20 ms */
#define CLIENT_PORT 2u   /* of the switch */
#define LINK_DEPTH 1024u /* a whole full connection on its way at once */

enum rig_kind rig_kind = RIG_IPV4;

enum { HOST_TOR = 1, HOST_SERVER = 11, HOST_CLIENT = 100 };

static struct capy_ip ip4_of(unsigned host)
{
    return capy_ip_from_v4(0x0a630000u + host); /* 10.99.0.0/24 */
}

static struct capy_ip ip6_of(unsigned host)
{
    struct capy_ip ip = {{0xfd}}; /* fd00::/64 */
    ip.b[15] = (uint8_t)host;
    return ip;
}

/* The two addresses of a host as the rack file has them. */
static void set_addresses(uint8_t ip[16], uint8_t ip6[16], unsigned host)
{
    struct capy_ip four = ip4_of(host), six = ip6_of(host);
    bool alone = rig_kind == RIG_IPV6_ONLY;
    memcpy(ip, alone ? six.b : four.b, 16);
    memset(ip6, 0, 16);
    if (!alone)
        memcpy(ip6, six.b, 16);
}

struct capy_ip rig_server_ip(unsigned server)
{
    return rig_kind == RIG_IPV4 ? ip4_of(HOST_SERVER + server) : ip6_of(HOST_SERVER + server);
}

struct capy_ip rig_client_ip(void)
{
    return rig_kind == RIG_IPV4 ? ip4_of(HOST_CLIENT) : ip6_of(HOST_CLIENT);
}

static uint64_t rig_clock(void *ctx)
{
    return ((struct rig *)ctx)->now;
}

static void make_rack(struct rig *rig)
{
    struct capy_rack *rack = &rig->rack;
    capy_rack_default(rack);
    rack->key[0] = 1;
    rack->heartbeat_us = 1000;
    rack->lease_us = 3000;
    rack->learn_us = 3000;
    rack->conn_max = 64;
    rack->buffer_mib = 4;
    rack->migrate_max = 16;
    rack->memory_max = 64;
    rack->server_cnt = RIG_SERVERS;
    if (rig_kind == RIG_IPV6_ONLY)
        rack->prefix_len = 64;
    set_addresses(rack->switch_ip, rack->switch_ip6, HOST_TOR);
    memcpy(rack->switch_mac, (uint8_t[]){2, 0xca, 0, 0, 0, 1}, 6);
    for (unsigned i = 0; i < RIG_SERVERS; i++) {
        struct capy_rack_server *s = &rack->server[i];
        set_addresses(s->ip, s->ip6, HOST_SERVER + i);
        memcpy(s->mac, (uint8_t[]){2, 0xca, 0, 0, 0, (uint8_t)(11 + i)}, 6);
        s->name[0] = 's';
        s->name[1] = (char)('1' + (int)i);
    }
}

static struct capy_ip ip_of(const uint8_t bytes[16])
{
    struct capy_ip ip;
    memcpy(ip.b, bytes, sizeof ip.b);
    return ip;
}

static void open_switch(struct rig *rig)
{
    const struct capy_rack *rack = &rig->rack;
    struct capy_switch_cfg cfg;
    capy_switch_cfg_default(&cfg);
    memcpy(cfg.mac.b, rack->switch_mac, 6);
    cfg.ip = ip_of(rack->switch_ip);
    cfg.ip6 = ip_of(rack->switch_ip6);
    cfg.tcpmig_port = rack->tcpmig_port;
    cfg.mig_port_first = rack->mig_port_first;
    cfg.mig_port_cnt = rack->mig_port_cnt;
    cfg.key = (struct capy_key){rack->key[0], rack->key[1]};
    cfg.hash_key = (struct capy_key){3, 4};
    cfg.slots = 1024;
    cfg.lease_ns = CAPY_US(rack->lease_us);
    cfg.learn_ns = CAPY_US(rack->learn_us);
    cfg.boot_id = 7;
    cfg.port_cnt = RIG_SERVERS + 1;
    cfg.role[CLIENT_PORT] = CAPY_PORT_CLIENT;
    cfg.server_cnt = RIG_SERVERS;
    for (uint16_t i = 0; i < RIG_SERVERS; i++) {
        cfg.role[i] = CAPY_PORT_SERVER;
        cfg.server[i].ip = ip_of(rack->server[i].ip);
        cfg.server[i].ip6 = ip_of(rack->server[i].ip6);
        memcpy(cfg.server[i].mac.b, rack->server[i].mac, 6);
        cfg.server[i].port = i;
    }
    cfg.vip.ip = ip_of(rack->vip);
    cfg.vip.ip6 = ip_of(rack->vip6);
    cfg.vip.policy = CAPY_VIP_LEAST_LOADED;
    for (unsigned i = 0; i < rack->service_cnt && rig->has_vip; i++)
        cfg.vip.port[cfg.vip.port_cnt++] = rack->service[i].port;
    size_t size = capy_switch_size(&cfg);
    assert_true(size > 0);
    void *mem = aligned_alloc(64, (size + 63u) & ~(size_t)63u);
    assert_non_null(mem);
    rig->tor = capy_switch_init(mem, &cfg, rig->now);
}

static void open_client(struct rig *rig)
{
    struct capy_stack_cfg cfg;
    capy_stack_cfg_default(&cfg);
    cfg.mac = (struct capy_mac){{2, 0, 0, 0, 0, 100}};
    cfg.ip = ip4_of(HOST_CLIENT);
    cfg.ip6 = ip6_of(HOST_CLIENT);
    cfg.prefix6_len = 64;
    cfg.netmask = capy_ip_from_v4(0xffffff00);
    cfg.conn_max = 128;
    cfg.block_cnt = 1024;
    cfg.hash_key = (struct capy_key){5, 6};
    size_t size = capy_stack_size(&cfg);
    assert_true(size > 0);
    void *mem = aligned_alloc(64, (size + 63u) & ~(size_t)63u);
    assert_non_null(mem);
    rig->client = capy_stack_init(mem, &cfg, rig->now);
}

static void record(struct rig *rig, unsigned i)
{
    char err[256];
    struct capy_options opt = {.record = strcpy(rig->recording[i], "/tmp/capy-rig-XXXXXX")};
    int fd = mkstemp(rig->recording[i]);
    assert_true(fd >= 0 && close(fd) == 0 && unlink(rig->recording[i]) == 0);
    if (capy_host_record(rig->os[i], &opt, err, sizeof err) != CAPY_OK)
        fail_msg("%s", err);
}

static void replay(const char *file)
{
    char err[256] = "", *told = NULL;
    size_t len;
    FILE *out = open_memstream(&told, &len);
    assert_non_null(out);
    const struct capy_replay_options opt = {.file = file, .out = out};
    int rc = capy_replay(&opt, err, sizeof err);
    fclose(out);
    if (rc != CAPY_OK)
        fail_msg("replay: %s%s", err, told);
    free(told);
}

/* What a server's device is: an end of a link in memory, with the MAC of the rack file. */
static void open_server(struct rig *rig, unsigned i)
{
    struct capy_drv *mine;
    char err[256];
    assert_int_equal(capy_drv_link_pair(LINK_DEPTH, &mine, &rig->wire[i]), CAPY_OK);
    rig->os[i] =
        capy_open_with(mine, &rig->rack, rig->rack.server[i].name, rig_clock, rig, err, sizeof err);
    assert_non_null(rig->os[i]);
    record(rig, i);
    rig->lqd[i] = capy_listen(rig->os[i], RIG_PORT);
    assert_true(rig->lqd[i] >= 0);
    assert_int_equal(capy_accept(rig->os[i], rig->lqd[i]), CAPY_OK);
}

void rig_open(struct rig *rig, void (*tune)(struct capy_rack *rack))
{
    memset(rig, 0, sizeof *rig);
    rig->now = CAPY_SEC(1);
    make_rack(rig);
    if (tune)
        tune(&rig->rack);
    rig->has_vip = rig->rack.vip[15] != 0;
    open_switch(rig);
    open_client(rig);
    for (unsigned i = 0; i < RIG_SERVERS; i++)
        open_server(rig, i);
    rig->now += CAPY_MIG_QUIET_NS; /* what a server that has just started would refuse */
    rig_turns(rig, 2 * rig->rack.learn_us * 1000u / (unsigned)TURN_NS);
}

void rig_close(struct rig *rig)
{
    rig_close_and_keep(rig);
    for (unsigned i = 0; i < RIG_SERVERS; i++)
        (void)unlink(rig->recording[i]);
}

void rig_close_and_keep(struct rig *rig)
{
    for (unsigned i = 0; i < RIG_SERVERS; i++) {
        capy_close_os(rig->os[i]);
        rig->wire[i]->ops->close(rig->wire[i]);
        replay(rig->recording[i]);
    }
    free(rig->client);
    free(rig->tor);
}

static void send_to_server(struct rig *rig, unsigned i, const uint8_t *data, size_t len)
{
    struct capy_frame frame;
    if (rig->wire[i]->ops->reserve(rig->wire[i], &frame, 1) != 1)
        return;
    memcpy(frame.data, data, len);
    frame.len = (uint32_t)len;
    rig->wire[i]->ops->submit(rig->wire[i], &frame, 1);
    rig->wire[i]->ops->flush(rig->wire[i]);
}

/* One frame through the switch and on to where it goes. */
static void through_switch(struct rig *rig, unsigned from, uint8_t *data, size_t len)
{
    static struct capy_switch_out out;
    if (rig->tor_silent)
        return;
    capy_switch_input(rig->tor, (uint16_t)from, data, len, rig->now, &out);
    for (unsigned k = 0; k < out.cnt; k++)
        for (unsigned port = 0; port <= CLIENT_PORT; port++) {
            bool flood = out.frame[k].port == CAPY_PORT_FLOOD && port != from;
            if (out.frame[k].port != port && !flood)
                continue;
            if (port == CLIENT_PORT)
                capy_stack_input(rig->client, out.frame[k].data, out.frame[k].len, rig->now);
            else
                send_to_server(rig, port, out.frame[k].data, out.frame[k].len);
        }
}

static void server_turn(struct rig *rig, unsigned i)
{
    struct capy_done *at = &rig->done[i][rig->done_cnt[i]];
    int n = capy_wait(rig->os[i], at, (int)(RIG_DONE_MAX - rig->done_cnt[i]), 0);
    assert_true(n >= 0);
    rig->done_cnt[i] += (unsigned)n;
    struct capy_frame frames[CAPY_DRV_BURST];
    unsigned cnt;
    while ((cnt = rig->wire[i]->ops->receive(rig->wire[i], frames, CAPY_DRV_BURST)) > 0) {
        for (unsigned k = 0; k < cnt; k++)
            through_switch(rig, i, frames[k].data, frames[k].len);
        rig->wire[i]->ops->release(rig->wire[i], frames, cnt);
    }
}

static void client_turn(struct rig *rig)
{
    uint8_t frame[CAPY_FRAME_MAX];
    size_t len;
    struct capy_stack_event ev;
    capy_stack_expire(rig->client, rig->now);
    while (capy_stack_event(rig->client, &ev))
        rig->client_events |= ev.bits;
    while ((len = capy_stack_output(rig->client, frame, rig->now)) > 0)
        if (rig->lose == 0 || --rig->lose > 0)
            through_switch(rig, CLIENT_PORT, frame, len);
}

void rig_turn(struct rig *rig)
{
    rig->now += TURN_NS;
    client_turn(rig);
    for (unsigned i = 0; i < RIG_SERVERS; i++)
        server_turn(rig, i);
    (void)capy_switch_expire(rig->tor, rig->now);
}

void rig_turns(struct rig *rig, unsigned cnt)
{
    while (cnt-- > 0)
        rig_turn(rig);
}

struct capy_done rig_expect(struct rig *rig, unsigned server, enum capy_op op)
{
    for (unsigned i = 0; i < PATIENCE && rig->done_cnt[server] == 0; i++)
        rig_turn(rig);
    assert_true(rig->done_cnt[server] > 0);
    struct capy_done first = rig->done[server][0];
    rig->done_cnt[server]--;
    memmove(rig->done[server], rig->done[server] + 1,
            rig->done_cnt[server] * sizeof rig->done[server][0]);
    assert_int_equal(first.op, op);
    return first;
}

void rig_expect_none(struct rig *rig, unsigned server)
{
    rig_turns(rig, 200);
    assert_int_equal(rig->done_cnt[server], 0);
}

capy_handle rig_connect(struct rig *rig, unsigned server, int *qd)
{
    capy_handle conn;
    struct capy_ip ip = rig_server_ip(server);
    assert_int_equal(capy_stack_connect(rig->client, &ip, RIG_PORT, 0, 0, &conn, rig->now),
                     CAPY_OK);
    struct capy_done done = rig_expect(rig, server, CAPY_OP_ACCEPT);
    assert_int_equal(done.qd, rig->lqd[server]);
    assert_false(done.migrated);
    assert_int_equal(capy_accept(rig->os[server], rig->lqd[server]), CAPY_OK);
    *qd = done.accepted;
    return conn;
}

void rig_client_send(struct rig *rig, capy_handle conn, const char *text)
{
    int64_t n = capy_stack_write(rig->client, conn, (const uint8_t *)text, (uint32_t)strlen(text),
                                 rig->now);
    assert_int_equal(n, strlen(text));
}

void rig_client_expect(struct rig *rig, capy_handle conn, const char *text)
{
    size_t len = strlen(text);
    bool fin;
    for (unsigned i = 0; i < PATIENCE; i++) {
        if (capy_stack_readable(rig->client, conn, &fin) >= (int64_t)len)
            break;
        rig_turn(rig);
    }
    assert_int_equal(capy_stack_readable(rig->client, conn, &fin), len);
    for (size_t at = 0; at < len;) {
        uint32_t got;
        const uint8_t *data = capy_stack_read_span(rig->client, conn, 0, &got);
        assert_non_null(data);
        assert_memory_equal(data, text + at, got);
        assert_int_equal(capy_stack_consume(rig->client, conn, got, rig->now), CAPY_OK);
        at += got;
    }
}

void rig_read(struct rig *rig, unsigned server, int qd, const char *text)
{
    assert_int_equal(capy_pop(rig->os[server], qd, (uint32_t)strlen(text) - 1), CAPY_OK);
    struct capy_done done = rig_expect(rig, server, CAPY_OP_POP);
    assert_int_equal(done.qd, qd);
    assert_int_equal(done.avail, strlen(text));
    char bytes[256];
    assert_int_equal(capy_peek(rig->os[server], qd, 0, bytes, sizeof bytes), strlen(text));
    assert_memory_equal(bytes, text, strlen(text));
    assert_int_equal(capy_consume(rig->os[server], qd, done.avail), CAPY_OK);
}
