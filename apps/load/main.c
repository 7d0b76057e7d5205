/* `capy load`: the runs and their reports. See load.h. */
#include "apps/load/load.h"

#include "apps/common/arguments.h"
#include "apps/load/engine.h"
#include "apps/load/kernel.h"
#include "apps/load/own.h"
#include "apps/load/report.h"
#include <errno.h>
#include <signal.h>
#include <sodium/core.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define PRECISION (JSON_INDENT(1) | JSON_REAL_PRECISION(9))

/* One session: options, what they travel on, where results go. */
struct session {
    struct load_options opt;
    struct load_transport *t;
    struct load_result result;
    struct load_marks marks;
    json_t *json;
    FILE *csv;
    bool failed; /* a run had errors, or no answer */
};

/* Ctrl-C and SIGTERM, as a descriptor. Sleeps end when they should, not 50 us later. */
static int watch_signals(void)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGTERM);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    prctl(PR_SET_TIMERSLACK, 1UL);
    return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The last run's migrations, into its series. What cannot be had, for a server died meanwhile, costs the run
 * its marks and its good exit status, and nothing else. */
static void read_marks(struct session *s)
{
    const struct load_options *opt = &s->opt;
    char err[300];
    uint64_t from = s->result.begun_at_ns, to = from + (uint64_t)(s->result.seconds * 1e9);
    load_marks_free(&s->marks);
    for (unsigned i = 0; i < opt->marks_cnt; i++)
        if (load_marks_read(&s->marks, opt->marks[i], from, to, err, sizeof err) < 0) {
            fprintf(stderr, "capy load: %s; migrations are missing from the series\n", err);
            s->failed = true;
        }
    for (size_t i = 0; i < s->marks.cnt; i++)
        load_timeline_migration(&s->result.timeline, s->marks.mark[i].at_ns - from);
}

/* One run at the rate that the options have. As load_run. */
static int run_once(struct session *s, char *err, size_t err_len)
{
    struct load_result *r = &s->result;
    int rc = load_run(&s->opt, s->t, r, err, err_len);
    if (rc < 0)
        return -1;
    read_marks(s);
    s->failed |= r->requests == 0 || load_errors(r) > 0;
    return rc;
}

static int run_sweep(struct session *s, char *err, size_t err_len)
{
    int rc = 0;
    s->json = json_pack("{s:[]}", "sweep");
    if (s->opt.live_ns == 0)
        load_print_sweep_head(stdout);
    if (s->csv)
        load_csv_sweep_head(s->csv);
    for (uint64_t rate = s->opt.sweep_from; rc == 0 && rate <= s->opt.sweep_to;
         rate += s->opt.sweep_step) {
        load_options_set_rate(&s->opt, rate);
        rc = run_once(s, err, err_len);
        if (rc < 0)
            break;
        if (s->opt.live_ns == 0)
            load_print_sweep_row(&s->result, stdout);
        if (s->csv)
            load_csv_sweep_row(&s->result, s->csv);
        json_array_append_new(json_object_get(s->json, "sweep"),
                              load_json(&s->opt, &s->result, &s->marks));
        load_timeline_free(&s->result.timeline);
    }
    return rc < 0 ? -1 : 0;
}

static int run_single(struct session *s, char *err, size_t err_len)
{
    if (run_once(s, err, err_len) < 0)
        return -1;
    if (s->opt.live_ns == 0)
        load_print(&s->opt, &s->result, stdout);
    if (s->csv)
        load_csv_series(&s->result, s->csv);
    s->json = load_json(&s->opt, &s->result, &s->marks);
    load_timeline_free(&s->result.timeline);
    return 0;
}

/* Everything, with files and transport open. */
static int run_all(struct session *s, char *err, size_t err_len)
{
    int rc = s->opt.sweep_step > 0 ? run_sweep(s, err, err_len) : run_single(s, err, err_len);
    if (rc == 0 && s->opt.json && json_dump_file(s->json, s->opt.json, PRECISION) != 0) {
        snprintf(err, err_len, "%s: %s", s->opt.json, strerror(errno));
        rc = -1;
    }
    if (s->csv && fclose(s->csv) != 0 && rc == 0) {
        snprintf(err, err_len, "%s: %s", s->opt.csv, strerror(errno));
        rc = -1;
    }
    json_decref(s->json);
    load_marks_free(&s->marks);
    return rc;
}

/* Before the load begins: a result that cannot be written is none. */
static int open_files(struct session *s, char *err, size_t err_len)
{
    for (unsigned i = 0; i < s->opt.marks_cnt; i++)
        if (access(s->opt.marks[i], R_OK) < 0) {
            snprintf(err, err_len, "--marks %s: %s", s->opt.marks[i], strerror(errno));
            return -1;
        }
    const char *bad = s->opt.csv;
    s->csv = s->opt.csv ? fopen(s->opt.csv, "we") : NULL;
    bool well = !s->opt.csv || s->csv;
    if (well && s->opt.json) {
        FILE *json = fopen(s->opt.json, "we");
        bad = s->opt.json;
        well = json && fclose(json) == 0;
    }
    if (!well)
        snprintf(err, err_len, "%s: %s", bad, strerror(errno));
    return well ? 0 : -1;
}

int capy_load_main(int argc, char **argv)
{
    static struct session s; /* large */
    char err[300];
    memset(&s, 0, sizeof s);
    int rc = load_options_parse(&s.opt, argc, argv);
    if (rc != 0)
        return rc > 0 ? 0 : CAPY_EXIT_USAGE;
    int signals = watch_signals();
    rc = open_files(&s, err, sizeof err);
    if (rc == 0) {
        s.t = s.opt.own.device && sodium_init() >= 0
                  ? load_own_open(&s.opt.own, s.opt.connection_cnt, signals, err, sizeof err)
                  : load_kernel_open(s.opt.connection_cnt, signals, err, sizeof err);
        rc = s.t ? 0 : -1;
    }
    if (rc < 0) {
        fprintf(stderr, "capy load: %s\n", err);
        return CAPY_EXIT_USAGE;
    }
    rc = run_all(&s, err, sizeof err);
    s.t->ops->free(s.t);
    close(signals);
    if (rc < 0)
        fprintf(stderr, "capy load: %s\n", err);
    return rc < 0 || s.failed ? 1 : 0;
}
