/* `capy ctl`: its command line. What the words do is in show.c and move.c. */
#include "apps/ctl/ctl.h"
#include "apps/common/option.h"
#include "apps/ctl/move.h"
#include "apps/ctl/show.h"
#include "apps/ctl/trigger.h"
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RACK_HERE "out/rack/rack.conf" /* what `capy rack up` writes */
#define RACK_INSTALLED "/etc/capy/rack.conf"

static const char usage[] =
    "usage: capy ctl [--rack FILE] [--json] COMMAND\n"
    "\n"
    "Shows and steers a running rack.\n"
    "\n"
    "  servers                        state, load and connections of each server\n"
    "  watch                          the same, every second\n"
    "  connections [SERVER]           each connection: who owns it, where its home is\n"
    "  migrate CLIENT [TARGET]        move one connection, to TARGET or where the switch says;\n"
    "                                 CLIENT is ADDRESS:PORT as in `connections`\n"
    "  migrate -n N [--from SERVER] [--to SERVER]\n"
    "                                 move N connections\n"
    "  drain SERVER [--wait]          move all connections away, and take no new ones in;\n"
    "                                 --wait: report until none is left\n"
    "  undrain SERVER                 end that\n"
    "  trigger                        what each server's trigger does about its load, and why\n"
    "  decisions [SERVER]             the last of its decisions, one JSON object a line\n"
    "  counters [SERVER|switch]       everything that is counted, zeros left out\n"
    "  entries                        the switch's directory: flows away from home\n"
    "  ports                          the switch's ports and their drivers\n"
    "  fault PORT|all KEY=VALUE ...   lose, repeat, delay frames at the switch: loss_ppm, "
    "dup_ppm,\n"
    "                                 reorder_ppm, delay_us, jitter_us, rate and queue (a\n"
    "                                 narrow line out), seed, drop_type, drop_cnt\n"
    "  fault PORT|all clear           stop that\n"
    "\n"
    "  --rack FILE   the rack file (" RACK_HERE " if it is there, else " RACK_INSTALLED ")\n"
    "  --json        one line of JSON, for programs\n"
    "\n"
    "Examples:\n"
    "  capy ctl servers\n"
    "  capy ctl migrate 10.99.0.101:45678 s2      this connection to server s2\n"
    "  capy ctl migrate '[fd99::101]:45678' s2    the same of an IPv6 client\n"
    "  capy ctl migrate -n 100 --from s1          a hundred, where there is least load\n"
    "  capy ctl drain s1 --wait && systemctl restart capy@s1\n"
    "  capy ctl fault all loss_ppm=10000          one frame of a hundred is lost\n"
    "  capy ctl --json connections | jq '.connections[] | select(.epoch > 0)'\n";

enum { OPT_WAIT = 1, OPT_FROM = 2, OPT_TO = 4, OPT_COUNT = 8 };

static const struct command {
    const char *name;
    int (*run)(const struct ctl *ctl, int argc, char **argv);
    int args_min, args_max;
    unsigned options;  /* that it takes */
    const char *takes; /* for error lines */
} commands[] = {
    {"servers", ctl_servers, 0, 0, 0, "no argument"},
    {"status", ctl_servers, 0, 0, 0, "no argument"}, /* what people try first */
    {"watch", ctl_watch, 0, 0, 0, "no argument"},
    {"connections", ctl_connections, 0, 1, 0, "[SERVER]"},
    {"migrate", ctl_migrate, 0, 2, OPT_FROM | OPT_TO | OPT_COUNT,
     "CLIENT [TARGET], or -n N [--from SERVER] [--to SERVER]"},
    {"drain", ctl_drain, 1, 1, OPT_WAIT, "SERVER [--wait]"},
    {"undrain", ctl_undrain, 1, 1, 0, "SERVER"},
    {"trigger", ctl_trigger, 0, 0, 0, "no argument"},
    {"decisions", ctl_decisions, 0, 1, 0, "[SERVER]"},
    {"counters", ctl_counters, 0, 1, 0, "[SERVER|switch]"},
    {"entries", ctl_entries, 0, 0, 0, "no argument"},
    {"ports", ctl_ports, 0, 0, 0, "no argument"},
    {"fault", ctl_fault, 2, 16, 0, "PORT|all KEY=VALUE ..., or PORT|all clear"},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* Takes the options out of argv, wherever they are. -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct ctl *ctl, const char **rack_file, unsigned *given)
{
    static const struct option known[] = {
        {"rack", required_argument, NULL, 'r'}, {"json", no_argument, NULL, 'j'},
        {"wait", no_argument, NULL, 'w'},       {"from", required_argument, NULL, 'f'},
        {"to", required_argument, NULL, 't'},   {"count", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0}};
    opterr = 0;
    optind = 0; /* glibc: start anew, other subcommands may have parsed before */
    for (int c; (c = getopt_long(argc, argv, "n:h", known, NULL)) != -1;) {
        switch (c) {
        case 'r':
            *rack_file = optarg;
            break;
        case 'j':
            ctl->json = true;
            break;
        case 'w':
            ctl->wait = true;
            *given |= OPT_WAIT;
            break;
        case 'f':
            ctl->from = optarg;
            *given |= OPT_FROM;
            break;
        case 't':
            ctl->to = optarg;
            *given |= OPT_TO;
            break;
        case 'n':
            *given |= OPT_COUNT;
            if (!capy_option_number(optarg, strlen(optarg), UINT32_MAX, &ctl->count) ||
                ctl->count == 0)
                return ctl_fail(CTL_EXIT_USAGE, "-n %s: give a whole number from 1 on", optarg);
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            return ctl_fail(CTL_EXIT_USAGE,
                            "%s: unknown option, or its value is missing; try: capy "
                            "ctl --help",
                            argv[optind - 1]);
        }
    }
    return -1;
}

int capy_ctl_main(int argc, char **argv)
{
    static struct ctl ctl;
    const char *rack_file = access(RACK_HERE, F_OK) == 0 ? RACK_HERE : RACK_INSTALLED;
    unsigned given = 0;
    char err[512];
    ctl = (struct ctl){0};
    int status = parse(argc, argv, &ctl, &rack_file, &given);
    if (status >= 0)
        return status;
    if (optind == argc) {
        fputs(usage, stderr);
        return CTL_EXIT_USAGE;
    }
    const struct command *command = find_command(argv[optind]);
    if (!command)
        return ctl_fail(CTL_EXIT_USAGE, "unknown command \"%s\"; try: capy ctl --help",
                        argv[optind]);
    int words = argc - optind - 1;
    if (words < command->args_min || words > command->args_max || (given & ~command->options) != 0)
        return ctl_fail(CTL_EXIT_USAGE, "%s takes %s; try: capy ctl --help", command->name,
                        command->takes);
    if (capy_rack_read(rack_file, &ctl.rack, err, sizeof err) != CAPY_OK)
        return ctl_fail(CTL_EXIT_USAGE, "%s", err);
    return command->run(&ctl, words, argv + optind + 1);
}
