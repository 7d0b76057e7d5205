/* `capy replay`: options -> one call of src/replay. */
#include "apps/replay/command.h"
#include "apps/common/arguments.h"
#include "apps/common/option.h"
#include "replay/replay.h"
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: capy replay FILE [options]\n"
    "\n"
    "Runs a recording again (--record of capy httpd, get, switch, rack, demo; capy_options.record "
    "of\n"
    "a program on libcapy): the same frames, calls and times go into the same stack, and every "
    "frame\n"
    "and result that comes out is compared with what came out then. Needs no privileges and no "
    "rack.\n"
    "\n"
    "  --until TIME     stop there: 2, 1.5s, 250ms, 80us, 12ns since the recording began\n"
    "  --event N        stop behind event N (they are counted from 1)\n"
    "  --frame N        stop behind the Nth frame sent\n"
    "  --connections    print the connections (of a switch: its directory) where it stops\n"
    "  --print          print every event: number, time, call, arguments, result\n"
    "  --pcap FILE      write the frames, both ways, to a pcapng file\n"
    "\n"
    "Exit status: 0 all identical; 1 not, and it says where; 2 it cannot be replayed.\n"
    "\n"
    "Examples:\n"
    "  capy replay s1.capyrec\n"
    "  capy replay s1.capyrec --until 1.25 --connections\n"
    "  capy replay s1.capyrec --event 5000 --print | tail\n"
    "  capy replay s1.capyrec --pcap s1.pcapng && tshark -r s1.pcapng\n";

enum option_name { UNTIL = 1, EVENT, FRAME, CONNECTIONS, PRINT, PCAP, HELP };

static const struct option known[] = {
    {"until", required_argument, NULL, UNTIL}, {"event", required_argument, NULL, EVENT},
    {"frame", required_argument, NULL, FRAME}, {"connections", no_argument, NULL, CONNECTIONS},
    {"print", no_argument, NULL, PRINT},       {"pcap", required_argument, NULL, PCAP},
    {"help", no_argument, NULL, HELP},         {NULL, 0, NULL, 0}};

/* One line that names the remedy. */
static int wrong(const char *what, const char *remedy)
{
    return capy_arguments_wrong("replay", what, remedy);
}

/* "1.5s", "250ms", "80us", "12ns", or seconds alone, in nanoseconds. */
static bool read_time(const char *text, uint64_t *ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}};
    char *end;
    double value = strtod(text, &end);
    if (end == text || !(value >= 0) || text[0] == '-' || text[0] == ' ')
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].name) == 0 && value * units[i].ns < 9e18) {
            *ns = (uint64_t)(value * units[i].ns + 0.5);
            return true;
        }
    }
    return false;
}

static int number(const char *name, uint64_t *out)
{
    if (capy_option_number(optarg, strlen(optarg), UINT64_MAX, out) && *out > 0)
        return 0;
    fprintf(stderr, "capy replay: --%s %s: give a whole number from 1 on\n", name, optarg);
    return CAPY_EXIT_USAGE;
}

static int take_option(enum option_name name, struct capy_replay_options *o)
{
    switch (name) {
    case UNTIL:
        o->until_given = true;
        return read_time(optarg, &o->until_ns)
                   ? 0
                   : wrong(optarg, " is no time: write 1.5s, 250ms, 80us or 12ns");
    case EVENT:
        return number("event", &o->event);
    case FRAME:
        return number("frame", &o->frame);
    case CONNECTIONS:
        o->connections = true;
        return 0;
    case PRINT:
        o->print = true;
        return 0;
    case PCAP:
        o->pcap = optarg;
        return 0;
    case HELP:
        break;
    }
    return CAPY_EXIT_USAGE;
}

/* 0: go on; CAPY_EXIT_USAGE: said what is wrong; -1: help was printed. */
static int parse(int argc, char **argv, struct capy_replay_options *o)
{
    capy_arguments_begin();
    for (int c; (c = capy_arguments_next(argc, argv, "replay", known)) != CAPY_ARGUMENT_END;) {
        if (c == HELP) {
            fputs(help, stdout);
            return -1;
        }
        if (c == CAPY_ARGUMENT_WRONG)
            return CAPY_EXIT_USAGE;
        int result = take_option((enum option_name)c, o);
        if (result != 0)
            return result;
    }
    if (optind == argc)
        return wrong("name a recording", ": capy replay FILE");
    if (optind + 1 < argc)
        return wrong(argv[optind + 1], ": one recording at a time");
    o->file = argv[optind];
    return 0;
}

int capy_replay_main(int argc, char **argv)
{
    struct capy_replay_options opt = {.out = stdout};
    char err[512];

    int result = parse(argc, argv, &opt);
    if (result != 0)
        return result < 0 ? EXIT_SUCCESS : result;
    int status = capy_replay(&opt, err, sizeof err);
    if (status == CAPY_OK || status == CAPY_E_STATE)
        return status == CAPY_OK ? EXIT_SUCCESS : EXIT_FAILURE;
    fprintf(stderr, "capy replay: %s\n", err);
    return CAPY_EXIT_USAGE;
}
