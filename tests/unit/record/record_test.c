/* record/: what was written is read back, call by call; every way for a recording to end is told apart;
 * and no damage goes unnoticed. */
#define _GNU_SOURCE /* memfd_create */
#include "record/put.h"
#include "record/read.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64], old[80];

static int make_path(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/capy-record-%d", (int)getpid());
    snprintf(old, sizeof old, "%s.old", path);
    return 0;
}

static int remove_path(void **state)
{
    (void)state;
    (void)unlink(path);
    (void)unlink(old);
    return 0;
}

static struct capy_record *begin(uint64_t size_max, bool whole)
{
    char err[256];
    uint8_t setup[256];
    const struct capy_record_setup s = {.kind = CAPY_RECORD_HOST,
                                        .build = "b",
                                        .calls = "c",
                                        .self = "s1",
                                        .whole_frames = whole,
                                        .now = 1000,
                                        .rack = "r",
                                        .rack_len = 1};
    const struct capy_record_options opt = {
        .path = path, .size_max = size_max, .whole_frames = whole};
    struct capy_record *r = capy_record_open(
        &opt, setup, capy_record_setup_encode(&s, setup, sizeof setup), s.now, err, sizeof err);
    if (!r)
        fail_msg("%s", err);
    return r;
}

/* A call with a number, bytes and a result. False: it was not recorded. */
static bool put(struct capy_record *r, uint64_t n, const uint8_t *bytes, size_t len, uint64_t now)
{
    if (!capy_put_begin(r, (uint8_t)(n % CAPY_RECORD_CALL_CNT), now))
        return false;
    capy_put_number(r, n);
    capy_put_bytes(r, bytes, len);
    capy_put_signed(r, -(int64_t)n);
    capy_put_end(r);
    return true;
}

static struct capy_read *open_reader(void)
{
    char err[256];
    struct capy_read *r = capy_read_open(path, err, sizeof err);
    if (!r)
        fail_msg("%s", err);
    return r;
}

/* Reads one call of put, whole. False: there is none. */
static bool get(struct capy_read *r, uint64_t n, uint8_t fill, size_t len, uint64_t now)
{
    uint8_t call;
    size_t got;
    if (!capy_read_call(r, &call))
        return false;
    uint64_t number = capy_get_number(r);
    const uint8_t *bytes = capy_get_bytes(r, &got);
    for (size_t i = 0; i < got; i++)
        assert_int_equal(bytes[i], fill);
    int64_t result = capy_get_signed(r);
    if (!capy_read_whole(r))
        return false;
    assert_int_equal(call, n % CAPY_RECORD_CALL_CNT);
    assert_true(number == n && result == -(int64_t)n && got == len);
    assert_true(capy_read_now(r) == now);
    return true;
}

static enum capy_read_end end_of(const struct capy_read *r)
{
    const char *line;
    enum capy_read_end end = capy_read_end(r, &line);
    assert_true(end == CAPY_READ_GOES_ON || line[0] != 0);
    return end;
}

static void test_what_is_written_is_read(void **state)
{
    (void)state;
    static uint8_t bytes[1500];
    const uint64_t numbers[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, INT64_MAX};
    memset(bytes, 7, sizeof bytes);
    struct capy_record *r = begin(0, false);
    for (unsigned i = 0; i < 8; i++)
        assert_true(put(r, numbers[i], bytes, i * 200, 1000 + i / 2));
    capy_record_close(r);

    struct capy_read *in = open_reader();
    assert_string_equal(capy_read_setup(in)->self, "s1");
    for (unsigned i = 0; i < 8; i++)
        assert_true(get(in, numbers[i], 7, i * 200, 1000 + i / 2));
    assert_false(get(in, 0, 0, 0, 0));
    assert_int_equal(capy_read_call_number(in), 8);
    assert_int_equal(end_of(in), CAPY_READ_CLOSED);
    capy_read_close(in);
}

/* The largest bytes span many blocks, at every distance from a block's end. */
static void test_calls_span_blocks(void **state)
{
    (void)state;
    uint8_t *bytes = calloc(1, CAPY_RECORD_BYTES_MAX);
    const size_t lens[] = {CAPY_RECORD_BYTES_MAX, CAPY_RECORD_BLOCK_MAX - 20, 5,
                           CAPY_RECORD_BLOCK_MAX, CAPY_RECORD_BLOCK_MAX + 1,  0};
    struct capy_record *r = begin(0, false);
    for (unsigned i = 0; i < 6; i++)
        assert_true(put(r, i, bytes, lens[i], 1000));
    for (unsigned i = 0; i < 600; i++) /* about a block's worth, of uneven size */
        assert_true(put(r, i, bytes, 400 + i, 1000));
    capy_record_close(r);
    free(bytes);

    struct capy_read *in = open_reader();
    for (unsigned i = 0; i < 6; i++)
        assert_true(get(in, i, 0, lens[i], 1000));
    for (unsigned i = 0; i < 600; i++)
        assert_true(get(in, i, 0, 400 + i, 1000));
    assert_false(get(in, 0, 0, 0, 0));
    assert_int_equal(end_of(in), CAPY_READ_CLOSED);
    capy_read_close(in);
}

/* A loop that spins asks for frames and events a million times a second. */
static void test_calls_that_change_nothing_are_kept_once(void **state)
{
    (void)state;
    struct capy_record *r = begin(0, false);
    for (unsigned i = 0; i < 100; i++) {
        assert_true(capy_put_begin(r, 1, 1000 + i)); /* an output: no frame */
        capy_put_number(r, 0);
        capy_put_end_idle(r);
        assert_true(capy_put_begin(r, 2, 1000 + i)); /* an event: none */
        capy_put_take_back(r);
    }
    assert_int_equal(r->call_cnt, 1);
    assert_true(put(r, 3, NULL, 0, 2000));
    assert_true(capy_put_begin(r, 1, 2001));
    capy_put_number(r, 0);
    capy_put_end_idle(r);
    capy_record_close(r);

    struct capy_read *in = open_reader();
    uint8_t call;
    assert_true(capy_read_call(in, &call) && call == 1 && capy_read_now(in) == 1000);
    assert_int_equal(capy_get_number(in), 0);
    assert_true(get(in, 3, 0, 0, 2000));
    assert_true(capy_read_call(in, &call) && call == 1 && capy_read_now(in) == 2001);
    assert_int_equal(capy_get_number(in), 0);
    assert_false(capy_read_call(in, &call));
    capy_read_close(in);
}

static void test_size_limit(void **state)
{
    (void)state;
    static uint8_t bytes[1000];
    struct capy_record *r = begin(1u << 20, false);
    struct capy_record_status st;
    unsigned cnt = 0;
    while (put(r, cnt, bytes, sizeof bytes, 1000))
        cnt++;
    assert_false(put(r, 1, bytes, sizeof bytes, 2000)); /* for good */
    capy_record_status(r, &st);
    assert_string_equal(st.state, "ended: its size limit");
    capy_record_close(r);

    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    assert_true(file.st_size <= 1 << 20 && file.st_size > 3 << 18);
    struct capy_read *in = open_reader();
    unsigned got = 0;
    while (get(in, got, 0, sizeof bytes, 1000))
        got++;
    assert_int_equal(got, cnt - 1); /* the one that found no room ends in the middle */
    assert_int_equal(end_of(in), CAPY_READ_LIMIT);
    capy_read_close(in);
}

/* Its end mark is there, whole. */
static bool is_whole(const uint8_t *file, size_t len)
{
    size_t at = CAPY_RECORD_MAGIC_LEN;
    while (len >= at + CAPY_RECORD_HEADER_LEN) {
        size_t next = at + CAPY_RECORD_HEADER_LEN + capy_load32(file + at + 4);
        if (file[at] == CAPY_RECORD_END)
            return len >= next;
        at = next;
    }
    return false;
}

/* A pipe that nobody reads is the slowest disk there is: the program goes on, the recording ends. */
static void test_slow_disk(void **state)
{
    (void)state;
    static uint8_t bytes[100000], file[10u << 20];
    size_t len = 0;
    assert_int_equal(mkfifo(path, 0600), 0);
    int in_fd = open(path, O_RDWR | O_NONBLOCK);
    assert_true(in_fd >= 0);
    struct capy_record *r = begin(0, false);
    unsigned cnt = 0;
    while (put(r, cnt, bytes, sizeof bytes, 1000))
        cnt++;
    size_t most = (size_t)CAPY_RECORD_BLOCK_CNT * CAPY_RECORD_BLOCK_MAX;
    assert_in_range(cnt, 10, (most + (1u << 20)) / sizeof bytes + 1); /* the ring and the pipe */
    struct capy_record_status st;
    capy_record_status(r, &st);
    assert_string_equal(st.state, "ended: the disk is too slow");

    while (!is_whole(file, len)) { /* now it is read: the writer writes the rest, and its mark */
        ssize_t n = read(in_fd, file + len, sizeof file - len);
        len += n > 0 ? (size_t)n : 0;
        if (n < 0)
            usleep(1000);
    }
    capy_record_close(r);
    close(in_fd);
    assert_int_equal(unlink(path), 0);
    FILE *out = fopen(path, "w");
    assert_int_equal(fwrite(file, 1, len, out), len);
    fclose(out);
    struct capy_read *in = open_reader();
    unsigned got = 0;
    while (get(in, got, 0, sizeof bytes, 1000))
        got++;
    assert_int_equal(got, cnt - 1); /* the one that found no room ends in the middle */
    assert_int_equal(end_of(in), CAPY_READ_SLOW);
    capy_read_close(in);
}

/* A disk that fails is no reason for the program to. */
static void test_full_disk(void **state)
{
    (void)state;
    static uint8_t bytes[100000];
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 1u << 20;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct capy_record *r = begin(0, false);
    uint64_t cnt = 0;
    while (put(r, cnt, bytes, sizeof bytes, 1000) && cnt < 100000)
        cnt++;
    assert_true(cnt < 100000);
    struct capy_record_status st = {.state = ""};
    while (strcmp(st.state, "File too large") != 0) { /* the writer comes to it in its own time */
        usleep(1000);
        capy_record_status(r, &st);
    }
    capy_record_close(r);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    struct capy_read *in = open_reader();
    unsigned got = 0;
    while (get(in, got, 0, sizeof bytes, 1000))
        got++;
    assert_true(got >= 7 && got <= 10);
    assert_int_equal(end_of(in), CAPY_READ_KILLED);
    capy_read_close(in);
}

/* Runs a child that records cnt calls and then dies of `death`; 0: by exit, without closing. */
static void record_and_die(unsigned cnt, int death)
{
    static uint8_t bytes[1000];
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        for (int s = 1; s < 32; s++)
            (void)signal(s, SIG_DFL); /* sanitizers and cmocka have theirs */
        struct capy_record *r = begin(0, false);
        for (unsigned i = 0; i < cnt; i++)
            (void)put(r, i, bytes, sizeof bytes, 1000);
        (void)capy_put_begin(r, 99, 1001);
        capy_put_number(r, 12345);
        if (death == SIGABRT)
            abort(); /* what CAPY_ASSERT does */
        (void)raise(death);
        _exit(1);
    }
    int status = 0;
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == death);
}

static void test_killed(void **state)
{
    (void)state;
    record_and_die(10000, SIGKILL);
    struct capy_read *in = open_reader();
    unsigned got = 0;
    while (get(in, got, 0, 1000, 1000))
        got++;
    assert_in_range(got, 0, 9999);
    assert_int_equal(end_of(in), CAPY_READ_KILLED);
    capy_read_close(in);
}

/* What the program died in is the last call, with its arguments. */
static void test_crashed(void **state)
{
    (void)state;
    const int deaths[] = {SIGABRT, SIGSEGV, SIGFPE};
    for (unsigned i = 0; i < 3; i++) {
        record_and_die(1000, deaths[i]);
        struct capy_read *in = open_reader();
        uint8_t call;
        for (unsigned k = 0; k < 1000; k++)
            assert_true(get(in, k, 0, 1000, 1000));
        assert_true(capy_read_call(in, &call) && call == 99 && capy_read_now(in) == 1001);
        assert_int_equal(capy_get_number(in), 12345);
        assert_true(capy_read_whole(in));
        assert_int_equal(capy_get_signed(in), 0);
        assert_false(capy_read_whole(in));
        assert_false(capy_read_call(in, &call));
        assert_int_equal(end_of(in), CAPY_READ_CRASHED);
        capy_read_close(in);
    }
}

/* It holds keys: nobody else may read it. And a server that starts again keeps what it died of. */
static void test_the_file(void **state)
{
    (void)state;
    struct stat st;
    char err[256];
    umask(0);
    capy_record_close(begin(0, false));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    ino_t first = st.st_ino;
    capy_record_close(begin(0, false));
    assert_true(stat(old, &st) == 0 && st.st_ino == first);
    const struct capy_record_options nowhere = {.path = "/nowhere/file"}, folder = {.path = "/tmp"};
    assert_null(capy_record_open(&nowhere, NULL, 0, 0, err, sizeof err));
    assert_non_null(strstr(err, "/nowhere/file: No such file"));
    assert_null(capy_record_open(&folder, NULL, 0, 0, err, sizeof err));
    assert_non_null(strstr(err, "/tmp: Is a directory"));
}

static size_t load(uint8_t *bytes, size_t room)
{
    FILE *f = fopen(path, "r");
    size_t len = fread(bytes, 1, room, f);
    fclose(f);
    assert_true(len > 0 && len < room);
    return len;
}

/* From now on path is a file in memory: disks take their time when files are written anew. */
static void forget_disk(void)
{
    static int memory = -1;
    (void)unlink(path);
    if (memory < 0)
        memory = memfd_create("recording", MFD_CLOEXEC);
    assert_true(memory >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
}

static void store(const uint8_t *bytes, size_t len)
{
    FILE *f = fopen(path, "w");
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    fclose(f);
}

/* How many calls come whole, and the end; -1: it does not open. */
static int read_all(enum capy_read_end *end)
{
    char err[256] = "";
    int got = 0;
    struct capy_read *in = capy_read_open(path, err, sizeof err);
    if (!in) {
        assert_non_null(strstr(err, path));
        return -1;
    }
    while (get(in, (uint64_t)got, 3, 20, 1000))
        got++;
    *end = end_of(in);
    capy_read_close(in);
    return got;
}

static size_t write_small(uint8_t *bytes, size_t room)
{
    uint8_t some[20];
    memset(some, 3, sizeof some);
    struct capy_record *r = begin(0, false);
    for (unsigned i = 0; i < 20; i++)
        assert_true(put(r, i, some, sizeof some, 1000));
    capy_record_close(r);
    return load(bytes, room);
}

static void test_cut_anywhere(void **state)
{
    (void)state;
    static uint8_t bytes[4096];
    enum capy_read_end end = CAPY_READ_CLOSED;
    size_t len = write_small(bytes, sizeof bytes);
    forget_disk();
    for (size_t n = 0; n < len; n++) {
        store(bytes, n);
        int got = read_all(&end);
        assert_true(got == -1 || got == 0 || got == 20); /* the calls lie in one block */
        assert_true(got == -1 || end == CAPY_READ_KILLED);
    }
}

static void test_every_changed_bit_is_noticed(void **state)
{
    (void)state;
    static uint8_t bytes[4096];
    enum capy_read_end end = CAPY_READ_CLOSED;
    size_t len = write_small(bytes, sizeof bytes);
    assert_int_equal(read_all(&end), 20);
    assert_int_equal(end, CAPY_READ_CLOSED);
    forget_disk();
    for (size_t bit = 0; bit < 8 * len; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        store(bytes, len);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        int got = read_all(&end);
        /* A length that grew reaches beyond the file: as if cut. */
        assert_true(got == -1 || end == CAPY_READ_DAMAGED || end == CAPY_READ_KILLED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_path, remove_path)
        TEST(test_what_is_written_is_read),
        TEST(test_calls_span_blocks),
        TEST(test_calls_that_change_nothing_are_kept_once),
        TEST(test_size_limit),
        TEST(test_slow_disk),
        TEST(test_full_disk),
        TEST(test_killed),
        TEST(test_crashed),
        TEST(test_the_file),
        TEST(test_cut_anywhere),
        TEST(test_every_changed_bit_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
