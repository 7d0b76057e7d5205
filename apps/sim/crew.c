/* See crew.h. Parent and children share one mapping: the next seed to run, and of each child the trace
 * of the run it is in, which the parent reads when the child is gone. Results come by pipe. */
#define _GNU_SOURCE /* memfd_create */
#include "apps/sim/crew.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    EXIT_SEED_FAILED = 3,
    EXIT_RUNS_DIFFER = 4,
    SEED_SECONDS_MAX =
        120, /* of processor time: a run takes a hundredth of one, a sanitizer's a tenth */
    TWICE_EVERY = 16,
    POLL_MS = 200
};

struct shared {
    atomic_uint_fast64_t next;
    atomic_bool stop;
    struct {
        uint64_t seed; /* being run */
        struct sim_trace trace;
    } of[CREW_MAX];
};

struct worker {
    pid_t pid;   /* 0: none */
    int results; /* pipe */
    int words;   /* its stderr */
};

struct message {
    uint64_t seed;
    struct sim_result result;
    bool differs; /* two runs did */
};

/* ---- the child ----------------------------------------------------------------------------- */

static bool send_result(int fd, const struct message *m)
{
    return write(fd, m, sizeof *m) == (ssize_t)sizeof *m;
}

/* Ends this process when it has had so many seconds of processor time: a busy machine, or a job that
 * is paused, is no failure. 0: never. */
static void limit_processor_time(unsigned seconds)
{
    struct itimerval limit = {.it_value.tv_sec = seconds};
    setitimer(ITIMER_PROF, &limit, NULL);
}

static void run_seed(const struct crew *c, struct sim_world *w, struct sim_trace *trace,
                     struct message *m)
{
    limit_processor_time(SEED_SECONDS_MAX);
    m->differs = false;
    sim_run(w, m->seed, trace, NULL, &m->result);
    if (!m->result.failed && (c->twice || m->seed % TWICE_EVERY == 0)) {
        uint64_t digest = m->result.digest;
        sim_run(w, m->seed, trace, NULL, &m->result);
        if (m->result.digest != digest && !m->result.failed) {
            m->differs = m->result.failed = true;
            snprintf(m->result.why, sizeof m->result.why,
                     "two runs differ: digests %016llx, %016llx", (unsigned long long)digest,
                     (unsigned long long)m->result.digest);
        }
    }
    limit_processor_time(0);
}

_Noreturn static void child(const struct crew *c, struct shared *shared, unsigned me, int results,
                            int words)
{
    static struct sim_world world;
    struct message m;
    memset(&m, 0, sizeof m); /* it goes through the pipe with its gaps */
    if (words >= 0)
        dup2(words, STDERR_FILENO);
    while (!atomic_load(&shared->stop) &&
           (m.seed = atomic_fetch_add(&shared->next, 1)) <= c->last && m.seed >= c->first) {
        shared->of[me].seed = m.seed;
        run_seed(c, &world, &shared->of[me].trace, &m);
        if (!send_result(results, &m))
            _exit(EXIT_FAILURE);
        if (m.result.failed)
            _exit(m.differs ? EXIT_RUNS_DIFFER : EXIT_SEED_FAILED); /* the parent reads the trace */
    }
    _exit(EXIT_SUCCESS);
}

/* ---- the parent ---------------------------------------------------------------------------- */

static bool hire(const struct crew *c, struct shared *shared, struct worker *all, unsigned me)
{
    int ends[2];
    if (pipe(ends) < 0)
        return false;
    struct worker *w = &all[me];
    w->words = memfd_create("stderr", MFD_CLOEXEC);
    w->results = ends[0];
    w->pid = fork();
    if (w->pid == 0) {
        close(ends[0]);
        child(c, shared, me, ends[1], w->words);
    }
    close(ends[1]);
    return w->pid > 0;
}

static void take_words(const struct worker *w, char *out)
{
    ssize_t n = w->words >= 0 ? pread(w->words, out, CREW_WORDS_MAX - 1, 0) : 0;
    out[n > 0 ? n : 0] = '\0';
}

static void note_failure(const struct crew *c, struct crew_sum *sum, const struct crew_failure *f)
{
    sum->failed++;
    sum->first_failed = capy_min64(sum->first_failed, f->seed);
    if (c->failed)
        c->failed(f, c->ctx);
}

/* A child is gone: all is done, or its last result says why, or it died in the middle of one. */
static void bury(const struct crew *c, struct shared *shared, struct worker *w, unsigned me,
                 const struct message *last, struct crew_sum *sum)
{
    static struct crew_failure f;
    int status = 0;
    close(w->results);
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        ;
    f.seed = shared->of[me].seed;
    f.trace = &shared->of[me].trace;
    f.differs = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_RUNS_DIFFER;
    take_words(w, f.words);
    if (w->words >= 0)
        close(w->words);
    w->pid = 0;
    if (f.differs || (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SEED_FAILED)) {
        memcpy(f.why, last->result.why, sizeof f.why);
    } else if (WIFSIGNALED(status) || WEXITSTATUS(status) != EXIT_SUCCESS) {
        bool late = WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF;
        if (late)
            snprintf(f.why, sizeof f.why, "not over after %d s of processor time",
                     SEED_SECONDS_MAX);
        else if (WIFSIGNALED(status))
            snprintf(f.why, sizeof f.why, "its process died: %s", strsignal(WTERMSIG(status)));
        else
            snprintf(f.why, sizeof f.why, "its process exited with %d", WEXITSTATUS(status));
        sum->done++;
    } else {
        return;
    }
    if (c->stop)
        atomic_store(&shared->stop, true);
    note_failure(c, sum, &f);
}

static void add(struct crew_sum *sum, const struct sim_result *r)
{
    sum->done++;
    sum->events += r->events;
    sum->simulated_ns += r->simulated_ns;
    for (unsigned i = 0; i < SIM_TALLY_CNT; i++)
        sum->tally.n[i] += r->tally.n[i];
}

/* What one child has to say. False: it is gone. */
static bool hear(struct worker *w, struct message *last, struct crew_sum *sum)
{
    struct message m;
    ssize_t n = read(w->results, &m, sizeof m);
    if (n < 0 && errno == EINTR)
        return true;
    if (n != (ssize_t)sizeof m)
        return false;
    add(sum, &m.result);
    *last = m;
    return true;
}

static bool watch(const struct crew *c, struct shared *shared, struct worker *all,
                  struct crew_sum *sum)
{
    static struct message last[CREW_MAX];
    struct pollfd fds[CREW_MAX];
    unsigned of[CREW_MAX], cnt = 0;
    for (unsigned i = 0; i < c->jobs; i++)
        if (all[i].pid > 0) {
            fds[cnt] = (struct pollfd){.fd = all[i].results, .events = POLLIN};
            of[cnt++] = i;
        }
    if (cnt == 0)
        return false;
    if (poll(fds, cnt, POLL_MS) < 0)
        return true;
    for (unsigned k = 0; k < cnt; k++) {
        unsigned i = of[k];
        if (fds[k].revents == 0 || hear(&all[i], &last[i], sum))
            continue;
        bury(c, shared, &all[i], i, &last[i], sum);
        if (!atomic_load(&shared->stop) && atomic_load(&shared->next) <= c->last)
            (void)hire(c, shared, all, i);
    }
    if (c->progress)
        c->progress(sum, c->ctx);
    return true;
}

bool crew_run(const struct crew *c, struct crew_sum *sum, char *err, size_t err_len)
{
    static struct worker all[CREW_MAX];
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *sum = (struct crew_sum){.first_failed = UINT64_MAX};
    unsigned hired = 0;
    if (shared != MAP_FAILED) {
        atomic_init(&shared->next, c->first);
        for (unsigned i = 0; i < c->jobs; i++)
            hired += hire(c, shared, all, i);
    }
    if (hired == 0) {
        snprintf(err, err_len, "cannot start a process: %s", strerror(errno));
        return false;
    }
    while (watch(c, shared, all, sum))
        ;
    munmap(shared, sizeof *shared);
    return true;
}
