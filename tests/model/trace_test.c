/* The implementation does what the model does. Reads traces that spin wrote of runs of tcpmig.pml, and
 * takes the same steps with the real switch core and the real machines of src/mig: every message that
 * arrives in the model must have been sent here, and after each event the entry, the slots, the copies
 * and the memories must agree.
 *
 *   trace_test FILE...       exit status 1 at the first difference, with the line
 *
 * A line names an event and its numbers; "state" ends what happened at once (network.pml). Time stands
 * still for a slot but when a line says that its timer fires. */
#include "trace_world.h"

/* ---- the switch ---- */

static void switch_boot(void)
{
    w.sw = capy_switch_init(w.sw_mem, &w.sw_cfg, NOW);
    w.sw->live->learn_until = 0;
    for (unsigned i = 0; i < HOSTS; i++) {
        const struct capy_mig_heartbeat b = {.free_cnt = 100, .incarnation = w.host[i].incarnation};
        capy_server_heartbeat(&w.sw->live->server[i], &b, NOW);
    }
}

/* As the switch itself would look at it: brought up to date. */
static struct capy_entry *entry(void)
{
    struct capy_flow_key key = flow();
    return capy_switch_find(w.sw, capy_directory_hash_of(&w.sw->dir, &key), &key, NOW);
}

/* What the model chose is the least-loaded. */
static void steer_choice(void)
{
    int chosen = -1;
    for (unsigned i = 0; i < w.event_cnt; i++)
        if (sscanf(w.event[i], "chosen %d", &chosen) != 1)
            (void)sscanf(w.event[i], "late_syn %d", &chosen);
    for (int i = 0; i < HOSTS; i++) {
        w.sw->live->server[i].load = i == chosen ? 0 : 10;
        w.sw->live->server[i].free_cnt = 100;
    }
}

static void client_says(uint8_t tcp_flags)
{
    struct capy_switch_out out;
    struct capy_flow_key key = flow();
    uint8_t frame[CAPY_FRAME_MAX];
    const struct capy_frame_to to = {.dst_mac = mac_of(SWITCH_NO),
                                     .src_mac = mac_of(CLIENT_NO),
                                     .src = key.client,
                                     .dst = key.home,
                                     .src_port = key.client_port,
                                     .dst_port = key.home_port};
    const struct capy_tcp_segment seg = {.flags = tcp_flags};
    size_t n = capy_frame_build_tcp(frame, &to, &seg);
    capy_switch_input(w.sw, HOSTS, frame, n, NOW, &out);
}

static void switch_input(struct message *m)
{
    struct capy_switch_out out;
    uint32_t levels = w.sw->dir.levels;
    steer_choice();
    if (has_event("no_room")) /* no level, no slot */
        w.sw->dir.levels = 0;
    capy_switch_input(w.sw, (uint16_t)m->server, m->frame, m->len, NOW, &out);
    w.sw->dir.levels = levels;
    for (unsigned i = 0; i < out.cnt; i++)
        put(out.frame[i].data, out.frame[i].len, 1, out.frame[i].port);
}

/* ---- events ---- */

static void arrive(const char *text, bool lost, bool again)
{
    struct message want = {0};
    int n = sscanf(text, "%*s %d %d %d %d %d %d %d %d %d %d", &want.hop, &want.type, &want.mig,
                   &want.server, &want.target, &want.verdict, &want.phase, &want.owner,
                   &want.entry_epoch, &want.epoch);
    must(n == 10, "not ten numbers");
    int at = find_message(&want);
    must(at >= 0, "a message arrives that nobody sent");
    struct message m = w.way[at];
    if (!again)
        w.way[at] = w.way[--w.way_cnt];
    if (lost)
        return;
    if (m.hop == 0) {
        switch_input(&m);
        return;
    }
    struct capy_packet p;
    struct capy_mig_msg msg;
    (void)capy_frame_parse(m.frame, m.len, &p);
    (void)capy_mig_parse(p.udp.data, p.udp.data_len, KEY, &msg);
    host_input(&w.host[m.server], &msg);
}

static void start_migration(struct host *h)
{
    struct capy_mig_env env = env_at(h, h->origin_now);
    struct capy_flow_key key = flow();
    must(w.mig_cnt < MIGS, "too many migrations");
    capy_mig_origin_start(&h->origin, &env, &key, ++w.mig_cnt, h->epoch + 1u, CAPY_SERVER_ANY);
    h->origin.local_port = port_at(h);
    h->origin_on = true;
    pump_origin(h);
}

static void freeze(struct host *h)
{
    struct capy_mig_env env = env_at(h, h->origin_now);
    must(h->origin_on && h->origin.phase == CAPY_ORIGIN_GRANTED, "freezes without a grant");
    h->copy = FROZEN;
    h->origin.snap.head_len = 100;
    memset(h->origin.snap.head, 7, 100);
    capy_mig_origin_frozen(&h->origin, &env);
    pump_origin(h);
}

static void give_up(struct host *h)
{
    if (!h->origin_on || h->origin.give_up_at == CAPY_NEVER)
        return;
    h->origin_now = capy_max64(h->origin_now, h->origin.give_up_at);
    struct capy_mig_env env = env_at(h, h->origin_now);
    origin_act(h, capy_mig_origin_expire(&h->origin, &env));
}

static void hold_expires(struct host *h)
{
    if (!h->target_on || h->target.give_up_at == CAPY_NEVER)
        return;
    h->target_now = capy_max64(h->target_now, h->target.give_up_at);
    struct capy_mig_env env = env_at(h, h->target_now);
    target_act(h, capy_mig_target_expire(&h->target, &env));
}

static void repeats(struct host *h)
{
    if (h->origin_on && h->origin.repeat.send_at != CAPY_NEVER) {
        h->origin_now = capy_max64(h->origin_now, h->origin.repeat.send_at);
        pump_origin(h);
    }
    if (h->target_on && h->target.ack_owed) {
        h->target_now = capy_max64(h->target_now, h->target.repeat.send_at);
        pump_target(h);
    }
    if (h->announce) {
        struct capy_mig_env env = env_at(h, h->origin_now);
        struct capy_flow_key key = flow();
        uint8_t frame[CAPY_FRAME_MAX];
        send_mig(h, frame,
                 capy_mig_announce(&env, &key, h->epoch, port_at(h), h->copy == FROZEN,
                                   frame + CAPY_UDP_AT));
    }
}

static void crash(struct host *h)
{
    if (h->target_on)
        free_target(h);
    h->copy = ABSENT;
    h->epoch = h->refused = h->imported = 0;
    h->origin_on = h->announce = h->quiet = false;
    h->down = true;
}

static void restart(struct host *h)
{
    h->down = false;
    h->quiet = true;
    h->incarnation++;
}

static void beat(struct host *h)
{
    const struct capy_mig_heartbeat b = {.free_cnt = 100, .incarnation = h->incarnation};
    capy_server_heartbeat(&w.sw->live->server[h->id], &b, NOW);
    w.silent[h->id] = 0;
    (void)entry();
}

static void unknown_flow(struct host *h)
{
    struct capy_mig_env env = env_at(h, h->target_now);
    struct capy_flow_key key = flow();
    uint8_t frame[CAPY_FRAME_MAX];
    const struct capy_entry *e = entry();
    must(e != NULL, "an unknown flow without an entry");
    raise_refused(h, e->epoch);
    send_mig(h, frame, capy_mig_unknown_flow(&env, &key, e->epoch, frame + CAPY_UDP_AT));
}

/* A segment of the copy at h passes the switch. */
static void work(struct host *h)
{
    uint8_t frame[CAPY_FRAME_MAX], data[4] = {0};
    struct capy_switch_out out;
    const struct capy_frame_to to = {.dst_mac = mac_of(CLIENT_NO),
                                     .src_mac = mac_of(h->id + 1u),
                                     .src = ip_of(h->id + 1u),
                                     .dst = ip_of(CLIENT_NO),
                                     .src_port = port_at(h),
                                     .dst_port = CLIENT_PORT};
    const struct capy_tcp_segment seg = {.flags = CAPY_TCP_ACK, .data = data, .data_len = 4};
    must(h->copy == RUNNING, "a copy works that does not run");
    size_t n = capy_frame_build_tcp(frame, &to, &seg);
    capy_switch_input(w.sw, h->id, frame, n, NOW, &out);
    must(out.cnt == 1, "a segment of the owner does not pass");
}

static void late_syn(void)
{
    steer_choice();
    client_says(CAPY_TCP_SYN);
}

/* A client connected to the service address, the first server has it, and has said something. */
static void born(void)
{
    w.vip = true;
    w.sw_cfg.vip.ip = ip_of(VIP_NO);
    w.sw_cfg.vip.port[0] = SERVICE_PORT;
    w.sw_cfg.vip.port_cnt = 1;
    w.sw_cfg.vip.policy = CAPY_VIP_LEAST_LOADED;
    switch_boot();
    for (unsigned i = 0; i < HOSTS; i++)
        w.sw->live->server[i].load = i;
    client_says(CAPY_TCP_SYN);
    w.host[0].epoch = 1;
    work(&w.host[0]);
}

static void reboot(void)
{
    switch_boot();
    w.sw->live->learn_until = CAPY_NEVER;
    for (unsigned i = 0; i < HOSTS; i++) {
        w.host[i].announce = w.host[i].copy != ABSENT && w.host[i].epoch > 0;
        w.host[i].late_slot = w.host[i].target_on;
    }
}

static void event(const char *text)
{
    static const struct {
        const char *name;
        void (*act)(struct host *h);
    } acts[] = {{"start_migration", start_migration},
                {"freeze", freeze},
                {"give_up", give_up},
                {"hold_expires", hold_expires},
                {"repeats", repeats},
                {"crash", crash},
                {"restart", restart},
                {"beat", beat},
                {"unknown_flow", unknown_flow},
                {"work", work}};
    char name[32];
    int who = -1, value;
    (void)sscanf(text, "%31s %d", name, &who);
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (strcmp(name, acts[i].name) == 0) {
            must(who >= 0 && who < HOSTS, "no such server");
            acts[i].act(&w.host[who]);
            return;
        }
    }
    if (strcmp(name, "arrive") == 0 || strcmp(name, "lose") == 0 || strcmp(name, "repeat") == 0)
        arrive(text, name[0] == 'l', name[0] == 'r');
    else if (strcmp(name, "reboot") == 0)
        reboot();
    else if (strcmp(name, "born") == 0)
        born();
    else if (strcmp(name, "late_syn") == 0)
        late_syn();
    else if (strcmp(name, "given_back") == 0) /* PENDING for too long */
        capy_entry_give_back(entry());
    else if (sscanf(text, "silent %d %d", &who, &value) == 2) {
        struct capy_server *s = &w.sw->live->server[who];
        s->heard_at = NOW - 2 * LEASE_NS;
        s->silent_from = value == 2 ? NOW - 2 * CAPY_SERVER_DEAD_LEASES * LEASE_NS : s->heard_at;
    } else if (sscanf(text, "awake %d", &who) == 1)
        w.host[who].quiet = false;
    else if (strcmp(name, "learned") == 0)
        w.sw->live->learn_until = 0;
    else
        must(strcmp(name, "tick") == 0 || strcmp(name, "chosen") == 0 ||
                 strcmp(name, "no_room") == 0 || strcmp(name, "refuses") == 0,
             "an event that nobody knows");
}

/* ---- how things stand ---- */

static void compare(const char *what, int want, int got)
{
    char text[160];
    if (want == got)
        return;
    snprintf(text, sizeof text, "%s: %d in the model, %d here", what, want, got);
    differ(text);
}

static void compare_entry(const int v[8])
{
    struct capy_flow_key key = flow();
    if (has_event("tick")) /* in which the switch sweeps its directory */
        (void)entry();
    const struct capy_entry *e =
        capy_directory_find(&w.sw->dir, capy_directory_hash_of(&w.sw->dir, &key), &key);
    bool is = capy_entry_is(e);
    compare("phase", v[0], is ? e->phase : CAPY_PHASE_NONE);
    if (!is)
        return;
    compare("entry epoch", v[1], (int)e->epoch);
    compare("owner", v[2], e->owner.id);
    compare("previous", v[3], e->previous.id);
    compare("migration", v[4], e->mig_id == 0 ? NOBODY : (int)(e->mig_id - 1));
    compare("served", v[5], (e->flags & CAPY_ENTRY_SERVED) != 0);
    compare("dead", v[6], capy_entry_dead(e));
    compare("learning", v[7], learning());
}

static void compare_host(const struct host *h, const int v[7])
{
    static const int origin_phase[] = {[CAPY_ORIGIN_PREPARING] = 1,
                                       [CAPY_ORIGIN_GRANTED] = 2,
                                       [CAPY_ORIGIN_SENDING] = 3,
                                       [CAPY_ORIGIN_CANCELLING] = 4};
    char what[64];
    snprintf(what, sizeof what, "server %u (%s): copy", h->id, copy_name[h->copy]);
    compare(what, v[0], (int)h->copy);
    compare("copy's epoch", v[1], (int)h->epoch);
    compare("origin's phase", v[2], h->origin_on ? origin_phase[h->origin.phase] : 0);
    int target = !h->target_on ? 0 : h->target.phase == CAPY_TARGET_HOLDING ? 1 : 2;
    compare("target's phase", v[3], target);
    compare("refused epoch", v[4], (int)h->refused);
    compare("imported", v[5], (int)h->imported);
    compare("announcement owed", v[6], h->announce);
}

static void compare_state(const char *text)
{
    int v[8], at = 0, n;
    must(sscanf(text, "state %d %d %d %d %d %d %d %d%n", v, v + 1, v + 2, v + 3, v + 4, v + 5,
                v + 6, v + 7, &at) == 8,
         "not eight numbers");
    compare_entry(v);
    for (unsigned i = 0; i < HOSTS; i++) {
        must(sscanf(text + at, " | %d %d %d %d %d %d %d%n", v, v + 1, v + 2, v + 3, v + 4, v + 5,
                    v + 6, &n) == 7,
             "not seven numbers");
        at += n;
        compare_host(&w.host[i], v);
    }
}

/* ---- files ---- */

static void world_begin(void)
{
    capy_switch_cfg_default(&w.sw_cfg);
    w.sw_cfg.mac = mac_of(SWITCH_NO);
    w.sw_cfg.ip = ip_of(SWITCH_NO);
    w.sw_cfg.tcpmig_port = TCPMIG_PORT;
    w.sw_cfg.key = w.sw_cfg.hash_key = KEY;
    w.sw_cfg.slots = 16;
    w.sw_cfg.lease_ns = LEASE_NS;
    w.sw_cfg.mig_port_first = MIG_PORT;
    w.sw_cfg.port_cnt = HOSTS + 1;
    w.sw_cfg.server_cnt = HOSTS;
    capy_mig_cfg_default(&w.mig);
    w.way_cnt = w.mig_cnt = w.event_cnt = 0;
    w.vip = false;
    for (unsigned i = 0; i < HOSTS; i++) {
        struct host *h = &w.host[i];
        struct capy_arena measure = {0};
        *h = (struct host){.id = (uint16_t)i,
                           .incarnation = i + 1u,
                           .origin_now = CAPY_SEC(1),
                           .target_now = CAPY_SEC(1)};
        capy_blocks_init(&h->blocks, &measure, BLOCKS);
        if (!w.blocks_mem[i])
            w.blocks_mem[i] = aligned_alloc(64, (measure.used + 63u) & ~(size_t)63u);
        struct capy_arena arena = {.base = w.blocks_mem[i]};
        capy_blocks_init(&h->blocks, &arena, BLOCKS);
        capy_mig_pace_init(&h->pace, &w.mig);
        w.sw_cfg.server[i].ip = ip_of(i + 1);
        w.sw_cfg.server[i].mac = mac_of(i + 1);
        w.sw_cfg.server[i].port = (uint16_t)i;
        w.sw_cfg.role[i] = CAPY_PORT_SERVER;
    }
    w.sw_cfg.role[HOSTS] = CAPY_PORT_CLIENT;
    if (!w.sw_mem)
        w.sw_mem = aligned_alloc(64, (capy_switch_size(&w.sw_cfg) + 63u) & ~(size_t)63u);
    switch_boot();
    w.host[0].copy = RUNNING;
}

/* How many events. */
static unsigned run(FILE *f)
{
    char line[LINE_MAX_LEN];
    unsigned events = 0;
    world_begin();
    for (w.line = 1; fgets(line, sizeof line, f); w.line++) {
        const char *text = line + strspn(line, " \t");
        if (strncmp(text, "state", 5) != 0) {
            must(w.event_cnt < EVENTS_MAX, "too many events at once");
            memcpy(w.event[w.event_cnt++], text, strlen(text) + 1);
            continue;
        }
        for (unsigned i = 0; i < w.event_cnt; i++)
            event(w.event[i]);
        events += w.event_cnt;
        compare_state(text);
        w.event_cnt = 0;
    }
    return events;
}

int main(int argc, char **argv)
{
    unsigned events = 0;
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "r");
        if (!f) {
            perror(argv[i]);
            return 2;
        }
        w.file = argv[i];
        events += run(f);
        fclose(f);
    }
    printf("%d traces, %u events: the model and the implementation agree\n", argc - 1, events);
    for (unsigned i = 0; i < HOSTS; i++)
        free(w.blocks_mem[i]);
    free(w.sw_mem);
    return events > 0 ? 0 : 2;
}
