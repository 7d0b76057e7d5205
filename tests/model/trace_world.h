/* The stage of trace_test: messages under way as the model describes them, and servers that are the
 * machines of src/mig with what the stack does around them. Included by trace_test.c alone. */
#ifndef CAPY_TESTS_MODEL_TRACE_WORLD_H
#define CAPY_TESTS_MODEL_TRACE_WORLD_H

#include "mig/mig.h"
#include "switch/core/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOSTS = 3, NOBODY = 3, MIGS = 4, UNDER_WAY_MAX = 256, LINE_MAX_LEN = 400, EVENTS_MAX = 32 };
enum { TCPMIG_PORT = 10002, MIG_PORT = 61440, BLOCKS = 64 };
enum { VIP_NO = 50, SWITCH_NO = 100, CLIENT_NO = 200, CLIENT_PORT = 5000, SERVICE_PORT = 80 };
#define NOW CAPY_SEC(100) /* the switch's: its own timers are lines, too */
#define LEASE_NS CAPY_MS(30)

static const struct capy_key KEY = {1, 2};

/* ---- stand-ins for tcp/snapshot: the machines read nothing else of a connection ---- */

uint32_t capy_snap_len(const struct capy_snap *snap)
{
    return snap->head_len;
}

void capy_snap_read(struct capy_snap *snap, const struct capy_blocks *blocks, uint32_t offset,
                    uint8_t *out, uint32_t len)
{
    (void)blocks;
    memcpy(out, snap->head + offset, len);
}

/* ---- the world ---- */

enum copy { ABSENT, RUNNING, FROZEN };
static const char *const copy_name[] = {"absent", "running", "frozen"};

struct host {
    uint16_t id;
    enum copy copy;
    uint32_t epoch, refused, imported; /* imported: migration, plus 1 */
    bool origin_on, target_on, announce, down, quiet, late_slot;
    struct capy_mig_origin origin;
    struct capy_mig_target target;
    uint64_t origin_now, target_now;
    struct capy_mig_pace pace;
    struct capy_blocks blocks;
    uint64_t incarnation;
    bool
        arrived; /* of the service address: what it has came to it, under a port of those that migrate */
};

/* One message under way: what the model's "arrive" says of it, and the frame. */
struct message {
    int hop, type, mig, server, target, verdict, phase, owner, entry_epoch, epoch;
    size_t len;
    uint8_t frame[CAPY_FRAME_MAX];
};

static struct {
    struct host host[HOSTS];
    struct capy_mig_cfg mig;
    struct capy_switch *sw;
    struct capy_switch_cfg sw_cfg;
    void *sw_mem, *blocks_mem[HOSTS];
    struct message way[UNDER_WAY_MAX];
    unsigned way_cnt, mig_cnt;
    int silent[HOSTS];
    bool vip; /* the flow is one of the service address, born at the first server */
    const char *file;
    unsigned line;
    char event[EVENTS_MAX][LINE_MAX_LEN]; /* since the last state */
    unsigned event_cnt;
} w;

static _Noreturn void differ(const char *what)
{
    fprintf(stderr, "%s:%u: %s\n", w.file, w.line, what);
    exit(1);
}

static void must(bool good, const char *what)
{
    if (!good)
        differ(what);
}

static struct capy_mac mac_of(unsigned no)
{
    return (struct capy_mac){{2, 0xca, 10, 0, 0, (uint8_t)no}};
}

static struct capy_ip ip_of(unsigned no)
{
    return capy_ip_from_v4(0x0a000000u + no);
}

/* Hosts are .1 .2 .3; the first is home, but of the service address. */
static struct capy_flow_key flow(void)
{
    return (struct capy_flow_key){ip_of(CLIENT_NO), ip_of(w.vip ? VIP_NO : 1), CLIENT_PORT,
                                  SERVICE_PORT};
}

static uint16_t birth_port(void)
{
    return capy_mig_vip_port(MIG_PORT, 0);
}

static uint16_t port_at(const struct host *h)
{
    if (h->id != 0 || h->arrived)
        return MIG_PORT;
    return w.vip ? birth_port() : SERVICE_PORT;
}

static struct capy_mig_tagger *tagger(void)
{
    static struct capy_mig_tagger t;
    if (t.key.k0 != KEY.k0)
        capy_mig_tagger_init(&t, KEY);
    return &t;
}

static struct capy_mig_env env_at(struct host *h, uint64_t now)
{
    return (struct capy_mig_env){.cfg = &w.mig,
                                 .blocks = &h->blocks,
                                 .key = KEY,
                                 .tagger = tagger(),
                                 .self = h->id,
                                 .now = now,
                                 .origin_pace = &h->pace,
                                 .target_pace = &h->pace};
}

/* ---- under way ---- */

static int model_server(uint16_t id)
{
    return id == CAPY_SERVER_ANY ? NOBODY : id;
}

static int model_type(uint8_t type)
{
    return type == CAPY_MIG_ANNOUNCE ? 6 : type - CAPY_MIG_PREPARE_MIG;
}

/* Fields that the model leaves 0 where they say nothing. */
static struct message describe(const struct capy_mig_msg *m, int hop, int server)
{
    struct message d = {.hop = hop, .type = model_type(m->type), .server = server};
    bool of_no_migration = m->type == CAPY_MIG_ANNOUNCE || m->mig_id == 0;
    d.mig = of_no_migration ? NOBODY : (int)(m->mig_id - 1);
    if (m->type != CAPY_MIG_CANCEL && m->type != CAPY_MIG_ANNOUNCE)
        d.target = model_server(m->target);
    d.epoch = of_no_migration ? (int)m->epoch : 0;
    if (hop == 1) {
        d.verdict = m->verdict;
        d.phase = m->phase;
        d.owner = model_server(m->owner);
        d.entry_epoch = (int)m->entry_epoch;
    }
    return d;
}

static bool same(const struct message *a, const struct message *b)
{
    return a->hop == b->hop && a->type == b->type && a->mig == b->mig && a->server == b->server &&
           a->target == b->target && a->verdict == b->verdict && a->phase == b->phase &&
           a->owner == b->owner && a->entry_epoch == b->entry_epoch && a->epoch == b->epoch;
}

static int find_message(const struct message *want)
{
    for (unsigned i = 0; i < w.way_cnt; i++)
        if (same(&w.way[i], want))
            return (int)i;
    return -1;
}

static void put(const uint8_t *frame, size_t len, int hop, int server)
{
    struct capy_packet p;
    struct capy_mig_msg m;
    must(capy_frame_parse(frame, len, &p) == CAPY_DROP_NONE && p.kind == CAPY_PACKET_UDP &&
             capy_mig_parse(p.udp.data, p.udp.data_len, KEY, &m) == CAPY_MIG_GOOD,
         "a message that does not parse");
    struct message d = describe(&m, hop, server);
    if (find_message(&d) >= 0)
        return;
    must(w.way_cnt < UNDER_WAY_MAX, "too much is under way");
    memcpy(d.frame, frame, len);
    d.len = len;
    w.way[w.way_cnt++] = d;
}

static void send_mig(const struct host *h, uint8_t *frame, size_t len)
{
    const struct capy_frame_to to = {.dst_mac = mac_of(SWITCH_NO),
                                     .src_mac = mac_of(h->id + 1u),
                                     .src = ip_of(h->id + 1u),
                                     .dst = ip_of(SWITCH_NO),
                                     .src_port = TCPMIG_PORT,
                                     .dst_port = TCPMIG_PORT};
    if (len > 0)
        put(frame, capy_frame_build_udp(frame, &to, len), 0, h->id);
}

/* ---- a server: what the stack does around the machines ---- */

static void raise_refused(struct host *h, uint32_t epoch)
{
    h->refused = capy_max32(h->refused, epoch);
}

static void pump_origin(struct host *h)
{
    struct capy_mig_env env = env_at(h, h->origin_now);
    uint8_t frame[CAPY_FRAME_MAX];
    size_t n;
    while (h->origin_on && (n = capy_mig_origin_output(&h->origin, &env, frame + CAPY_UDP_AT)) > 0)
        send_mig(h, frame, n);
}

static void free_target(struct host *h)
{
    struct capy_mig_env env = env_at(h, h->target_now);
    capy_mig_target_free(&h->target, &env);
    h->target_on = h->late_slot = false;
}

static void pump_target(struct host *h)
{
    struct capy_mig_env env = env_at(h, h->target_now);
    uint8_t frame[CAPY_FRAME_MAX];
    size_t n;
    while (h->target_on &&
           (n = capy_mig_target_output(&h->target, &env, frame + CAPY_UDP_AT)) > 0) {
        send_mig(h, frame, n);
        if (h->target.phase == CAPY_TARGET_DONE)
            free_target(h);
    }
}

static bool learning(void)
{
    return capy_switch_learning(w.sw, NOW);
}

static void origin_act(struct host *h, enum capy_mig_action act)
{
    if (act == CAPY_MIG_DO_RESUME) {
        h->copy = RUNNING;
        h->epoch = h->origin.epoch_after;
        h->origin_on = false;
        h->announce = learning() && h->epoch > 0;
    } else if (act == CAPY_MIG_DO_RELEASE) {
        h->copy = ABSENT;
        h->epoch = 0;
        h->origin_on = h->announce = false;
    }
    pump_origin(h);
}

static bool has_event(const char *name)
{
    for (unsigned i = 0; i < w.event_cnt; i++)
        if (strncmp(w.event[i], name, strlen(name)) == 0)
            return true;
    return false;
}

static void target_act(struct host *h, enum capy_mig_action act)
{
    struct capy_mig_env env = env_at(h, h->target_now);
    if (act == CAPY_MIG_DO_IMPORT && has_event("refuses")) {
        capy_mig_target_refuse(&h->target, &env, CAPY_REASON_BAD_STATE);
    } else if (act == CAPY_MIG_DO_IMPORT) {
        must(h->copy == ABSENT, "an import beside another copy");
        h->copy = RUNNING;
        h->epoch = h->target.epoch;
        h->imported = (uint32_t)h->target.mig_id;
        h->announce = h->late_slot;
        capy_mig_target_imported(&h->target, &env);
    } else if (act == CAPY_MIG_DO_DROP) {
        raise_refused(h, h->target.epoch);
        free_target(h);
    }
    pump_target(h);
}

static void refuse(struct host *h, const struct capy_mig_msg *m)
{
    struct capy_mig_env env = env_at(h, h->target_now);
    uint8_t frame[CAPY_FRAME_MAX];
    raise_refused(h, m->epoch);
    send_mig(h, frame, capy_mig_refusal(&env, m, CAPY_REASON_CLASH, frame + CAPY_UDP_AT));
}

static void target_prepare(struct host *h, const struct capy_mig_msg *m)
{
    struct capy_mig_env env = env_at(h, h->target_now), origin_env = env_at(h, h->origin_now);
    if (h->target_on && h->target.mig_id == m->mig_id) {
        target_act(h, capy_mig_target_input(&h->target, &env, m));
        return;
    }
    if (h->origin_on)
        origin_act(h, capy_mig_origin_input(&h->origin, &origin_env, m));
    if (h->imported == m->mig_id)
        return;
    if (m->epoch <= h->refused || h->copy != ABSENT || h->target_on || h->quiet ||
        has_event("refuses")) {
        refuse(h, m);
        return;
    }
    h->arrived = w.vip;
    capy_mig_target_start(&h->target, &env, m, port_at(h));
    h->target_on = true;
    pump_target(h);
}

static void target_state(struct host *h, const struct capy_mig_msg *m)
{
    struct capy_mig_env env = env_at(h, h->target_now);
    uint8_t frame[CAPY_FRAME_MAX];
    if (h->target_on && h->target.mig_id == m->mig_id)
        target_act(h, capy_mig_target_input(&h->target, &env, m));
    else if (h->imported == m->mig_id || (h->copy == RUNNING && h->epoch == m->epoch))
        send_mig(h, frame, capy_mig_repeat_ack(&env, m, frame + CAPY_UDP_AT));
    else
        refuse(h, m);
}

static void announce_answer(struct host *h, const struct capy_mig_msg *m)
{
    if (m->verdict == CAPY_VERDICT_OK) {
        h->announce &= m->epoch != h->epoch;
    } else if (m->verdict == CAPY_VERDICT_STALE) {
        h->announce &= m->entry_epoch < h->epoch; /* then it answers an earlier one */
        if (h->origin_on || h->copy != RUNNING || m->entry_epoch <= h->epoch ||
            m->phase != CAPY_PHASE_SETTLED)
            return;
        if (m->owner == h->id) {
            h->epoch = m->entry_epoch;
            h->announce = learning();
        } else {
            h->copy = ABSENT;
            h->epoch = 0;
        }
    }
}

static void host_input(struct host *h, const struct capy_mig_msg *m)
{
    struct capy_mig_env env = env_at(h, h->origin_now);
    bool ours = m->origin == h->id;
    if (h->down)
        return;
    if (m->type == CAPY_MIG_ANNOUNCE)
        announce_answer(h, m);
    else if (m->mig_id == 0)
        return;
    else if (!ours && m->type == CAPY_MIG_PREPARE_MIG)
        target_prepare(h, m);
    else if (!ours && m->type == CAPY_MIG_CONN_STATE)
        target_state(h, m);
    else if (ours && h->origin_on)
        origin_act(h, capy_mig_origin_input(&h->origin, &env, m));
    else if (!ours && h->target_on) {
        env = env_at(h, h->target_now);
        target_act(h, capy_mig_target_input(&h->target, &env, m));
    }
}

#endif
