/* `capy get`: the command line and the report. See get.h. */
#include "apps/get/get.h"

#include "apps/common/option.h"
#include "apps/get/run.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <sodium/core.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define HTTP_PORT 80
#define RECORD_MIB_MAX (1u << 30)

static const char usage[] =
    "usage: capy get HOST [OPTIONS] IP[:PORT]/PATH    an HTTP client on libcapy's own TCP\n"
    "HOST: --rack FILE --server NAME       as this server of a rack; its transfers can move\n"
    "   or --device DEV --address IP/LEN [--gateway IP]    as a host in no rack; the device's\n"
    "                                      frames are ours meanwhile\n"
    "  --put FILE        PUT a file; --post FILE likewise\n"
    "  --send BYTES      PUT so many bytes of a pattern\n"
    "  --output FILE     write the bodies of answers there, - for stdout\n"
    "  --connections N   at once (1)\n"
    "  --repeat N        requests on each, one after the other (1)\n"
    "  --arrivals N      also finish N transfers that other servers of the rack began and that\n"
    "                    move here; without IP/PATH only these\n"
    "  --timeout-ms N    an answer that takes longer is an error (60000)\n"
    "  --no-hash         no SHA-256 of what came\n"
    "  --driver NAME     auto, af_xdp or tap\n"
    "  --capture FILE    every frame to a pcapng file\n"
    "  --record FILE     record all that goes in, for capy replay; --record-mib N: up to this "
    "size;\n"
    "                    --record-frames: frames sent whole, not only their hash\n"
    "  --json FILE       the result as JSON instead of text on stdout; - for stdout\n";

static int wrong(const char *what, const char *arg)
{
    fprintf(stderr, "capy get: %s: %s; try: capy get --help\n", what, arg);
    return EXIT_USAGE;
}

/* Reads [http://]IP[:PORT][/PATH]. */
static int take_target(struct get_options *opt, const char *text)
{
    static const char scheme[] = "http://";
    const char *host = strncmp(text, scheme, sizeof scheme - 1) ? text : text + sizeof scheme - 1;
    const char *path = strchr(host, '/');
    size_t host_len = path ? (size_t)(path - host) : strlen(host);
    struct get_transfer *t = &opt->request;
    if (host_len >= sizeof t->host || (path && strlen(path) >= sizeof t->path))
        return wrong("too long", text);
    memcpy(t->host, host, host_len);
    t->host[host_len] = 0;
    snprintf(t->path, sizeof t->path, "%s", path ? path : "/");
    if (capy_address_parse(t->host, HTTP_PORT, &opt->target) != CAPY_OK)
        return wrong("not IP[:PORT]/PATH", text);
    return 0;
}

static int take_file(struct get_options *opt, const char *method, const char *path)
{
    struct stat st;
    opt->files.in = open(path, O_RDONLY | O_CLOEXEC);
    if (opt->files.in < 0 || fstat(opt->files.in, &st) < 0 || !S_ISREG(st.st_mode) ||
        st.st_size == 0)
        return wrong("not a file with something in it", path);
    snprintf(opt->request.method, sizeof opt->request.method, "%s", method);
    opt->request.send_len = (uint64_t)st.st_size;
    opt->request.from_file = true;
    return 0;
}

static int take_output(struct get_options *opt, const char *path)
{
    opt->files.out = strcmp(path, "-") == 0
                         ? STDOUT_FILENO
                         : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    return opt->files.out >= 0 ? 0 : wrong(strerror(errno), path);
}

enum { PUT = 1, POST, SEND, OUTPUT, CONNECTIONS, REPEAT, ARRIVALS, TIMEOUT, NO_HASH };
enum {
    RACK = 32,
    SERVER,
    DEVICE,
    ADDRESS,
    GATEWAY,
    DRIVER,
    CAPTURE,
    JSON,
    RECORD,
    RECORD_MIB,
    RECORD_FRAMES
};

static const struct option known[] = {{"put", required_argument, NULL, PUT},
                                      {"post", required_argument, NULL, POST},
                                      {"send", required_argument, NULL, SEND},
                                      {"output", required_argument, NULL, OUTPUT},
                                      {"connections", required_argument, NULL, CONNECTIONS},
                                      {"repeat", required_argument, NULL, REPEAT},
                                      {"arrivals", required_argument, NULL, ARRIVALS},
                                      {"timeout-ms", required_argument, NULL, TIMEOUT},
                                      {"no-hash", no_argument, NULL, NO_HASH},
                                      {"rack", required_argument, NULL, RACK},
                                      {"server", required_argument, NULL, SERVER},
                                      {"device", required_argument, NULL, DEVICE},
                                      {"address", required_argument, NULL, ADDRESS},
                                      {"gateway", required_argument, NULL, GATEWAY},
                                      {"driver", required_argument, NULL, DRIVER},
                                      {"capture", required_argument, NULL, CAPTURE},
                                      {"record", required_argument, NULL, RECORD},
                                      {"record-mib", required_argument, NULL, RECORD_MIB},
                                      {"record-frames", no_argument, NULL, RECORD_FRAMES},
                                      {"json", required_argument, NULL, JSON},
                                      {NULL, 0, NULL, 0}};

static int take_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    if (capy_option_number(text, strlen(text), max, out) && *out >= min)
        return 0;
    return wrong("not a number in range", text);
}

/* Texts that are only kept. */
static const char **place_of(struct get_options *opt, int c)
{
    switch (c) {
    case RACK:
        return &opt->os.rack_file;
    case SERVER:
        return &opt->os.server;
    case DEVICE:
        return &opt->os.device;
    case ADDRESS:
        return &opt->os.address;
    case GATEWAY:
        return &opt->os.gateway;
    case DRIVER:
        return &opt->os.driver;
    case CAPTURE:
        return &opt->os.capture;
    case RECORD:
        return &opt->os.record;
    case JSON:
        return &opt->json;
    default:
        return NULL;
    }
}

static int take_option(struct get_options *opt, int c, const char *text)
{
    uint64_t n = 0;
    int rc = 0;
    const char **place = place_of(opt, c);
    if (place) {
        *place = text;
        return 0;
    }
    switch (c) {
    case PUT:
    case POST:
        return take_file(opt, c == PUT ? "PUT" : "POST", text);
    case SEND:
        strcpy(opt->request.method, "PUT");
        return take_number(text, 1, UINT64_C(1) << 40, &opt->request.send_len);
    case OUTPUT:
        return take_output(opt, text);
    case CONNECTIONS:
        rc = take_number(text, 1, GET_CONNECTION_MAX, &n);
        opt->connection_cnt = (uint32_t)n;
        return rc;
    case RECORD_MIB:
        return take_number(text, 1, RECORD_MIB_MAX, &opt->os.record_mib);
    case RECORD_FRAMES:
        opt->os.record_frames = true;
        return 0;
    case REPEAT:
        return take_number(text, 1, UINT64_C(1) << 40, &opt->request.requests_left);
    case ARRIVALS:
        rc = take_number(text, 1, GET_CONNECTION_MAX, &n);
        opt->arrival_cnt = (uint32_t)n;
        return rc;
    case TIMEOUT:
        rc = take_number(text, 1, 86400000, &n);
        opt->timeout_ns = n * 1000000u;
        return rc;
    default:
        opt->request.hashed = false;
        return 0;
    }
}

static int parse(int argc, char **argv, struct get_options *opt)
{
    opterr = 0;
    optind = 1;
    for (int c, at = 1; (c = getopt_long(argc, argv, "", known, NULL)) != -1; at = optind) {
        if (c == '?')
            return wrong("unknown option or missing value", argv[at]);
        if (take_option(opt, c, optarg) != 0)
            return EXIT_USAGE;
    }
    if (argc - optind > 1)
        return wrong("more than one target", argv[optind + 1]);
    if (optind < argc && take_target(opt, argv[optind]) != 0)
        return EXIT_USAGE;
    if (optind == argc && opt->arrival_cnt == 0)
        return wrong("which target?", "IP[:PORT]/PATH is missing");
    if (optind == argc)
        opt->connection_cnt = 0;
    bool server = opt->os.rack_file && opt->os.server, host = opt->os.device && opt->os.address;
    if (server == host)
        return wrong("as which host?", "--rack and --server, or --device and --address");
    if (opt->arrival_cnt > 0 && !server)
        return wrong("only a server of a rack has arrivals", "--arrivals");
    return 0;
}

static double latency_us(struct get_result *r, unsigned per_mille)
{
    return (double)capy_series_quantile(&r->latency_ns, per_mille) / 1e3;
}

static double goodput(const struct get_result *r)
{
    return r->seconds > 0 ? (double)r->bytes / r->seconds : 0;
}

static int report_json(struct get_result *r, const char *path)
{
    json_t *all =
        json_pack("{s:I, s:I, s:s, s:I, s:f, s:f, s:i, s:i, s:s, s:{s:f, s:f, s:f}}", "answers",
                  (json_int_t)r->answers, "errors", (json_int_t)r->errors, "first_error",
                  r->first_error, "bytes", (json_int_t)r->bytes, "seconds", r->seconds,
                  "bytes_per_second", goodput(r), "moved_out", (int)r->moved_out, "moved_in",
                  (int)r->moved_in, "driver", r->driver, "latency_us", "p50", latency_us(r, 500),
                  "p99", latency_us(r, 990), "max", latency_us(r, 1000));
    if (all && r->one_digest)
        json_object_set_new(all, "sha256", json_string(r->digest));
    bool to_stdout = strcmp(path, "-") == 0;
    int rc = !all        ? -1
             : to_stdout ? json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(7))
                         : json_dump_file(all, path, JSON_INDENT(2) | JSON_REAL_PRECISION(7));
    if (to_stdout)
        putchar('\n');
    json_decref(all);
    return rc;
}

static void report_text(struct get_result *r, FILE *out)
{
    fprintf(out, "answers       %" PRIu64 ", %" PRIu64 " bytes in %.3f s, %.1f MB/s\n", r->answers,
            r->bytes, r->seconds, goodput(r) / 1e6);
    fprintf(out, "time each     p50 %.0f us, p99 %.0f us, max %.0f us\n", latency_us(r, 500),
            latency_us(r, 990), latency_us(r, 1000));
    if (r->moved_out + r->moved_in > 0)
        fprintf(out, "moved         %u away, %u here\n", r->moved_out, r->moved_in);
    if (r->one_digest)
        fprintf(out, "SHA-256       %s\n", r->digest);
    if (r->errors > 0)
        fprintf(out, "errors        %" PRIu64 ", the first: %s\n", r->errors, r->first_error);
}

int capy_get_main(int argc, char **argv)
{
    static struct get_options opt;
    static struct get_result result;
    char err[300];
    opt = (struct get_options){
        .connection_cnt = 1,
        .timeout_ns = UINT64_C(60000000000),
        .files = {.in = -1, .out = -1},
        .request = {
            .version = GET_STATE_VERSION, .method = "GET", .requests_left = 1, .hashed = true}};
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        return 0;
    }
    if (parse(argc, argv, &opt) != 0)
        return EXIT_USAGE;
    if (sodium_init() < 0 || get_run(&opt, &result, err, sizeof err) < 0) {
        fprintf(stderr, "capy get: %s\n", err);
        return EXIT_USAGE;
    }
    if (opt.json && report_json(&result, opt.json) < 0) {
        fprintf(stderr, "capy get: %s: %s\n", opt.json, strerror(errno));
        return 1;
    }
    if (!opt.json) /* the bodies may have stdout for themselves */
        report_text(&result, opt.files.out == STDOUT_FILENO ? stderr : stdout);
    capy_series_free(&result.latency_ns);
    bool moved_on = result.moved_out > 0;
    return result.errors == 0 && (result.answers > 0 || moved_on) ? 0 : 1;
}
