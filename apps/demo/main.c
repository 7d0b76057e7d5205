/* `capy demo`: the command line, and the run from the first server's start to the verdict. */
#include "apps/demo/demo.h"

#include "apps/common/option.h"
#include "apps/demo/fleet.h"
#include "apps/demo/loader.h"
#include "apps/demo/report.h"
#include "apps/rack/local.h"
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define TURN_MS 10     /* how often servers are asked for their counters and kept busy */
#define WARM_UP_S 20.0 /* the first answers must be there by then, on a busy machine as well */
#define SETTLE_S 10.0  /* migrations under way at the end may take this long */
#define PROGRESS_S 0.2 /* between progress lines on a terminal */
#define DEMO_DIR "out/demo"

static const char usage[] =
    "usage: capy demo [OPTIONS]   move live connections under load, in a rack on this machine\n"
    "  --migrations N    how many to complete (10000)\n"
    "  --connections N   keep-alive HTTP connections (64)\n"
    "  --servers N       (3)\n"
    "  --rate N          migrations per second (2000); 0: as fast as they go\n"
    "  --seconds-max N   give up after (120)\n"
    "  --driver NAME     auto, af_xdp or tap\n"
    "  --plane NAME      the switch: user, a program, or xdp, in the kernel (user)\n"
    "  --stack LIST      whose TCP the servers have: capy, ours, or linux, the kernel's (capy "
    "rack)\n"
    "  --ipv6            the clients' connections are IPv6\n"
    "  --encrypt         encrypt the state of connections on their way\n"
    "  --capture DIR     every frame at the switch, into DIR/PORT.pcapng\n"
    "  --record DIR      each program's recording, DIR/NAME.capyrec, for capy replay\n"
    "  --dir DIR         rack file and logs (" DEMO_DIR ")\n"
    "  --json FILE       the result, besides the text (" DEMO_DIR ".json)\n";

struct demo_options {
    uint64_t migrations, connections, servers, seconds_max, rate;
    struct capy_rack_local_options rack;
    bool ipv6; /* what the clients use */
    const char *json;
    char json_default[300]; /* beside the directory */
};

struct demo {
    const struct demo_options *opt;
    int signals;
    struct capy_rack_local local;
    struct demo_fleet fleet;
    struct demo_loader loader;
    struct demo_marks marks;
    struct demo_result result;
    double told_at;
    char err[700];
};

static double now_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Sleeps one turn. True: Ctrl-C, or the rack or the load is gone. */
static bool interrupted(struct demo *d)
{
    struct pollfd p[2] = {{.fd = d->signals, .events = POLLIN},
                          {.fd = d->local.link, .events = POLLIN}};
    if (poll(p, 2, TURN_MS) > 0) {
        snprintf(d->err, sizeof d->err, "%s", p[0].revents ? "interrupted" : "the rack ended");
        return true;
    }
    if (!demo_loader_listen(&d->loader)) {
        snprintf(d->err, sizeof d->err, "the load ended early");
        return true;
    }
    return false;
}

static void progress(struct demo *d, double now)
{
    if (!isatty(STDERR_FILENO) || now - d->told_at < PROGRESS_S) {
        return;
    }
    d->told_at = now;
    fprintf(stderr,
            "\r%" PRIu64 " of %" PRIu64 " migrations, %" PRIu64 " requests, %" PRIu64 " errors ",
            demo_fleet_moved(&d->fleet), d->opt->migrations, d->loader.requests, d->loader.errors);
}

/* Until the load has its first answers. */
static int warm_up(struct demo *d)
{
    double until = now_s() + WARM_UP_S;
    while (d->loader.requests < d->opt->connections) {
        if (interrupted(d)) {
            return -1;
        }
        if (now_s() > until) {
            snprintf(d->err, sizeof d->err, "no answers from the servers; their logs are in %s",
                     d->local.rack.run_dir);
            return -1;
        }
    }
    return 0;
}

/* How many moves to begin now, so as to keep the asked pace; those that are on their way are not asked for again. */
static uint64_t owed(const struct demo *d, double seconds)
{
    uint64_t begun = demo_fleet_moved(&d->fleet) + demo_fleet_begun(&d->fleet);
    uint64_t due =
        d->opt->rate == 0 ? d->opt->migrations : (uint64_t)((double)d->opt->rate * seconds);
    if (due > d->opt->migrations) {
        due = d->opt->migrations;
    }
    return due > begun ? due - begun : 0;
}

/* One turn: begin moves, sleep, see how far the servers are. 0, or -1 with d->err. */
static int turn(struct demo *d, double seconds)
{
    if (demo_fleet_move(&d->fleet, owed(d, seconds), d->err, sizeof d->err) < 0 || interrupted(d)) {
        return -1;
    }
    return demo_fleet_read(&d->fleet, &d->marks, false, d->err, sizeof d->err);
}

/* Moves connections until enough have moved; then lets what is under way end. */
static int migrate(struct demo *d)
{
    double began = now_s(), now = began, until = began + (double)d->opt->seconds_max;
    int result = demo_fleet_read(&d->fleet, &d->marks, false, d->err, sizeof d->err);
    while (result == 0 && demo_fleet_moved(&d->fleet) < d->opt->migrations && now < until) {
        result = turn(d, now - began);
        now = now_s();
        progress(d, now);
    }
    d->result.seconds = now - began;
    until = now + SETTLE_S;
    while (result == 0 && now < until) {
        if (demo_fleet_under_way(&d->fleet) == 0 || interrupted(d))
            break;
        result = demo_fleet_read(&d->fleet, &d->marks, false, d->err, sizeof d->err);
        now = now_s();
    }
    return result;
}

/* The rack runs: load, migrations, result. 0 or -1 with d->err. */
static int perform(struct demo *d)
{
    if (demo_fleet_open(&d->fleet, &d->local.rack, d->err, sizeof d->err) < 0) {
        return -1;
    }
    printf("driver: %s\n", d->fleet.driver);
    fflush(stdout);
    if (demo_loader_start(&d->loader, &d->local, (unsigned)d->opt->connections, d->opt->ipv6,
                          d->err, sizeof d->err) < 0) {
        return -1;
    }
    int result = warm_up(d);
    if (result == 0) {
        result = migrate(d);
    }
    d->result.load = demo_loader_finish(&d->loader);
    char ignored[700]; /* after an interruption the first reason is the one to tell */
    int read = demo_fleet_read(&d->fleet, &d->marks, true, result < 0 ? ignored : d->err, 700);
    if (isatty(STDERR_FILENO)) {
        fputs("\r\033[K", stderr);
    }
    return result < 0 ? result : read;
}

static int conclude(struct demo *d, int performed)
{
    struct demo_result *r = &d->result;
    r->asked = d->opt->migrations;
    r->migrations = demo_fleet_moved(&d->fleet);
    r->refused = demo_fleet_refused(&d->fleet);
    r->connections = (unsigned)d->opt->connections;
    r->server_cnt = d->local.rack.server_cnt;
    r->driver = d->fleet.driver;
    demo_marks_join(&d->marks, &r->cost);
    putchar('\n');
    demo_print(r, stdout);
    if (performed < 0) {
        fprintf(stderr, "capy demo: %s\n", d->err);
    }
    int written = demo_write_json(r, d->opt->json);
    if (written < 0) {
        fprintf(stderr, "capy demo: %s: %s\n", d->opt->json, strerror(errno));
    }
    bool failed = performed < 0 || written < 0 || demo_verdict(r);
    json_decref(r->load);
    demo_cost_free(&r->cost);
    demo_marks_free(&d->marks);
    demo_fleet_close(&d->fleet);
    return failed ? 1 : 0;
}

static int wrong(const char *what, const char *arg)
{
    fprintf(stderr, "capy demo: %s: %s; try: capy demo --help\n", what, arg);
    return EXIT_USAGE;
}

/* Where an option's text goes; NULL: it has none. */
static const char **text_of(int c, struct demo_options *opt)
{
    return c == 'D'   ? &opt->rack.driver
           : c == 'p' ? &opt->rack.plane
           : c == 'S' ? &opt->rack.stack
           : c == 'd' ? &opt->rack.dir
           : c == 'C' ? &opt->rack.capture
           : c == 'R' ? &opt->rack.record
           : c == 'j' ? &opt->json
                      : NULL;
}

static int parse(int argc, char **argv, struct demo_options *opt)
{
    static const struct option known[] = {{"migrations", required_argument, NULL, 0},
                                          {"connections", required_argument, NULL, 1},
                                          {"servers", required_argument, NULL, 2},
                                          {"seconds-max", required_argument, NULL, 3},
                                          {"rate", required_argument, NULL, 4},
                                          {"driver", required_argument, NULL, 'D'},
                                          {"encrypt", no_argument, NULL, 'e'},
                                          {"dir", required_argument, NULL, 'd'},
                                          {"json", required_argument, NULL, 'j'},
                                          {"ipv6", no_argument, NULL, '6'},
                                          {"record", required_argument, NULL, 'R'},
                                          {"plane", required_argument, NULL, 'p'},
                                          {"stack", required_argument, NULL, 'S'},
                                          {"capture", required_argument, NULL, 'C'},
                                          {NULL, 0, NULL, 0}};
    uint64_t *const number[] = {&opt->migrations, &opt->connections, &opt->servers,
                                &opt->seconds_max, &opt->rate};
    const uint64_t number_max[] = {1000000000, 10000, CAPY_RACK_SERVER_MAX, 1000000, 10000000};
    opterr = 0;
    optind = 1;
    for (int c, at = 1; (c = getopt_long(argc, argv, "", known, NULL)) != -1; at = optind) {
        const char **text = text_of(c, opt);
        if (text) {
            *text = optarg;
        } else if (c == 'e') {
            opt->rack.encrypt = true;
        } else if (c == '6') {
            opt->ipv6 = true;
        } else if (c == '?') {
            return wrong("unknown option or missing value", argv[at]);
        } else if (!capy_option_number(optarg, strlen(optarg), number_max[c], number[c])) {
            return wrong("not a number in range", optarg);
        }
    }
    if (optind < argc) {
        return wrong("unexpected argument", argv[optind]);
    }
    if (opt->connections == 0 || opt->servers < 2) {
        return wrong("a move needs", "at least one connection and two servers");
    }
    opt->rack.server_cnt = (unsigned)opt->servers;
    if (!opt->json) {
        snprintf(opt->json_default, sizeof opt->json_default, "%s.json", opt->rack.dir);
        opt->json = opt->json_default;
    }
    return 0;
}

int capy_demo_main(int argc, char **argv)
{
    static struct demo d; /* large */
    static struct demo_options opt;
    sigset_t mask;
    opt = (struct demo_options){
        .migrations = 10000, .connections = 64, .servers = 3, .seconds_max = 120, .rate = 2000};
    capy_rack_local_default(&opt.rack);
    opt.rack.dir = DEMO_DIR;
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        return 0;
    }
    if (parse(argc, argv, &opt) != 0) {
        return EXIT_USAGE;
    }
    d = (struct demo){.opt = &opt};
    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGTERM);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    d.signals = signalfd(-1, &mask, SFD_CLOEXEC);
    if (capy_rack_local_start(&d.local, &opt.rack, d.err, sizeof d.err) < 0) {
        fprintf(stderr, "capy demo: %s\n", d.err);
        return EXIT_USAGE;
    }
    capy_rack_local_picture(&d.local.rack, d.local.client_cnt, stdout);
    putchar('\n');
    int performed = perform(&d);
    int status = conclude(&d, performed);
    capy_rack_local_stop(&d.local);
    return status;
}
