/* `capy load`: the command line. See load.h. */
#include "apps/load/load.h"

#include "apps/common/option.h"
#include "apps/load/engine.h"
#include "apps/load/near.h"
#include <errno.h>
#include <getopt.h>
#include <string.h>

#define EXIT_USAGE 2
#define HTTP_PORT 80u

static const char usage[] =
    "usage: capy load [OPTIONS] IP[:PORT]...   connections go to the targets in turn;\n"
    "                  an IPv6 address with a port stands in brackets: [fd99::11]:80\n"
    "  --connections N   keep-alive connections (64)\n"
    "  --seconds N       how long (10); 0: until Ctrl-C or the last of --requests\n"
    "  --requests N      how many requests at most (0: no limit)\n"
    "  --rate N          requests/s, sent on time whatever the answers do (0: as fast as "
    "answered)\n"
    "  --us N            service time of a request at the server (0)\n"
    "  --bytes N         of each answer, every one compared (512)\n"
    "  --seed N          of the bytes (1)\n"
    "  --routed          also to targets behind a router; without it only to networks this\n"
    "                    machine is on, so that a mistyped address meets nobody\n"
    "  --timeout-ms N    an answer that takes longer is an error (5000)\n"
    "  --json FILE       the result, besides the text on stdout\n"
    "  --live-ms N       a line of progress in JSON on stdout every N ms, instead of text\n";

static int wrong(const char *what, const char *arg)
{
    fprintf(stderr, "capy load: %s: %s; try: capy load --help\n", what, arg);
    return EXIT_USAGE;
}

/* The numbers on the command line: where they go, in which unit, and their ranges. */
struct number {
    uint64_t *out, scale, max;
};

static int take_number(const struct number *n, const char *name, const char *text)
{
    uint64_t v;
    if (!capy_option_number(text, strlen(text), n->max, &v)) {
        fprintf(stderr, "capy load: --%s takes a number up to %llu, not %s\n", name,
                (unsigned long long)n->max, text);
        return -1;
    }
    *n->out = v * n->scale;
    return 0;
}

static int take_target(struct load_options *opt, const char *text)
{
    if (opt->target_cnt == LOAD_TARGET_MAX) {
        return wrong("too many targets", text);
    }
    if (!capy_endpoint_parse(text, HTTP_PORT, &opt->target[opt->target_cnt])) {
        return wrong("not IP[:PORT], nor [IPV6][:PORT]", text);
    }
    opt->target_cnt++;
    return 0;
}

/* A rack's addresses mean somebody else's machine outside of the rack. */
static int check_near(const struct load_options *opt)
{
    char text[CAPY_ENDPOINT_TEXT_MAX];
    for (unsigned i = 0; i < opt->target_cnt; i++) {
        if (!load_is_near(&opt->target[i])) {
            fprintf(stderr,
                    "capy load: %s is on no network of this machine; run it in the rack "
                    "(capy rack exec c1 -- capy load ...), or add --routed\n",
                    capy_endpoint_host(&opt->target[i], text));
            return -1;
        }
    }
    return 0;
}

static int parse(int argc, char **argv, struct load_options *opt, uint64_t *connections)
{
    static const struct option known[] = {
        {"connections", required_argument, NULL, 0}, {"seconds", required_argument, NULL, 1},
        {"requests", required_argument, NULL, 2},    {"rate", required_argument, NULL, 3},
        {"us", required_argument, NULL, 4},          {"bytes", required_argument, NULL, 5},
        {"seed", required_argument, NULL, 6},        {"timeout-ms", required_argument, NULL, 7},
        {"live-ms", required_argument, NULL, 8},     {"json", required_argument, NULL, 'j'},
        {"routed", no_argument, NULL, 'r'},          {NULL, 0, NULL, 0}};
    const struct number numbers[] = {{connections, 1, 50000},
                                     {&opt->duration_ns, UINT64_C(1000000000), 1000000},
                                     {&opt->request_max, 1, UINT64_C(1) << 48},
                                     {&opt->rate, 1, 100000000},
                                     {&opt->service_us, 1, 1000000},
                                     {&opt->bytes, 1, UINT64_C(1) << 40},
                                     {&opt->seed, 1, UINT64_C(1) << 48},
                                     {&opt->timeout_ns, 1000000, 3600000},
                                     {&opt->live_ns, 1000000, 3600000}};
    opterr = 0;
    optind = 1;
    for (int c, idx = 0, at = 1; (c = getopt_long(argc, argv, "", known, &idx)) != -1;
         at = optind) {
        if (c == 'j') {
            opt->json = optarg;
        } else if (c == 'r') {
            opt->routed = true;
        } else if (c == '?') {
            return wrong("unknown option or missing value", argv[at]);
        } else if (take_number(&numbers[c], known[idx].name, optarg) < 0) {
            return EXIT_USAGE;
        }
    }
    for (int i = optind; i < argc; i++) {
        if (take_target(opt, argv[i]) != 0) {
            return EXIT_USAGE;
        }
    }
    if (opt->target_cnt == 0) {
        return wrong("which target?", "IP[:PORT] is missing");
    }
    if (!opt->routed && check_near(opt) != 0) {
        return EXIT_USAGE;
    }
    return *connections > 0 ? 0 : wrong("not a count", "--connections 0");
}

int capy_load_main(int argc, char **argv)
{
    static struct load_options opt; /* both large */
    static struct load_result result;
    char err[200];
    uint64_t connections = 64;
    opt = (struct load_options){.duration_ns = UINT64_C(10000000000),
                                .bytes = 512,
                                .seed = 1,
                                .timeout_ns = UINT64_C(5000000000)};
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        return 0;
    }
    if (parse(argc, argv, &opt, &connections) != 0) {
        return EXIT_USAGE;
    }
    opt.connection_cnt = (uint32_t)connections;
    if (load_run(&opt, &result, err, sizeof err) < 0) {
        fprintf(stderr, "capy load: %s\n", err);
        return 1;
    }
    if (!opt.live_ns) {
        load_print(&opt, &result, stdout);
    }
    if (opt.json && load_write_json(&opt, &result) < 0) {
        fprintf(stderr, "capy load: %s: %s\n", opt.json, strerror(errno));
        return 1;
    }
    int status = result.requests > 0 && load_errors(&result) == 0 ? 0 : 1;
    capy_series_free(&result.latency_ns);
    return status;
}
