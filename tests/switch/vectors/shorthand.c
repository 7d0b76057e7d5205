/* Lines that stand for several messages, for what a vector only needs to have happened:
 *
 *   beat s1 [load N] ...                    a HEARTBEAT
 *   beats                                   one of every server
 *   hear c1 ...                             a frame, so that the switch knows where this MAC is
 *   pending FLOW OWNER:PORT [epoch N] [id N] [origin S]    PREPARE_MIG_ACK
 *   settled ...                             the same, and CONN_STATE
 *   herd N ORIGIN > S COUNT [S COUNT] ...   N PREPARE_MIG to any; where they must go
 *   fans N > VIP:PORT S COUNT ... within D [moved N within D]
 *                                           N SYNs of as many clients: to whom they go, and how many
 *                                           to another than at the last "fans" of this vector
 */
#include "world.h"
#include <string.h>

static void feed(struct world *w, uint16_t server, const struct spec *s)
{
    w->input[0] = 0;
    world_feed(w, server, s);
}

void shorthand_beat(struct world *w, uint16_t server, struct words *words)
{
    const struct spec_mig fields = {.origin = server, .target = 0xffff, .id = 4711};
    struct spec s = spec_mig_make(7, &fields);
    spec_more(words, &s);
    feed(w, server, &s);
}

/* Clients are on the ports behind the servers'; the router is behind the first client's. */
static void hear(struct world *w, struct words *words)
{
    while (!words_end(words)) {
        struct spec s = {.kind = SPEC_ETHER, .dst = {.n = 1}, .ether_type = 0x88b5};
        s.src = place_read(words);
        feed(w, s.src.n == 201 ? SERVERS + 1 : SERVERS, &s);
    }
}

static void beats(struct world *w, struct words *words)
{
    for (uint16_t i = 0; i < SERVERS; i++)
        shorthand_beat(w, i, words);
}

struct move {
    struct spec_mig fields;
    uint16_t origin, target;
};

static struct move read_move(struct words *words)
{
    struct move m = {.fields = {.epoch = 1, .id = 77}};
    spec_flow(words, &m.fields.client, &m.fields.home);
    words_expect(words, "at");
    struct place owner = place_read(words);
    m.fields.target_port = owner.port;
    m.target = (uint16_t)(owner.n - 1);
    m.origin = (uint16_t)(m.fields.home.n - 1);
    while (!words_end(words)) {
        if (words_take(words, "epoch"))
            m.fields.epoch = (uint32_t)words_number(words, UINT32_MAX);
        else if (words_take(words, "id"))
            m.fields.id = words_number(words, UINT64_MAX);
        else if (words_take(words, "origin"))
            m.origin = place_server(words, words_next(words));
        else
            words_done(words);
    }
    m.fields.origin = m.origin;
    m.fields.target = m.target;
    return m;
}

/* The grant, and with settle also the state: 16 bytes, which commit. */
static void move(struct world *w, struct words *words, bool settle)
{
    const struct move m = read_move(words);
    struct spec ack = spec_mig_make(2, &m.fields), state = spec_mig_make(3, &m.fields);
    feed(w, m.target, &ack);
    if (w->out.cnt != 1 || w->out.frame[0].port != m.origin)
        world_fail(w, words, "  PREPARE_MIG_ACK did not pass\n");
    if (!settle)
        return;
    state.mig.target_port = 0;
    state.payload_len = 16;
    feed(w, m.origin, &state);
    if (w->out.cnt != 1 || w->out.frame[0].port != m.target)
        world_fail(w, words, "  CONN_STATE did not pass\n");
}

static void herd(struct world *w, struct words *words)
{
    unsigned got[SERVERS] = {0}, none = 0;
    uint64_t cnt = words_number(words, 20000);
    uint16_t origin = place_server(words, words_next(words));
    for (uint64_t i = 0; i < cnt; i++) {
        struct spec_mig fields = {.origin = origin,
                                  .target = 0xffff,
                                  .epoch = 1,
                                  .id = 1000 + i,
                                  .client = {.n = 200, .port = (uint16_t)(10000 + i)},
                                  .home = {.n = (uint8_t)(origin + 1), .port = 80}};
        struct spec s = spec_mig_make(1, &fields);
        feed(w, origin, &s);
        if (w->out.cnt == 1 && w->out.frame[0].port < SERVERS && w->out.frame[0].port != origin)
            got[w->out.frame[0].port]++;
        else
            none++;
    }
    words_expect(words, ">");
    unsigned wanted[SERVERS] = {0}, wanted_none = 0;
    while (!words_end(words)) {
        if (words_take(words, "nowhere")) {
            wanted_none = (unsigned)words_number(words, 20000);
            continue;
        }
        uint16_t id = place_server(words, words_next(words));
        wanted[id] = (unsigned)words_number(words, 20000);
    }
    if (memcmp(got, wanted, sizeof got) != 0 || none != wanted_none)
        world_fail(w, words, "  they went s1 %u s2 %u s3 %u nowhere %u\n", got[0], got[1], got[2],
                   none);
}

static void near(struct world *w, struct words *words, const char *what, unsigned got,
                 unsigned wanted, unsigned within)
{
    if (got + within < wanted || got > wanted + within)
        world_fail(w, words, "  %s: %u, and not %u within %u\n", what, got, wanted, within);
}

/* The port a fan's SYN leaves from; his entry is forgotten at once, so that the next fan has room. */
static uint16_t one_fan(struct world *w, uint16_t port, const struct place *vip)
{
    struct spec syn = {.kind = SPEC_TCP,
                       .src = {.n = 200, .port = port},
                       .dst = *vip,
                       .mac_src_set = true,
                       .mac_src = 200,
                       .mac_dst_set = true,
                       .mac_dst = PLACE_SW,
                       .flags = FLAG_SYN};
    feed(w, SERVERS, &syn);
    uint16_t to = w->out.cnt == 1 ? w->out.frame[0].port : PORT_BAD;
    if (to >= SERVERS)
        return PORT_BAD;
    const struct spec_mig fields = {
        .origin = to, .target = 0xffff, .epoch = 1, .client = syn.src, .home = syn.dst};
    struct spec announce = spec_mig_make(9, &fields);
    const struct spec closed = spec_mig_make(10, &fields);
    announce.mig.target_port = capy_mig_vip_port(w->cfg.mig_port_first, 0);
    feed(w, to, &announce); /* a connection, and its end */
    feed(w, to, &closed);
    return to;
}

static void fans(struct world *w, struct words *words)
{
    unsigned got[SERVERS] = {0}, wanted[SERVERS] = {0}, moved = 0;
    unsigned cnt = (unsigned)words_number(words, WORLD_FANS_MAX);
    words_expect(words, ">");
    struct place vip = place_read(words);
    for (unsigned i = 0; i < cnt; i++) {
        uint16_t to = one_fan(w, (uint16_t)(10000 + i), &vip);
        if (to < SERVERS)
            got[to]++;
        moved += w->fan_of[i] != to;
        w->fan_of[i] = (uint8_t)to;
    }
    while (!words_take(words, "within")) {
        uint16_t id = place_server(words, words_next(words));
        wanted[id % SERVERS] = (unsigned)words_number(words, WORLD_FANS_MAX);
    }
    unsigned within = (unsigned)words_number(words, WORLD_FANS_MAX);
    for (unsigned i = 0; i < SERVERS; i++)
        near(w, words, place_port_name((uint16_t)i), got[i], wanted[i], wanted[i] ? within : 0);
    if (words_take(words, "moved")) {
        unsigned some = (unsigned)words_number(words, WORLD_FANS_MAX);
        words_expect(words, "within");
        near(w, words, "moved", moved, some, (unsigned)words_number(words, WORLD_FANS_MAX));
    }
}

bool shorthand_step(struct world *w, struct words *words)
{
    if (words_take(words, "beats"))
        beats(w, words);
    else if (words_take(words, "beat"))
        shorthand_beat(w, place_server(words, words_next(words)), words);
    else if (words_take(words, "hear"))
        hear(w, words);
    else if (words_take(words, "pending"))
        move(w, words, false);
    else if (words_take(words, "settled"))
        move(w, words, true);
    else if (words_take(words, "fans"))
        fans(w, words);
    else if (words_take(words, "herd"))
        herd(w, words);
    else
        return false;
    return true;
}
