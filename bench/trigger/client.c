/* The client: requests leave when they are meant to (or, when TCP has no room, are counted from then),
 * each group's at the times of a Poisson process. Answers must come in order and be right. */
#include "bench/trigger/world.h"
#include "stack/stack.h"
#include <stdlib.h>
#include <string.h>

static void open_stack(struct world *w)
{
    struct capy_stack_cfg cfg;
    capy_stack_cfg_default(&cfg);
    cfg.mac = (struct capy_mac){{2, 0, 0, 0, 0, 100}};
    cfg.ip = capy_ip_from_v4(0x0a630064u);
    cfg.netmask = capy_ip_from_v4(0xffffff00u);
    cfg.conn_max = 2 * SCENE_CONNECTIONS_MAX;
    cfg.block_cnt = 32768;
    cfg.hash_key = (struct capy_key){5, 6};
    size_t size = capy_stack_size(&cfg);
    void *mem = size > 0 ? aligned_alloc(64, (size + 63u) & ~(size_t)63u) : NULL;
    if (!mem)
        world_fail("no memory for the client");
    w->client.stack = capy_stack_init(mem, &cfg, w->now);
}

static void open_link(struct world *w, const struct scene_group *g, unsigned member)
{
    struct client *c = &w->client;
    struct link *l = &c->link[c->cnt];
    struct capy_ip ip = capy_ip_from_v4(0x0a63000bu + g->server);
    if (c->cnt == SCENE_CONNECTIONS_MAX ||
        capy_stack_connect(c->stack, &ip, WORLD_PORT, 0, c->cnt + 1, &l->conn, w->now) != CAPY_OK)
        world_fail("connect");
    l->home = l->at = g->server;
    l->been = 1u << g->server;
    l->weight = 100;
    if (g->heaviest_percent > 0 && g->connections > 1) {
        l->weight = 100 - g->heaviest_percent;
        if (member == 0)
            l->weight = (uint64_t)g->heaviest_percent * (g->connections - 1);
    }
    c->cnt++;
}

static bool is_on(const struct world *w, const struct scene_group *g)
{
    return g->burst_ms == 0 || (w->now - w->began_at) % CAPY_MS(g->every_ms) < CAPY_MS(g->burst_ms);
}

/* In a burst as many come as make its average. */
static uint64_t gap(struct world *w, const struct scene_group *g)
{
    uint64_t mean = CAPY_US(w->scene->service_us) * 100 / g->load_percent;
    if (g->burst_ms > 0)
        mean = mean * g->burst_ms / g->every_ms;
    return world_exponential(w, mean);
}

void client_open(struct world *w)
{
    struct client *c = &w->client;
    open_stack(w);
    capy_hist_init(&c->all);
    capy_hist_init(&c->late);
    capy_hist_init(&c->window);
    for (unsigned g = 0; g < w->scene->group_cnt; g++)
        for (unsigned i = 0; i < w->scene->group[g].connections; i++)
            open_link(w, &w->scene->group[g], i);
}

void client_close(struct world *w)
{
    for (unsigned i = 0; i < w->client.cnt; i++)
        free(w->client.link[i].ring);
    free(w->client.stack);
}

static void send_unsent(struct world *w, struct link *l)
{
    while (l->unsent > 0) {
        uint8_t request[WORLD_MESSAGE];
        uint64_t ns = CAPY_US(w->scene->service_us);
        if (w->scene->exponential)
            ns = world_exponential(w, ns);
        capy_store32(request, l->sent_seq);
        capy_store32(request + 4, (uint32_t)capy_min64(ns, CAPY_SEC(1)));
        int64_t n = capy_stack_write(w->client.stack, l->conn, request, sizeof request, w->now);
        if (n == 0)
            return;
        if (n != WORLD_MESSAGE)
            world_fail("the client cannot write (%d)", (int)n);
        l->sent_seq++;
        l->unsent--;
    }
}

static void ask(struct world *w, struct link *l)
{
    if (l->cnt == l->room) { /* the ring as a row, in twice the room */
        uint32_t room = l->room ? 2 * l->room : 64;
        struct asked *ring = malloc(room * sizeof *ring);
        if (!ring)
            world_fail("no memory for requests");
        for (uint32_t i = 0; i < l->cnt; i++)
            ring[i] = l->ring[(l->first + i) % l->room];
        free(l->ring);
        l->ring = ring;
        l->room = room;
        l->first = 0;
    }
    l->ring[(l->first + l->cnt++) % l->room].at = w->now;
    l->unsent++;
    w->out->asked++;
    send_unsent(w, l);
}

static void ask_of_group(struct world *w, unsigned g, unsigned first)
{
    const struct scene_group *group = &w->scene->group[g];
    struct link *l = &w->client.link[first];
    uint64_t sum = 0;
    for (unsigned i = 0; i < group->connections; i++)
        sum += l[i].weight;
    uint64_t pick = capy_prng_below(&w->rng, sum);
    while (pick >= l->weight)
        pick -= l++->weight;
    ask(w, l);
}

static void ask_due(struct world *w)
{
    unsigned first = 0;
    for (unsigned g = 0; g < w->scene->group_cnt; g++) {
        const struct scene_group *group = &w->scene->group[g];
        uint64_t *at = &w->client.next_at[g];
        if (group->load_percent > 0 && !is_on(w, group))
            *at = w->now;
        while (group->load_percent > 0 && *at <= w->now && is_on(w, group)) {
            if (*at > 0)
                ask_of_group(w, g, first);
            *at = w->now + gap(w, group);
        }
        first += group->connections;
    }
}

static void answered(struct world *w, struct link *l)
{
    struct client *c = &w->client;
    uint64_t at = l->ring[l->first].at, ns = w->now - at;
    l->first = (l->first + 1) % l->room;
    l->cnt--;
    capy_hist_add(&c->all, ns);
    capy_hist_add(&c->window, ns);
    if (at >= w->half_at)
        capy_hist_add(&c->late, ns);
    w->out->digest = (w->out->digest ^ ns ^ (uint64_t)(l - c->link)) * 0x9e3779b97f4a7c15u;
}

static void read_answers(struct world *w, struct link *l)
{
    struct capy_stack *s = w->client.stack;
    bool fin = false;
    int64_t unread = capy_stack_readable(s, l->conn, &fin);
    for (; unread >= WORLD_MESSAGE; unread -= WORLD_MESSAGE) {
        uint8_t answer[WORLD_MESSAGE];
        for (uint32_t got = 0, len; got < sizeof answer; got += len) {
            const uint8_t *span = capy_stack_read_span(s, l->conn, 0, &len);
            len = capy_min32(len, (uint32_t)sizeof answer - got);
            memcpy(answer + got, span, len);
            (void)capy_stack_consume(s, l->conn, len, w->now);
        }
        if (capy_load32(answer) != l->heard_seq++ || l->cnt == 0)
            world_fail("a wrong answer");
        answered(w, l);
    }
}

static void take_events(struct world *w)
{
    struct capy_stack_event ev;
    while (capy_stack_event(w->client.stack, &ev)) {
        if (ev.user == 0 || ev.user > w->client.cnt)
            continue;
        struct link *l = &w->client.link[ev.user - 1];
        if (ev.bits & CAPY_EV_ANY_DEAD)
            world_fail("a client's connection ended");
        if (ev.bits & CAPY_EV_WRITABLE)
            send_unsent(w, l);
        if (ev.bits & CAPY_EV_READABLE)
            read_answers(w, l);
    }
}

void client_turn(struct world *w)
{
    uint8_t frame[CAPY_FRAME_MAX];
    size_t len;
    if (!w->client.stack)
        return; /* the rack comes up */
    if (w->began_at > 0 && w->now < w->ends_at)
        ask_due(w);
    if (capy_stack_next_at(w->client.stack) <= w->now)
        capy_stack_expire(w->client.stack, w->now);
    take_events(w);
    while ((len = capy_stack_output(w->client.stack, frame, w->now)) > 0)
        world_frame(w, w->scene->servers, frame, len);
}

void client_saw_move(struct world *w, const struct capy_address *peer, unsigned server)
{
    struct capy_stack_conn_info info;
    for (unsigned i = 0; i < w->client.cnt; i++) {
        struct link *l = &w->client.link[i];
        if (capy_stack_conn_info(w->client.stack, l->conn, &info) != CAPY_OK ||
            info.local_port != peer->port)
            continue;
        l->at = server;
        l->moves++;
        w->out->heaviest_moves += i == 0;
        w->out->moves++;
        w->out->late_moves += w->now >= w->half_at;
        w->out->window[w->out->window_cnt].moves++;
        w->out->turned_back += (l->been >> server) & 1u;
        l->been |= 1u << server;
        w->out->moves_of_one_max = capy_max32(w->out->moves_of_one_max, l->moves);
        return;
    }
    world_fail("a connection arrived that nobody has");
}
