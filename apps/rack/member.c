/* The programs of a local rack. See member.h. */
#define _GNU_SOURCE /* setns, pipe2 */
#include "apps/rack/member.h"

#include "apps/common/jsonl.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 10 /* between two looks at a program that starts or ends */
#define LAST_LINE_MAX 400u

int rack_host_proc = -1;

static void sleep_ms(long ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* Signals as a freshly logged-in program has them. */
static void default_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
}

/* The child's part, up to exec; what goes wrong is written to report as text. */
static void become(const struct rack_member *m, int report)
{
    char self[32] = "";
    if (readlinkat(rack_host_proc, "self", self, sizeof self - 1) > 0) {
        dprintf(report, "%s", self);
    }
    default_signals();
    if (m->log[0]) {
        /* A session of its own: Ctrl-C in the terminal ends the caller, who then ends us in order.
         */
        setsid();
        int log = open(m->log, O_WRONLY | O_CREAT | O_APPEND, 0644);
        int null = open("/dev/null", O_RDONLY);
        if (log < 0 || null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) {
            dprintf(report, "!%s: %s", m->log, strerror(errno));
            _exit(127);
        }
        close(log);
        close(null);
    }
    if (setns(m->node->netns, CLONE_NEWNET) < 0) {
        dprintf(report, "!namespace of %s: %s", m->node->name, strerror(errno));
        _exit(127);
    }
    execvp(m->argv[0], m->argv);
    dprintf(report, "!%s: %s", m->argv[0], strerror(errno));
    _exit(127);
}

int rack_member_start(struct rack_member *m, char *err, size_t err_len)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0) {
        snprintf(err, err_len, "pipe: %s", strerror(errno));
        return -1;
    }
    if (m->socket[0]) {
        unlink(m->socket); /* one that a killed predecessor left would look like an answer */
    }
    m->pid = fork();
    if (m->pid == 0) {
        become(m, report[1]);
    }
    close(report[1]);
    char text[400] = "";
    size_t len = 0;
    for (ssize_t n; (n = read(report[0], text + len, sizeof text - 1 - len)) > 0;) {
        len += (size_t)n; /* until exec closes the pipe */
    }
    close(report[0]);
    if (m->pid < 0) {
        m->pid = 0;
        snprintf(err, err_len, "fork: %s", strerror(errno));
        return -1;
    }
    m->starts++;
    m->status = 0;
    m->host_pid = (pid_t)atoi(text);
    const char *wrong = strchr(text, '!');
    if (wrong) {
        waitpid(m->pid, &m->status, 0);
        m->pid = 0;
        snprintf(err, err_len, "%s", wrong + 1);
        return -1;
    }
    return 0;
}

bool rack_member_runs(struct rack_member *m)
{
    if (m->pid > 0 && waitpid(m->pid, &m->status, WNOHANG) == m->pid) {
        m->pid = 0;
    }
    return m->pid > 0;
}

void rack_member_state(const struct rack_member *m, char *out, size_t out_len)
{
    if (m->pid > 0) {
        snprintf(out, out_len, "running");
    } else if (m->starts == 0) {
        snprintf(out, out_len, "not started");
    } else if (WIFSIGNALED(m->status)) {
        snprintf(out, out_len, "signal %d (%s)", WTERMSIG(m->status),
                 strsignal(WTERMSIG(m->status)));
    } else {
        snprintf(out, out_len, "exit status %d", WEXITSTATUS(m->status));
    }
}

/* The last line of its log, which most likely says what is wrong. */
static void last_line(const char *path, char *out, size_t out_len)
{
    char tail[LAST_LINE_MAX];
    out[0] = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    off_t end = lseek(fd, 0, SEEK_END);
    off_t from = end > (off_t)sizeof tail - 1 ? end - (off_t)sizeof tail + 1 : 0;
    ssize_t n = pread(fd, tail, sizeof tail - 1, from);
    close(fd);
    while (n > 0 && tail[n - 1] == '\n') {
        n--;
    }
    tail[n > 0 ? n : 0] = 0;
    const char *line = strrchr(tail, '\n');
    snprintf(out, out_len, "%s", line ? line + 1 : tail);
}

static int64_t clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* One question. True: it answers, and has joined if that is asked. */
static bool is_ready(const struct rack_member *m, bool joined)
{
    json_t *status =
        capy_jsonl_ask(m->socket, json_pack("{s:s}", "cmd", "status"), RACK_PATIENCE_MS);
    bool ready = status && (!joined || (json_is_true(json_object_get(status, "switch_alive")) &&
                                        json_is_false(json_object_get(status, "switch_learning"))));
    json_decref(status);
    return ready;
}

static void explain_end(const struct rack_member *m, char *err, size_t err_len)
{
    char state[64], line[LAST_LINE_MAX];
    rack_member_state(m, state, sizeof state);
    last_line(m->log, line, sizeof line);
    snprintf(err, err_len, "%s ended at once (%s): %s [%s]", m->node->name, state,
             line[0] ? line : "without a word", m->log);
}

int rack_member_await(struct rack_member *m, bool joined, char *err, size_t err_len)
{
    const char *what = joined ? "does not reach the switch" : "does not answer";
    const int64_t since = clock_ms();
    int64_t waited = 0, tell_at = RACK_PATIENCE_MS;
    while (waited < RACK_READY_MS) {
        if (!rack_member_runs(m)) {
            explain_end(m, err, err_len);
            return -1;
        }
        if (is_ready(m, joined)) {
            return 0;
        }
        sleep_ms(LOOK_MS);
        waited = clock_ms() - since;
        if (waited >= tell_at) {
            fprintf(stderr, "capy rack: %s %s yet; waiting; its log: %s\n", m->node->name, what,
                    m->log);
            tell_at = RACK_READY_MS;
        }
    }
    snprintf(err, err_len, "%s %s; its log: %s", m->node->name, what, m->log);
    return -1;
}

void rack_member_kill(struct rack_member *m)
{
    if (rack_member_runs(m)) {
        kill(m->pid, SIGKILL);
        waitpid(m->pid, &m->status, 0);
        m->pid = 0;
    }
}

void rack_member_stop(struct rack_member *m)
{
    if (rack_member_runs(m)) {
        kill(m->pid, SIGTERM);
    }
    const int64_t since = clock_ms();
    while (rack_member_runs(m) && clock_ms() - since < RACK_STOP_MS) {
        sleep_ms(LOOK_MS);
    }
    rack_member_kill(m);
}
