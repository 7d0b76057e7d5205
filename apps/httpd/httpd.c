/* `capy httpd`: the command line, and what is set up before the loop runs. */
#include "apps/httpd/httpd.h"
#include "apps/common/option.h"
#include "apps/httpd/loop.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sodium/core.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define EXIT_USAGE 2 /* it cannot start so, whoever's fault that is */
#define PORT_DEFAULT 80
#define SERVICE_US_MAX 1000000u /* as /synthetic's us= */
#define BODY_MAX (1ull << 40)
#define RECORD_MIB_MAX (1u << 30)

static const char help[] =
    "usage: capy httpd --rack FILE --server NAME [options]\n"
    "\n"
    "An HTTP/1.1 server on libcapy. Its connections can be moved to another server of the rack at\n"
    "any byte; `capy ctl` asks for that, or the load threshold in the rack file.\n"
    "\n"
    "  --rack FILE       the rack file: addresses, devices, key\n"
    "  --server NAME     which of its servers this is\n"
    "  --port N          listen on port N (80)\n"
    "  --root DIR        serve the files below DIR; without it, / is a page about the server\n"
    "  --service-us N    keep the core busy N microseconds for each request (0)\n"
    "  --service-sleep   sleep through that time instead: for racks with fewer cores than servers\n"
    "  --arrival-us N    and N microseconds for each connection that arrives by migration (0)\n"
    "  --body BYTES      answer / and /synthetic with this many bytes of a checkable pattern\n"
    "  --max-body BYTES  refuse longer request bodies with 413 (1073741824)\n"
    "  --capture FILE    write every frame to a pcapng file\n"
    "  --record FILE     record all that goes in, for capy replay; it holds keys and all data\n"
    "  --record-mib N    end the recording at this size\n"
    "  --record-frames   keep frames sent whole, and not only their hash\n"
    "  --driver NAME     auto, af_xdp or tap, instead of what the rack file says\n"
    "  --stack NAME      capy, our own TCP, or linux, sockets of the kernel, which move all the "
    "same\n"
    "\n"
    "Resources beside files:\n"
    "  /synthetic?us=N&bytes=N&seed=S        busy time, then a body the client can verify\n"
    "  /events?interval_ms=N&count=M         server-sent events; count 0 or absent: endless\n"
    "  /upload                               POST or PUT: length and SHA-256 of the body, as JSON\n"
    "\n"
    "Examples:\n"
    "  capy httpd --rack rack.conf --server s1 --root /srv/www\n"
    "  capy httpd --rack rack.conf --server s2 --service-us 10 --body 64\n";

struct options {
    struct capy_options os;
    uint64_t port, service_us, arrival_us, body_len, max_body;
    bool body_given, service_sleep;
    const char *root;
};

/* One line that names the remedy; nothing has been set up. */
__attribute__((format(printf, 1, 2))) static int wrong(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("capy httpd: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return EXIT_USAGE;
}

static const struct option known[] = {{"rack", required_argument, NULL, 'r'},
                                      {"server", required_argument, NULL, 's'},
                                      {"port", required_argument, NULL, 'p'},
                                      {"root", required_argument, NULL, 'd'},
                                      {"service-us", required_argument, NULL, 'u'},
                                      {"service-sleep", no_argument, NULL, 'z'},
                                      {"arrival-us", required_argument, NULL, 'a'},
                                      {"body", required_argument, NULL, 'b'},
                                      {"max-body", required_argument, NULL, 'm'},
                                      {"capture", required_argument, NULL, 'c'},
                                      {"record", required_argument, NULL, 'R'},
                                      {"record-mib", required_argument, NULL, 'M'},
                                      {"record-frames", no_argument, NULL, 'F'},
                                      {"driver", required_argument, NULL, 'D'},
                                      {"stack", required_argument, NULL, 'S'},
                                      {"help", no_argument, NULL, 'h'},
                                      {NULL, 0, NULL, 0}};

/* A numeric option's value, or -1 after a message. */
static int number(int name, uint64_t min, uint64_t max, uint64_t *out)
{
    const char *option = "";
    for (const struct option *o = known; o->name; o++) {
        if (o->val == name)
            option = o->name;
    }
    if (capy_option_number(optarg, strlen(optarg), max, out) && *out >= min)
        return 0;
    wrong("--%s %s: give a whole number from %llu to %llu", option, optarg, (unsigned long long)min,
          (unsigned long long)max);
    return -1;
}

static int take_option(int c, struct options *o)
{
    switch (c) {
    case 'r':
        o->os.rack_file = optarg;
        return 0;
    case 's':
        o->os.server = optarg;
        return 0;
    case 'p':
        return number(c, 1, 65535, &o->port);
    case 'd':
        o->root = optarg;
        return 0;
    case 'u':
        return number(c, 0, SERVICE_US_MAX, &o->service_us);
    case 'z':
        o->service_sleep = true;
        return 0;
    case 'a':
        return number(c, 0, SERVICE_US_MAX, &o->arrival_us);
    case 'b':
        o->body_given = true;
        return number(c, 0, BODY_MAX, &o->body_len);
    case 'm':
        return number(c, 0, UINT64_MAX, &o->max_body);
    case 'c':
        o->os.capture = optarg;
        return 0;
    case 'R':
        o->os.record = optarg;
        return 0;
    case 'M':
        return number(c, 1, RECORD_MIB_MAX, &o->os.record_mib);
    case 'S':
        o->os.stack = optarg;
        return 0;
    case 'F':
        o->os.record_frames = true;
        return 0;
    default:
        o->os.driver = optarg;
        return 0;
    }
}

/* 0: go on; 1: help was printed; 2: wrong, said so. */
static int parse(int argc, char **argv, struct options *o)
{
    opterr = 0;
    optind = 1;
    for (int c, at = 1; (c = getopt_long(argc, argv, ":", known, NULL)) != -1; at = optind) {
        if (c == 'h') {
            fputs(help, stdout);
            return 1;
        }
        if (c == ':')
            return wrong("%s needs a value; try: capy httpd --help", argv[at]);
        if (c == '?')
            return wrong("unknown option %s; try: capy httpd --help", argv[at]);
        if (take_option(c, o) < 0)
            return EXIT_USAGE;
    }
    if (optind < argc)
        return wrong("%s: options only; try: capy httpd --help", argv[optind]);
    if (!o->os.rack_file)
        return wrong("name the rack file: --rack FILE");
    if (!o->os.server)
        return wrong("say which server of %s this is: --server NAME", o->os.rack_file);
    return 0;
}

/* The rack file and our name in it are arguments too: wrong ones are refused like the others,
 * before anything is opened. */
static int check_rack(const struct options *o)
{
    static struct capy_rack rack;
    char err[512];
    if (capy_rack_read(o->os.rack_file, &rack, err, sizeof err) != CAPY_OK)
        return wrong("%s", err);
    if (capy_rack_server_index(&rack, o->os.server) < 0)
        return wrong("--server %s: not in %s; its first server is %s", o->os.server,
                     o->os.rack_file, rack.server[0].name);
    if (o->port >= rack.mig_port_first && o->port - rack.mig_port_first < rack.mig_port_cnt)
        return wrong("--port %llu: ports %u to %u are for connections that move (%s); take another",
                     (unsigned long long)o->port, rack.mig_port_first,
                     rack.mig_port_first + rack.mig_port_cnt - 1, o->os.rack_file);
    return 0;
}

/* Each download holds a descriptor: allow as many as the system lets us. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* at the old limit: 503 a little earlier */
    }
}

/* SIGINT and SIGTERM as a descriptor; -1 with errno. */
static int signals_open(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int serve(const struct options *o, struct capy_httpd_site *site, int stop_fd)
{
    char err[512];
    struct capy *os = capy_open(&o->os, err, sizeof err);
    if (!os) {
        fprintf(stderr, "capy httpd: %s\n", err);
        return EXIT_USAGE;
    }
    const struct capy_rack *rack = capy_rack(os);
    site->exchange_max = rack->conn_max;
    if (rack->rcv_buf < site->head_max) /* a head that cannot arrive whole would never be refused */
        site->head_max = rack->rcv_buf;
    printf("capy httpd: %s listens on port %llu (%s)\n", o->os.server, (unsigned long long)o->port,
           capy_driver(os));
    fflush(stdout);
    int status = capy_httpd_loop(os, site, (uint16_t)o->port, stop_fd);
    if (status != CAPY_OK)
        fprintf(stderr, "capy httpd: port %llu: %s\n", (unsigned long long)o->port,
                capy_strerror(status));
    capy_close_os(os);
    return status == CAPY_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int capy_httpd_main(int argc, char **argv)
{
    static struct capy_httpd_site site; /* its scratch is too large for a stack frame */
    struct options o = {.port = PORT_DEFAULT};

    capy_httpd_site_open(&site, "");
    o.max_body = site.max_body;
    int result = parse(argc, argv, &o);
    if (result != 0)
        return result == 1 ? EXIT_SUCCESS : EXIT_USAGE;
    if (check_rack(&o) != 0)
        return EXIT_USAGE;
    site.server = o.os.server;
    site.service_ns = o.service_us * 1000;
    site.sleeps = o.service_sleep;
    site.arrival_ns = o.arrival_us * 1000;
    site.body_len = o.body_len;
    site.plain_root = o.body_given;
    site.max_body = o.max_body;
    if (o.root && (site.root_fd = open(o.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return wrong("--root %s: %s; name a directory", o.root, strerror(errno));
    raise_file_limit();
    int stop_fd = signals_open();
    if (stop_fd < 0 || sodium_init() < 0)
        result = wrong("cannot start: %s", strerror(errno));
    else
        result = serve(&o, &site, stop_fd);
    if (stop_fd >= 0)
        close(stop_fd);
    capy_httpd_site_close(&site);
    return result;
}
