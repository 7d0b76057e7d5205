/* The way through a recording: call after call, to its end, to a difference, or to where it shall stop.
 * Then what was found, in a few lines. */
#include "drv/pcapng.h"
#include "rack/text.h"
#include "replay/machine.h"
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#define LINE_MAX 1024u

static const struct replay_machine *machine_of(enum capy_record_kind kind)
{
    switch (kind) {
    case CAPY_RECORD_HOST:
        return &replay_host;
    case CAPY_RECORD_PLANE:
        return &replay_plane;
    case CAPY_RECORD_KIND_END:
        break;
    }
    return NULL;
}

/* Two names of one file. */
static bool is_same(const char *path, const char *other)
{
    struct stat a, b;
    return stat(path, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static int open_pcap(struct replay *p, char *err, size_t err_len)
{
    if (!p->opt->pcap)
        return CAPY_OK;
    if (is_same(p->opt->pcap, p->opt->file)) {
        (void)snprintf(err, err_len, "%s is the recording itself; name another file for its frames",
                       p->opt->pcap);
        return CAPY_E_SYS;
    }
    p->pcap = malloc(sizeof *p->pcap);
    if (p->pcap &&
        capy_pcapng_open(p->pcap, p->opt->pcap, p->setup->self[0] ? p->setup->self : "replay",
                         p->opt->file) == CAPY_OK)
        return CAPY_OK;
    (void)snprintf(err, err_len, "%s: cannot be written; name a file in a writable directory",
                   p->opt->pcap);
    free(p->pcap);
    p->pcap = NULL;
    return CAPY_E_SYS;
}

static int begin(struct replay *p, char *err, size_t err_len)
{
    char why[256];
    p->setup = capy_read_setup(p->read);
    p->machine = machine_of(p->setup->kind);
    p->now = p->setup->now;
    if (strcmp(p->setup->calls, p->machine->calls_text) != 0) {
        (void)snprintf(err, err_len,
                       "%s was recorded by another capy (%.32s) with other calls; replay it with "
                       "that one",
                       p->opt->file, p->setup->build);
        return CAPY_E_FORMAT;
    }
    if (capy_rack_text_read(p->setup->rack, p->setup->rack_len, &p->rack, why, sizeof why) !=
        CAPY_OK) {
        (void)snprintf(err, err_len, "%s is damaged in its first block: %s", p->opt->file, why);
        return CAPY_E_FORMAT;
    }
    p->line = calloc(1, LINE_MAX);
    if (!p->line) {
        (void)snprintf(err, err_len, "out of memory");
        return CAPY_E_NOMEM;
    }
    int rc = p->machine->start(p, err, err_len);
    return rc == CAPY_OK ? open_pcap(p, err, err_len) : rc;
}

static double seconds(const struct replay *p)
{
    return (double)(p->now - p->setup->now) / 1e9;
}

/* True when the replay shall stop behind what was done. */
static bool stops_here(const struct replay *p)
{
    const struct capy_replay_options *o = p->opt;
    return p->differs || (o->event && capy_read_call_number(p->read) >= o->event) ||
           (o->frame && p->frames_out >= o->frame);
}

/* Runs the next call. False: there is none, or it comes too late. */
static bool step(struct replay *p)
{
    uint8_t call;
    if (!capy_read_call(p->read, &call))
        return false;
    if (p->opt->until_given && capy_read_now(p->read) - p->setup->now > p->opt->until_ns)
        return false;
    if (call >= p->machine->call_cnt) {
        capy_read_nonsense(p->read, "is of no known kind");
        return false;
    }
    p->now = capy_read_now(p->read);
    p->line_len = 0;
    replay_say(p, "%" PRIu64 " %.9f %s", capy_read_call_number(p->read), seconds(p),
               p->machine->calls[call].name);
    p->machine->calls[call].make(p);
    if (p->opt->print && !p->differs)
        fprintf(p->opt->out, "%s\n", p->line);
    return true;
}

static void print_start(const struct replay *p)
{
    char when[32] = "";
    time_t t = (time_t)(p->setup->wall_ns / 1000000000u);
    struct tm tm;
    if (gmtime_r(&t, &tm))
        (void)strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
    const char *what = p->setup->kind == CAPY_RECORD_PLANE ? "the switch"
                       : p->setup->self[0]                 ? p->setup->self
                                                           : "a host in no rack";
    fprintf(p->opt->out, "%s: %s, recorded by capy %.32s at %s UTC\n", p->opt->file, what,
            p->setup->build, when);
}

/* What was found; CAPY_OK when all was identical. */
static int print_end(struct replay *p, bool stopped)
{
    const char *line = "";
    enum capy_read_end end = stopped ? CAPY_READ_GOES_ON : capy_read_end(p->read, &line);
    bool damaged = end == CAPY_READ_DAMAGED;
    if (p->differs || p->opt->connections)
        p->machine->print_state(p);
    fprintf(p->opt->out,
            "%" PRIu64 " events, %" PRIu64 " frames in (%" PRIu64 " bytes), %" PRIu64
            " frames out (%" PRIu64 " bytes), %.6f s: %s\n",
            capy_read_call_number(p->read), p->frames_in, p->bytes_in, p->frames_out, p->bytes_out,
            seconds(p),
            p->differs ? "DIFFERENT"
            : damaged  ? "identical up to the damage"
                       : "identical");
    if (!p->differs)
        fprintf(p->opt->out, "%s\n", stopped ? "stopped as asked; the recording goes on" : line);
    if (p->differs && strcmp(p->setup->build, capy_record_build()) != 0)
        fprintf(p->opt->out, "this is capy %s: replay it with the one that recorded it\n",
                capy_record_build());
    return p->differs || damaged ? CAPY_E_STATE : CAPY_OK;
}

static void drop(struct replay *p)
{
    if (p->machine)
        p->machine->stop(p);
    if (p->pcap)
        capy_pcapng_close(p->pcap);
    free(p->pcap);
    free(p->line);
    capy_read_close(p->read);
    free(p);
}

int capy_replay(const struct capy_replay_options *opt, char *err, size_t err_len)
{
    struct replay *p = calloc(1, sizeof *p);
    if (!p) {
        (void)snprintf(err, err_len, "out of memory");
        return CAPY_E_NOMEM;
    }
    p->opt = opt;
    p->read = capy_read_open(opt->file, err, err_len);
    int rc = p->read ? begin(p, err, err_len) : CAPY_E_FORMAT;
    if (rc == CAPY_OK) {
        bool over = false, stopped = false;
        print_start(p);
        while (!over && !stopped) {
            over = !step(p);
            stopped = !over && stops_here(p);
        }
        const char *line;
        rc = print_end(p, stopped || capy_read_end(p->read, &line) == CAPY_READ_GOES_ON);
    }
    drop(p);
    return rc;
}
