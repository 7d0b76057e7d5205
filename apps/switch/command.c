/* `capy switch`: options -> one call of switch/user. */
#include "apps/switch/command.h"
#include "apps/common/arguments.h"
#include "apps/common/option.h"
#include "capy/error.h"
#include "switch/user/switch.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_MIB_MAX (1u << 30)
static const char help[] =
    "usage: capy switch --rack FILE [options]\n"
    "\n"
    "The switch of a rack: it forwards between the ports that the rack file names, steers the "
    "packets\n"
    "of migrated connections, and decides who owns each of them.\n"
    "\n"
    "  --rack FILE       the rack file\n"
    "  --driver NAME     auto, af_xdp or tap, instead of what the rack file says\n"
    "  --plane NAME      user: in this process (the default); xdp: in the kernel, where it goes "
    "on\n"
    "                    when this process ends, and is taken over by the next one\n"
    "  --xdp-mode NAME   auto, native or generic XDP\n"
    "  --remove          take a plane that was left in the kernel off its devices\n"
    "  --wire            no switch, but the cables of capy rack --wire: from each port's device to "
    "the\n"
    "                    one with -up behind its name, and back, with faults and captures\n"
    "  --capture DIR     write each port's frames to DIR/<device>.pcapng\n"
    "  --record FILE     record all that goes into the switch, for capy replay; it holds keys\n"
    "  --record-mib N    end the recording at this size\n"
    "  --record-frames   keep frames sent whole, and not only their hash\n"
    "\n"
    "Faults, for tests; of the frames that enter, repeatable by seed:\n"
    "  --fault-port NAME only at this port (device or server); else at every port\n"
    "  --loss-ppm N      lose N in a million           --delay-us N   delay by N microseconds\n"
    "  --dup-ppm N       deliver N in a million twice  --jitter-us N  ... and up to N more\n"
    "  --reorder-ppm N   let others go ahead of N      --seed N\n"
    "\n"
    "Examples:\n"
    "  capy switch --rack rack.conf\n"
    "  capy switch --rack rack.conf --loss-ppm 10000 --reorder-ppm 10000 --seed 7\n"
    "  capy switch --rack rack.conf --plane xdp\n"
    "  capy ctl --rack rack.conf ports        what goes in and out\n";

enum option_name {
    RACK = 1,
    DRIVER,
    PLANE,
    XDP_MODE,
    REMOVE,
    WIRE,
    CAPTURE,
    RECORD,
    RECORD_MIB,
    RECORD_FRAMES,
    FAULT_PORT,
    LOSS,
    DUP,
    REORDER,
    DELAY,
    JITTER,
    SEED,
    HELP
};

static const struct option known[] = {{"rack", required_argument, NULL, RACK},
                                      {"driver", required_argument, NULL, DRIVER},
                                      {"plane", required_argument, NULL, PLANE},
                                      {"xdp-mode", required_argument, NULL, XDP_MODE},
                                      {"remove", no_argument, NULL, REMOVE},
                                      {"wire", no_argument, NULL, WIRE},
                                      {"capture", required_argument, NULL, CAPTURE},
                                      {"record", required_argument, NULL, RECORD},
                                      {"record-mib", required_argument, NULL, RECORD_MIB},
                                      {"record-frames", no_argument, NULL, RECORD_FRAMES},
                                      {"fault-port", required_argument, NULL, FAULT_PORT},
                                      {"loss-ppm", required_argument, NULL, LOSS},
                                      {"dup-ppm", required_argument, NULL, DUP},
                                      {"reorder-ppm", required_argument, NULL, REORDER},
                                      {"delay-us", required_argument, NULL, DELAY},
                                      {"jitter-us", required_argument, NULL, JITTER},
                                      {"seed", required_argument, NULL, SEED},
                                      {"help", no_argument, NULL, HELP},
                                      {NULL, 0, NULL, 0}};

/* One line that names the remedy. */
static int wrong(const char *what, const char *remedy)
{
    return capy_arguments_wrong("switch", what, remedy);
}

static int number(const char *name, uint64_t max, uint64_t *out)
{
    if (capy_option_number(optarg, strlen(optarg), max, out))
        return 0;
    fprintf(stderr, "capy switch: --%s %s: give a whole number from 0 to %llu\n", name, optarg,
            (unsigned long long)max);
    return CAPY_EXIT_USAGE;
}

static int number32(const char *name, uint64_t max, uint32_t *out)
{
    uint64_t value = 0;
    int result = number(name, max, &value);
    *out = (uint32_t)value;
    return result;
}

/* 0 when text is one of the names. */
static int one_of(const char *option, const char *text, const char *const *names)
{
    for (const char *const *name = names; *name; name++)
        if (strcmp(*name, text) == 0)
            return 0;
    fprintf(stderr, "capy switch: %s %s: give %s", option, text, names[0]);
    for (const char *const *name = names + 1; *name; name++)
        fprintf(stderr, " or %s", *name);
    fputc('\n', stderr);
    return CAPY_EXIT_USAGE;
}

static int take_option(enum option_name name, struct capy_switch_run *run, bool *remove_it)
{
    struct capy_fault_cfg *fault = &run->fault;
    switch (name) {
    case RACK:
        run->rack_file = optarg;
        return 0;
    case DRIVER:
        run->driver = optarg;
        return 0;
    case PLANE:
        run->plane = optarg;
        return one_of("--plane", optarg, (const char *const[]){"user", "xdp", NULL});
    case XDP_MODE:
        run->xdp_mode = optarg;
        return one_of("--xdp-mode", optarg,
                      (const char *const[]){"auto", "native", "generic", NULL});
    case REMOVE:
        *remove_it = true;
        return 0;
    case WIRE:
        run->wire = true;
        return 0;
    case CAPTURE:
        run->capture_dir = optarg;
        return 0;
    case RECORD:
        run->record = optarg;
        return 0;
    case RECORD_MIB:
        return number("record-mib", RECORD_MIB_MAX, &run->record_mib);
    case RECORD_FRAMES:
        run->record_frames = true;
        return 0;
    case FAULT_PORT:
        run->fault_port = optarg;
        return 0;
    case LOSS:
        return number32("loss-ppm", CAPY_FAULT_PPM_MAX, &fault->loss_ppm);
    case DUP:
        return number32("dup-ppm", CAPY_FAULT_PPM_MAX, &fault->dup_ppm);
    case REORDER:
        return number32("reorder-ppm", CAPY_FAULT_PPM_MAX, &fault->reorder_ppm);
    case DELAY:
        return number32("delay-us", CAPY_FAULT_DELAY_MAX_US, &fault->delay_us);
    case JITTER:
        return number32("jitter-us", CAPY_FAULT_DELAY_MAX_US, &fault->jitter_us);
    case SEED:
        return number("seed", UINT64_MAX, &fault->seed);
    case HELP:
        break;
    }
    return CAPY_EXIT_USAGE;
}

/* 0: go on; CAPY_EXIT_USAGE: said what is wrong; -1: help was printed. */
static int parse(int argc, char **argv, struct capy_switch_run *run, bool *remove_it)
{
    capy_arguments_begin();
    for (int c; (c = capy_arguments_next(argc, argv, "switch", known)) != CAPY_ARGUMENT_END;) {
        if (c == HELP) {
            fputs(help, stdout);
            return -1;
        }
        if (c == CAPY_ARGUMENT_WRONG)
            return CAPY_EXIT_USAGE;
        int result = take_option((enum option_name)c, run, remove_it);
        if (result != 0)
            return result;
    }
    if (optind < argc)
        return wrong(argv[optind], ": options only");
    if (!run->rack_file)
        return wrong("name the rack file", ": --rack FILE");
    if (run->xdp_mode && (run->wire || !run->plane || strcmp(run->plane, "xdp") != 0))
        return wrong("--xdp-mode", ": is for --plane xdp");
    return 0;
}

int capy_switch_main(int argc, char **argv)
{
    struct capy_switch_run run = {.log = stdout};
    char err[512];
    bool remove_it = false;

    int result = parse(argc, argv, &run, &remove_it);
    if (result != 0)
        return result < 0 ? EXIT_SUCCESS : result;
    int status = remove_it ? capy_switch_main_remove(run.rack_file, err, sizeof err)
                           : capy_switch_main_run(&run, err, sizeof err);
    if (status == CAPY_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "capy switch: %s\n", err);
    return CAPY_EXIT_USAGE;
}
