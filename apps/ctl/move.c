/* Moving; see move.h. A server answers as soon as a move has begun; what came of it is asked for
 * until it is known. */
#include "apps/ctl/move.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_MS 5
#define MOVE_POLLS 400 /* 2 s: a migration ends in well below one (docs/protocol.md) */
#define DRAIN_POLL_MS 200
#define PROGRESS_EVERY 5u /* polls of a drain per line when nobody watches a terminal */

static void sleep_ms(long ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&ts, NULL);
}

/* ---- one connection ---- */

/* The connection of a client at one server: a new reference, or NULL. */
static json_t *connection_at(const struct ctl *ctl, const char *server, const char *client)
{
    json_t *page =
        ctl_try(ctl, server, json_pack("{s:s,s:s}", "cmd", "connections", "client", client));
    json_t *one = json_incref(json_array_get(json_object_get(page, "connections"), 0));
    json_decref(page);
    return one;
}

/* Index of the server that runs it, or -1. */
static int find_owner(const struct ctl *ctl, const char *client)
{
    for (unsigned i = 0; i < ctl->rack.server_cnt; i++) {
        json_t *one = connection_at(ctl, ctl->rack.server[i].name, client);
        json_decref(one);
        if (one)
            return (int)i;
    }
    return -1;
}

static int report_stay(const struct ctl *ctl, const char *client, const char *server)
{
    json_t *st = ctl_try(ctl, server, ctl_question("status"));
    const json_t *moves = json_object_get(st, "moves");
    const char *verdict = json_string_value(json_object_get(moves, "last_verdict"));
    const char *reason = json_string_value(json_object_get(moves, "last_reason"));
    ctl_fail(0, "%s stays at %s: %s%s%s", client, server, verdict ? verdict : "",
             verdict && reason ? ", " : "",
             reason    ? reason
             : verdict ? ""
                       : "refused");
    json_decref(st);
    return CTL_EXIT_FAILED;
}

/* Waits until the move is over and says where the connection is. */
static int report_move(const struct ctl *ctl, const char *client, const char *from)
{
    for (int i = 0; i < MOVE_POLLS; i++) {
        sleep_ms(POLL_MS);
        json_t *one = connection_at(ctl, from, client);
        bool moving = one && strcmp(ctl_text(one, "migrating"), "no") != 0;
        bool stays = one && !moving;
        json_decref(one);
        if (stays)
            return report_stay(ctl, client, from);
        int owner = moving ? -1 : find_owner(ctl, client);
        if (owner < 0)
            continue;
        one = connection_at(ctl, ctl->rack.server[owner].name, client);
        if (ctl->json && one)
            return ctl_print_json(
                json_pack("{s:b,s:s,s:o}", "ok", 1, "from", from, "connection", one));
        printf("%s moved from %s to %s, epoch %lu\n", client, from, ctl->rack.server[owner].name,
               (unsigned long)ctl_number(one, "epoch"));
        json_decref(one);
        return 0;
    }
    return ctl_fail(CTL_EXIT_FAILED,
                    "%s is still on its way, or was closed; see: capy ctl "
                    "connections",
                    client);
}

static int migrate_one(const struct ctl *ctl, const char *client, const char *target)
{
    if (target && !ctl_know(ctl, target))
        return CTL_EXIT_USAGE;
    if (!ctl_anybody(ctl))
        return CTL_EXIT_USAGE;
    int owner = find_owner(ctl, client);
    if (owner < 0)
        return ctl_fail(CTL_EXIT_USAGE,
                        "no server runs a connection of client %s; `capy ctl "
                        "connections` lists them as ADDRESS:PORT",
                        client);
    const char *from = ctl->rack.server[owner].name;
    json_t *answer =
        ctl_ask(ctl, from,
                json_pack("{s:s,s:s,s:s?}", "cmd", "migrate", "client", client, "target", target));
    if (!answer)
        return CTL_EXIT_FAILED;
    json_decref(answer);
    return report_move(ctl, client, from);
}

/* ---- many ---- */

/* What is done of a bulk move, from the servers' "moves". */
struct progress {
    uint64_t moved, refused, open;
};

static struct progress progress_of(const json_t *status)
{
    const json_t *m = json_object_get(status, "moves");
    return (struct progress){ctl_number(m, "moved"), ctl_number(m, "refused"),
                             ctl_number(m, "to_start") + ctl_number(m, "in_flight")};
}

/* How many connections a server can give. 0 when it may not or does not answer. */
static uint64_t can_give(const struct ctl *ctl, unsigned i)
{
    const char *name = ctl->rack.server[i].name;
    if ((ctl->from && strcmp(ctl->from, name) != 0) || (ctl->to && strcmp(ctl->to, name) == 0))
        return 0;
    json_t *st = ctl_try(ctl, name, ctl_question("status"));
    uint64_t n = ctl_number(st, "connections");
    json_decref(st);
    return n;
}

/* Asks each server for its share, in proportion to what it has. False: one refused. */
static bool begin_many(const struct ctl *ctl, uint64_t give[], uint64_t total)
{
    uint64_t left = ctl->count < total ? ctl->count : total;
    for (unsigned i = 0; i < ctl->rack.server_cnt && left > 0; i++) {
        uint64_t share = total ? (left * give[i] + total - 1) / total : 0;
        total -= give[i];
        left -= share;
        give[i] = share;
        if (share == 0)
            continue;
        json_t *answer = ctl_ask(ctl, ctl->rack.server[i].name,
                                 json_pack("{s:s,s:I,s:s?}", "cmd", "migrate_n", "count",
                                           (json_int_t)share, "target", ctl->to));
        json_decref(answer);
        if (!answer)
            return false;
    }
    return true;
}

static struct progress await_many(const struct ctl *ctl, const uint64_t share[])
{
    struct progress sum;
    do {
        sleep_ms(POLL_MS);
        sum = (struct progress){0, 0, 0};
        for (unsigned i = 0; i < ctl->rack.server_cnt; i++) {
            json_t *st =
                share[i] ? ctl_try(ctl, ctl->rack.server[i].name, ctl_question("status")) : NULL;
            struct progress one = progress_of(st);
            sum.moved += one.moved;
            sum.refused += one.refused;
            sum.open += one.open;
            json_decref(st);
        }
    } while (sum.open > 0);
    return sum;
}

static int migrate_many(const struct ctl *ctl)
{
    if ((ctl->from && !ctl_know(ctl, ctl->from)) || (ctl->to && !ctl_know(ctl, ctl->to)))
        return CTL_EXIT_USAGE;
    if (!ctl_anybody(ctl))
        return CTL_EXIT_USAGE;
    uint64_t give[CAPY_RACK_SERVER_MAX], total = 0;
    for (unsigned i = 0; i < ctl->rack.server_cnt; i++)
        total += give[i] = can_give(ctl, i);
    if (total == 0)
        return ctl_fail(CTL_EXIT_FAILED, "there is no connection to move; open some first");
    if (!begin_many(ctl, give, total))
        return CTL_EXIT_FAILED;
    struct progress p = await_many(ctl, give);
    if (ctl->json)
        ctl_print_json(
            json_pack("{s:I,s:I}", "moved", (json_int_t)p.moved, "refused", (json_int_t)p.refused));
    else
        printf("%lu moved, %lu refused\n", (unsigned long)p.moved, (unsigned long)p.refused);
    return p.moved > 0 ? 0 : CTL_EXIT_FAILED;
}

int ctl_migrate(const struct ctl *ctl, int argc, char **argv)
{
    if (ctl->count > 0 && argc == 0)
        return migrate_many(ctl);
    if (ctl->count > 0 || argc < 1 || ctl->from || (ctl->to && argc > 1))
        return ctl_fail(CTL_EXIT_USAGE, "migrate takes CLIENT_IP:PORT [TARGET], or -n N [--from "
                                        "SERVER] [--to SERVER]; try: capy ctl --help");
    return migrate_one(ctl, argv[0], argc > 1 ? argv[1] : ctl->to);
}

/* ---- all of a server ---- */

static void print_drain(const char *server, const json_t *moves)
{
    const char *why = json_string_value(json_object_get(moves, "last_verdict"));
    if (why && strcmp(why, "OK") == 0)
        why = NULL; /* that one was given back: the reason is in the server's counters */
    else if (why && strcmp(why, "NO_TARGET") == 0)
        why = "NO_TARGET (no other live server takes connections: start or undrain one)";
    printf("%s: %lu left, %lu in flight, %lu moved in %.3f s, %lu refused%s%s\n", server,
           (unsigned long)ctl_number(moves, "remaining"),
           (unsigned long)ctl_number(moves, "in_flight"), (unsigned long)ctl_number(moves, "moved"),
           (double)ctl_number(moves, "took_us") / 1e6, (unsigned long)ctl_number(moves, "refused"),
           why ? ", last: " : "", why ? why : "");
    fflush(stdout);
}

static int await_drain(const struct ctl *ctl, const char *server)
{
    for (unsigned i = 0;; i++) {
        json_t *st = ctl_ask(ctl, server, ctl_question("status"));
        if (!st)
            return CTL_EXIT_FAILED;
        json_t *moves = json_incref(json_object_get(st, "moves"));
        bool draining = ctl_flag(st, "draining"), done = ctl_number(moves, "remaining") == 0;
        json_decref(st);
        if (!ctl->json && (done || !draining || i % PROGRESS_EVERY == 0))
            print_drain(server, moves);
        if (done || !draining) {
            if (ctl->json)
                ctl_print_json(json_incref(moves));
            json_decref(moves);
            return done ? 0 : ctl_fail(CTL_EXIT_FAILED, "somebody undrained %s", server);
        }
        json_decref(moves);
        sleep_ms(DRAIN_POLL_MS);
    }
}

int ctl_drain(const struct ctl *ctl, int argc, char **argv)
{
    (void)argc;
    if (!ctl_know(ctl, argv[0]))
        return CTL_EXIT_USAGE;
    json_t *moves = ctl_ask(ctl, argv[0], ctl_question("drain"));
    if (!moves)
        return CTL_EXIT_USAGE;
    if (ctl->wait) {
        json_decref(moves);
        return await_drain(ctl, argv[0]);
    }
    if (ctl->json)
        return ctl_print_json(moves);
    print_drain(argv[0], moves);
    json_decref(moves);
    return 0;
}

int ctl_undrain(const struct ctl *ctl, int argc, char **argv)
{
    (void)argc;
    if (!ctl_know(ctl, argv[0]))
        return CTL_EXIT_USAGE;
    json_t *moves = ctl_ask(ctl, argv[0], ctl_question("undrain"));
    if (!moves)
        return CTL_EXIT_USAGE;
    if (ctl->json)
        return ctl_print_json(moves);
    printf("%s takes connections again\n", argv[0]);
    json_decref(moves);
    return 0;
}

/* ---- faults ---- */

/* "loss_ppm=1000" into the question: a number where it is one. False: no '='. */
static bool add_setting(json_t *question, char *word)
{
    char *value = strchr(word, '=');
    if (!value || value == word)
        return false;
    *value++ = '\0';
    char *end;
    long long n = strtoll(value, &end, 10);
    bool is_number = *value && !*end;
    json_object_set_new(question, word, is_number ? json_integer(n) : json_string(value));
    return true;
}

int ctl_fault(const struct ctl *ctl, int argc, char **argv)
{
    json_t *question = json_pack("{s:s,s:s}", "cmd", "fault", "port", argv[0]);
    if (argc == 2 && strcmp(argv[1], "clear") == 0) {
        json_object_set_new(question, "clear", json_true());
    } else {
        bool good = argc > 1;
        for (int i = 1; i < argc && good; i++)
            good = add_setting(question, argv[i]);
        if (!good) {
            json_decref(question);
            return ctl_fail(CTL_EXIT_USAGE, "fault takes PORT|all and KEY=VALUE ..., or PORT|all "
                                            "clear; try: capy ctl --help");
        }
    }
    json_t *wire = ctl_try(ctl, CTL_WIRE, ctl_question("status")); /* a rack with --wire */
    json_t *answer = ctl_ask(ctl, wire ? CTL_WIRE : CTL_SWITCH, question);
    json_decref(wire);
    if (!answer)
        return CTL_EXIT_USAGE;
    if (ctl->json)
        return ctl_print_json(answer);
    json_decref(answer);
    return 0;
}
