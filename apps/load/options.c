/* The command line of `capy load`. See options.h. */
#include "apps/load/options.h"

#include "apps/common/arguments.h"
#include "apps/common/option.h"
#include "apps/load/near.h"
#include "apps/load/quantity.h"
#include "apps/load/schedule.h"
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define HTTP_PORT 80u
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
#define MS_MAX UINT64_C(3600000)
#define INTERVAL_DEFAULT_NS (10 * NS_PER_MS) /* of a CSV file's rows */

static const char usage[] =
    "usage: capy load [OPTIONS] IP[:PORT]...   HTTP load that checks every byte of every answer;\n"
    "                  connections go to the targets in turn; [fd99::11]:80 is IPv6\n"
    "From\n"
    "  --kernel          the kernel's sockets (so it is without --device)\n"
    "  --device DEV      libcapy's own TCP; the device's frames are ours meanwhile\n"
    "    --address IP/LEN  under this address (that of the device), --gateway IP, --driver NAME,\n"
    "    --capture FILE    every frame to a pcapng file\n"
    "  --connections N   keep-alive connections (64)\n"
    "  --routed          also to targets behind a router; without it only to networks this\n"
    "                    machine is on, so that a mistyped address meets nobody\n"
    "When\n"
    "  --rate N          requests/s (10k, 1.5M), sent on time whatever the answers do; without it\n"
    "                    each connection asks as soon as it was answered\n"
    "  --arrivals HOW    poisson (so it is), constant, or bursty:PERIOD:FACTOR: FACTOR times the\n"
    "                    rate for 1/FACTOR of each PERIOD, then nothing until its end\n"
    "  --skew HOW        whose a request is: free, whichever connection waits for none (so it "
    "is),\n"
    "                    or, free or not, uniform, or zipf:S, the k-th connection's share 1/k^S\n"
    "  --weights A,B...  the targets' shares of the requests, times the skew's\n"
    "  --shift T:WHAT    T after the warm-up: rate=2x, rate=50k, weights=1,8,1, or rotate=N, the\n"
    "                    ranks of --skew move on by N connections; as often as needed\n"
    "  --sweep A..B/STEP one run after another, at rates A, A+STEP, ... B\n"
    "  --warm-up T       load that is not measured, before the time begins (0s)\n"
    "  --seconds N       how long (10); 0: until Ctrl-C or the last of --requests. Ctrl-C ends it\n"
    "                    in any case, with the report; another one does not wait for answers\n"
    "  --requests N      how many requests at most (0: no limit)\n"
    "What\n"
    "  --us N            service time of a request at the server (0)\n"
    "  --bytes N         of each answer (512)\n"
    "  --seed N          of bytes, arrivals and skew (1)\n"
    "  --timeout-ms N    an answer that takes longer is an error (5000)\n"
    "Result, beside the text on stdout\n"
    "  --json FILE       everything; --interval T adds a series of intervals so long\n"
    "  --csv FILE        that series (10ms); of a sweep a row per rate\n"
    "  --marks PATH      migrations, to go with the series: a rack's directory (out/rack), a\n"
    "                    server's control socket, or a file of JSON lines with at_ns\n"
    "  --live-ms N       a line of progress in JSON on stdout every N ms and at the end, instead\n"
    "                    of text\n";

enum { CONNECTIONS = 1, REQUESTS, US, BYTES, SEED, TIMEOUT, LIVE }; /* plain numbers */
enum { RATE = 32, ARRIVALS, SKEW, WEIGHTS, SHIFT, SWEEP, WARM_UP, SECONDS, INTERVAL, MARKS };
enum { KERNEL = 64, ROUTED, DEVICE, ADDRESS, GATEWAY, DRIVER, CAPTURE, JSON, CSV, HELP };

static const struct option known[] = {{"connections", required_argument, NULL, CONNECTIONS},
                                      {"requests", required_argument, NULL, REQUESTS},
                                      {"us", required_argument, NULL, US},
                                      {"bytes", required_argument, NULL, BYTES},
                                      {"seed", required_argument, NULL, SEED},
                                      {"timeout-ms", required_argument, NULL, TIMEOUT},
                                      {"live-ms", required_argument, NULL, LIVE},
                                      {"rate", required_argument, NULL, RATE},
                                      {"arrivals", required_argument, NULL, ARRIVALS},
                                      {"skew", required_argument, NULL, SKEW},
                                      {"weights", required_argument, NULL, WEIGHTS},
                                      {"shift", required_argument, NULL, SHIFT},
                                      {"sweep", required_argument, NULL, SWEEP},
                                      {"warm-up", required_argument, NULL, WARM_UP},
                                      {"seconds", required_argument, NULL, SECONDS},
                                      {"interval", required_argument, NULL, INTERVAL},
                                      {"marks", required_argument, NULL, MARKS},
                                      {"kernel", no_argument, NULL, KERNEL},
                                      {"routed", no_argument, NULL, ROUTED},
                                      {"device", required_argument, NULL, DEVICE},
                                      {"address", required_argument, NULL, ADDRESS},
                                      {"gateway", required_argument, NULL, GATEWAY},
                                      {"driver", required_argument, NULL, DRIVER},
                                      {"capture", required_argument, NULL, CAPTURE},
                                      {"json", required_argument, NULL, JSON},
                                      {"csv", required_argument, NULL, CSV},
                                      {"help", no_argument, NULL, HELP},
                                      {NULL, 0, NULL, 0}};

static int wrong(const char *what, const char *remedy)
{
    (void)capy_arguments_wrong("load", what, remedy);
    return -1;
}

/* The plain numbers: where they go, in which unit, and their range. */
struct number {
    const char *name;
    uint64_t *out, scale, min, max;
};

static int take_number(struct load_options *opt, int c, const char *text)
{
    uint64_t connections = opt->connection_cnt, v;
    const struct number numbers[] = {
        [CONNECTIONS] = {"--connections", &connections, 1, 1, LOAD_CONNECTION_MAX},
        [REQUESTS] = {"--requests", &opt->request_max, 1, 0, UINT64_C(1) << 48},
        [US] = {"--us", &opt->service_us, 1, 0, 1000000},
        [BYTES] = {"--bytes", &opt->bytes, 1, 0, UINT64_C(1) << 40},
        [SEED] = {"--seed", &opt->seed, 1, 0, UINT64_C(1) << 48},
        [TIMEOUT] = {"--timeout-ms", &opt->timeout_ns, NS_PER_MS, 1, MS_MAX},
        [LIVE] = {"--live-ms", &opt->live_ns, NS_PER_MS, 0, MS_MAX},
    };
    const struct number *n = &numbers[c];
    if (!load_quantity_count(text, strlen(text), n->max, &v) || v < n->min) {
        fprintf(stderr, "capy load: %s takes a number from %llu to %llu, not %s\n", n->name,
                (unsigned long long)n->min, (unsigned long long)n->max, text);
        return -1;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): c is one of those above */
    *n->out = v * n->scale;
    opt->connection_cnt = (uint32_t)connections;
    return 0;
}

static int take_time(const char *text, uint64_t *ns)
{
    return load_quantity_time(text, strlen(text), LOAD_DURATION_MAX_NS, ns)
               ? 0
               : wrong(text, " is no time; write 500us, 10ms, 2.5s");
}

static int take_seconds(struct load_options *opt, const char *text)
{
    uint64_t milli;
    if (!load_quantity_milli(text, strlen(text), LOAD_DURATION_MAX_NS / NS_PER_MS, &milli))
        return wrong(text, " is no number of seconds; write 10, 0.5");
    opt->duration_ns = milli * NS_PER_MS;
    return 0;
}

static int take_marks(struct load_options *opt, const char *path)
{
    if (opt->marks_cnt == LOAD_MARKS_MAX)
        return wrong(path, ": too many --marks");
    opt->marks[opt->marks_cnt++] = path;
    return 0;
}

static int take_timing(struct load_options *opt, int c, const char *text)
{
    switch (c) {
    case RATE:
        return load_schedule_rate(opt, text);
    case ARRIVALS:
        return load_schedule_arrivals(opt, text);
    case SKEW:
        return load_schedule_skew(opt, text);
    case WEIGHTS:
        return load_schedule_weights(opt, text);
    case SHIFT:
        return load_schedule_shift(opt, text);
    case SWEEP:
        return load_schedule_sweep(opt, text);
    case WARM_UP:
        return take_time(text, &opt->warm_up_ns);
    case SECONDS:
        return take_seconds(opt, text);
    case INTERVAL:
        if (take_time(text, &opt->interval_ns) < 0)
            return -1;
        return opt->interval_ns >= NS_PER_MS ? 0 : wrong(text, ": --interval is 1ms or longer");
    default:
        return take_marks(opt, text);
    }
}

static int take_option(struct load_options *opt, int c, const char *text)
{
    const char **place = c == DEVICE    ? &opt->own.device
                         : c == ADDRESS ? &opt->own.address
                         : c == GATEWAY ? &opt->own.gateway
                         : c == DRIVER  ? &opt->own.driver
                         : c == CAPTURE ? &opt->own.capture
                         : c == JSON    ? &opt->json
                         : c == CSV     ? &opt->csv
                                        : NULL;
    if (place) {
        *place = text;
        return 0;
    }
    if (c == KERNEL)
        opt->kernel = true;
    else if (c == ROUTED)
        opt->routed = true;
    else
        return c >= RATE ? take_timing(opt, c, text) : take_number(opt, c, text);
    return 0;
}

static int take_target(struct load_options *opt, const char *text)
{
    if (opt->target_cnt == LOAD_TARGET_MAX)
        return wrong(text, ": too many targets");
    if (!capy_endpoint_parse(text, HTTP_PORT, &opt->target[opt->target_cnt]))
        return wrong(text, ": not IP[:PORT], nor [IPV6][:PORT]");
    opt->target_cnt++;
    return 0;
}

/* A rack's addresses mean somebody else's machine outside of the rack. */
static int check_near(const struct load_options *opt)
{
    char text[CAPY_ENDPOINT_TEXT_MAX];
    for (unsigned i = 0; i < opt->target_cnt && !opt->routed; i++) {
        const union capy_endpoint *to = &opt->target[i];
        if (opt->own.device ? load_is_in(to, opt->own.address) : load_is_near(to))
            continue;
        fprintf(stderr,
                "capy load: %s is on no network of this machine; run it in the rack "
                "(capy rack exec c1 -- capy load ...), or add --routed\n",
                capy_endpoint_host(to, text));
        return -1;
    }
    return 0;
}

/* On libcapy's own TCP: from which address? */
static int check_own(struct load_options *opt)
{
    const struct capy_options *own = &opt->own;
    if (!own->device)
        return own->address || own->gateway || own->driver || own->capture
                   ? wrong("--address, --gateway, --driver, --capture", " need --device")
                   : 0;
    if (opt->kernel)
        return wrong("--kernel and --device", " exclude each other");
    bool made =
        own->driver && strcmp(own->driver, "tap") == 0; /* by the driver, when it is not there */
    if (!made && if_nametoindex(own->device) == 0)
        return wrong(own->device, ": no such interface here; ip link shows which there are");
    if (!own->address && !load_device_address(own->device, &opt->target[0], opt->own_address))
        return wrong(own->device, " has no address of the target's kind; add --address IP/LEN");
    if (!own->address)
        opt->own.address = opt->own_address;
    return 0;
}

static int check(struct load_options *opt)
{
    if (opt->target_cnt == 0)
        return wrong("which target?", " IP[:PORT] is missing");
    if (load_schedule_check(opt) < 0 || check_own(opt) < 0 || check_near(opt) < 0)
        return -1;
    if (opt->csv && opt->sweep_step == 0 && opt->interval_ns == 0)
        opt->interval_ns = INTERVAL_DEFAULT_NS;
    if (opt->marks_cnt > 0 && opt->interval_ns == 0)
        return wrong("--marks", " go with a series: add --interval 10ms, or --csv FILE");
    return 0;
}

int load_options_parse(struct load_options *opt, int argc, char **argv)
{
    int c;
    *opt = (struct load_options){.connection_cnt = 64,
                                 .duration_ns = 10 * NS_PER_S,
                                 .bytes = 512,
                                 .seed = 1,
                                 .timeout_ns = 5 * NS_PER_S,
                                 .process = {.poisson = true}};
    load_schedule_begin(opt);
    capy_arguments_begin();
    while ((c = capy_arguments_next(argc, argv, "load", known)) != CAPY_ARGUMENT_END) {
        if (c == HELP) {
            fputs(usage, stdout);
            return 1;
        }
        if (c == CAPY_ARGUMENT_WRONG || take_option(opt, c, optarg) < 0)
            return -1;
    }
    for (int i = optind; i < argc; i++)
        if (take_target(opt, argv[i]) < 0)
            return -1;
    return check(opt);
}
