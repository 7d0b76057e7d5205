/* `capy rack`: command lines. See rack.h; the rack itself is behind local.h. */
#define _GNU_SOURCE /* program_invocation_name */
#include "apps/rack/rack.h"

#include "apps/common/endpoint.h"
#include "apps/rack/local.h"
#include "apps/rack/verbs.h"
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define HELPED (-2)        /* parse: that was all that was wanted */
#define NUMBER_MAX 4194304 /* connections of a server */

static const char usage[] =
    "usage: capy rack up  [OPTIONS]               build a rack here and keep it until Ctrl-C\n"
    "       capy rack run [OPTIONS] -- COMMAND    build one, run COMMAND in client c1, take it "
    "down\n"
    "       capy rack exec    [--dir DIR] MEMBER -- COMMAND   in c1, s1, switch ... of a running "
    "rack\n"
    "       capy rack start   [--dir DIR] PROGRAM             s1, s2 ... or switch\n"
    "       capy rack stop    [--dir DIR] PROGRAM             SIGTERM\n"
    "       capy rack kill    [--dir DIR] PROGRAM             SIGKILL\n"
    "       capy rack restart [--dir DIR] PROGRAM\n"
    "       capy rack status  [--dir DIR]\n"
    "options: --servers N      how many servers (3)\n"
    "         --clients N      how many client machines (1)\n"
    "         --dir DIR        rack file, control sockets and logs (" CAPY_RACK_LOCAL_DIR ")\n"
    "         --root DIR       files to serve (none)\n"
    "         --driver NAME    auto, af_xdp or tap\n"
    "         --stack LIST     whose TCP the servers have: capy, ours, or linux, the kernel's; of "
    "each\n"
    "                          in turn, as linux,capy: the last for all that follow (capy)\n"
    "         --plane NAME     the switch: user, a program, or xdp, in the kernel (user)\n"
    "         --threshold N    over this load a server moves connections away by itself (0: "
    "never)\n"
    "         --conn-max N     connections that each server can hold (16384)\n"
    "         --vip POLICY     a service address, 10.99.0.100; maglev or least_loaded\n"
    "         --capture DIR    every frame at the switch, into DIR/PORT.pcapng\n"
    "         --record DIR     what goes into each program, into DIR/NAME.capyrec, for capy "
    "replay\n"
    "         --wire           cables lead through a program that can lose, repeat, delay and "
    "capture\n"
    "                          frames, as a switch in the kernel cannot (capy ctl fault)\n"
    "         --ipv6-only      IPv6 addresses alone (IPv4, and IPv6 beside it)\n"
    "         --encrypt        encrypt the state of connections on their way\n"
    "         --offload        devices cut and join TCP segments (TAP; else in software)\n"
    "         --httpd-args S   more arguments for each server; {} is its name\n";

/* Prints what is wrong with the command line. */
static int wrong(const char *what, const char *arg)
{
    fprintf(stderr, "capy rack: %s%s%s; try: capy rack --help\n", what, arg ? ": " : "",
            arg ? arg : "");
    return EXIT_USAGE;
}

static int parse_cnt(const char *text, unsigned *out)
{
    char *end = NULL;
    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (errno || end == text || *end || n > NUMBER_MAX || text[0] == '-') {
        return -1;
    }
    *out = (unsigned)n;
    return 0;
}

static const struct option known[] = {{"servers", required_argument, NULL, 's'},
                                      {"clients", required_argument, NULL, 'c'},
                                      {"dir", required_argument, NULL, 'd'},
                                      {"root", required_argument, NULL, 'r'},
                                      {"driver", required_argument, NULL, 'D'},
                                      {"httpd-args", required_argument, NULL, 'a'},
                                      {"threshold", required_argument, NULL, 't'},
                                      {"capture", required_argument, NULL, 'C'},
                                      {"encrypt", no_argument, NULL, 'e'},
                                      {"offload", no_argument, NULL, 'o'},
                                      {"ipv6-only", no_argument, NULL, '6'},
                                      {"wire", no_argument, NULL, 'w'},
                                      {"record", required_argument, NULL, 'R'},
                                      {"vip", required_argument, NULL, 'v'},
                                      {"plane", required_argument, NULL, 'p'},
                                      {"stack", required_argument, NULL, 'S'},
                                      {"conn-max", required_argument, NULL, 'n'},
                                      {"help", no_argument, NULL, 'h'},
                                      {NULL, 0, NULL, 0}};

/* Where an option's text, number or flag goes; NULL: it is no such option. */
static const char **text_of(int c, struct capy_rack_local_options *opt)
{
    return c == 'd'   ? &opt->dir
           : c == 'r' ? &opt->root
           : c == 'D' ? &opt->driver
           : c == 'p' ? &opt->plane
           : c == 'S' ? &opt->stack
           : c == 'a' ? &opt->httpd_args
           : c == 'C' ? &opt->capture
           : c == 'v' ? &opt->vip_policy
           : c == 'R' ? &opt->record
                      : NULL;
}

static unsigned *number_of(int c, struct capy_rack_local_options *opt)
{
    return c == 's'   ? &opt->server_cnt
           : c == 'c' ? &opt->client_cnt
           : c == 't' ? &opt->threshold
           : c == 'n' ? &opt->conn_max
                      : NULL;
}

static bool *flag_of(int c, struct capy_rack_local_options *opt)
{
    return c == 'e'   ? &opt->encrypt
           : c == 'o' ? &opt->offload
           : c == '6' ? &opt->ipv6_only
           : c == 'w' ? &opt->wire
                      : NULL;
}

/* Options up to the first word that is none; its index, HELPED, or -1 after a message. */
static int parse(int argc, char **argv, struct capy_rack_local_options *opt)
{
    opterr = 0;
    optind = 1;
    for (int c, at = 1; (c = getopt_long(argc, argv, "+h", known, NULL)) != -1; at = optind) {
        if (c == 'h') {
            fputs(usage, stdout);
            return HELPED;
        }
        const char **text = text_of(c, opt);
        unsigned *number = number_of(c, opt);
        bool *flag = flag_of(c, opt);
        if (text) {
            *text = optarg;
        } else if (flag) {
            *flag = true;
        } else if (!number) {
            wrong("unknown option or missing value", argv[at]);
            return -1;
        } else if (parse_cnt(optarg, number) < 0) {
            wrong("not a number up to 4194304", optarg);
            return -1;
        }
    }
    return optind;
}

/* Until Ctrl-C or SIGTERM, or the rack's end. Which signal, 0 for none. */
static int await_end(const struct capy_rack_local *local, int signals)
{
    for (;;) {
        struct pollfd p[2] = {{.fd = signals, .events = POLLIN},
                              {.fd = local->link, .events = POLLIN}};
        struct signalfd_siginfo info;
        if (poll(p, 2, -1) < 0 && errno != EINTR) {
            return 0;
        }
        if (p[0].revents && read(signals, &info, sizeof info) == (ssize_t)sizeof info) {
            return (int)info.ssi_signo;
        }
        if (p[1].revents) {
            return 0;
        }
    }
}

static void print_how(const struct capy_rack_local *local)
{
    const char *dir = local->rack.run_dir, *capy = program_invocation_name; /* to be typed again */
    char host[CAPY_ENDPOINT_TEXT_MAX];
    union capy_endpoint first;
    capy_endpoint_make(local->rack.server[0].ip, 0, &first);
    capy_rack_local_picture(&local->rack, local->client_cnt, stdout);
    printf("\nin %s: rack.conf, rack.json, logs and control sockets. From another shell:\n"
           "  %s rack exec --dir %s c1 -- curl -s http://%s/\n"
           "  %s ctl --rack %s/rack.conf servers\n"
           "Ctrl-C takes it all down.\n",
           dir, capy, dir, capy_endpoint_host(&first, host), capy, dir);
    fflush(stdout);
}

/* up and run. */
static int build(const struct capy_rack_local_options *opt)
{
    struct capy_rack_local local;
    char err[700];
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGHUP);
    sigaddset(&mask, SIGINT);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    if (opt->command) {
        sigdelset(&mask, SIGINT); /* stays blocked: Ctrl-C is for the command to act on */
    }
    int signals = signalfd(-1, &mask, SFD_CLOEXEC);
    if (capy_rack_local_start(&local, opt, err, sizeof err) < 0) {
        fprintf(stderr, "capy rack: %s\n", err);
        return EXIT_USAGE;
    }
    if (!opt->command) {
        print_how(&local);
    }
    /* A Ctrl-C from before there was a command: nobody else has seen it. */
    sigset_t pending;
    bool early = opt->command && sigpending(&pending) == 0 && sigismember(&pending, SIGINT) == 1;
    int signal = early ? SIGINT : await_end(&local, signals);
    if (signal == 0) {
        int status = capy_rack_local_wait(&local);
        return opt->command ? status : 1;
    }
    capy_rack_local_stop(&local);
    return opt->command ? 128 + signal : 0;
}

/* The verbs on a running rack. rest: what follows the options. */
static int act(const char *verb, const char *dir, int rest_cnt, char **rest)
{
    if (strcmp(verb, "status") == 0) {
        return rest_cnt == 0 ? rack_verb_status(dir) : wrong("status takes no argument", rest[0]);
    }
    if (rest_cnt < 1) {
        return wrong("which member?", verb);
    }
    if (strcmp(verb, "exec") == 0) {
        int skip = rest_cnt > 1 && strcmp(rest[1], "--") == 0 ? 2 : 1;
        return rest_cnt > skip ? rack_verb_exec(dir, rest[0], rest + skip)
                               : wrong("exec what?", rest[0]);
    }
    return rest_cnt == 1 ? rack_verb_steer(dir, verb, rest[0])
                         : wrong("one program at a time", rest[1]);
}

int capy_rack_main(int argc, char **argv)
{
    static const char *const verbs[] = {"up",   "run",     "exec",   "start", "stop",
                                        "kill", "restart", "status", NULL};
    struct capy_rack_local_options opt;
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0 || strcmp(verb, "help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    unsigned at_verb = 0;
    while (verbs[at_verb] && strcmp(verbs[at_verb], verb) != 0) {
        at_verb++;
    }
    if (!verbs[at_verb]) {
        return argc > 1 ? wrong("unknown verb", verb) : wrong("what is to be done?", NULL);
    }
    capy_rack_local_default(&opt);
    const char *inside = getenv("CAPY_RACK_DIR"); /* set for commands that a rack runs */
    if (inside && at_verb > 1) {
        opt.dir = inside;
    }
    argc--;
    argv++;
    int at = parse(argc, argv, &opt);
    if (at < 0) {
        return at == HELPED ? 0 : EXIT_USAGE;
    }
    if (at_verb > 1) {
        return act(verb, opt.dir, argc - at, argv + at);
    }
    bool dashes = at > 1 && strcmp(argv[at - 1], "--") == 0;
    if (strcmp(verb, "up") == 0) {
        return at < argc ? wrong("unexpected argument", argv[at]) : build(&opt);
    }
    opt.command = argv + at;
    return dashes && at < argc ? build(&opt) : wrong("run needs: -- COMMAND", NULL);
}
