/* The writer of recordings; see record.h. Two threads share a ring of blocks: `given` counts those that
 * the program handed over, `written` those that are in the file. Each is written by one side only. */
#define _GNU_SOURCE /* pthread_timedjoin_np */
#include "record/record.h"
#include "record/crash.h"
#include "record/put.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CLOSE_PATIENCE_S 10 /* for a slow disk, when the program ends */

struct block {
    uint32_t type, len;
    uint64_t call_cnt, now;                 /* before it */
    uint8_t header[CAPY_RECORD_HEADER_LEN]; /* and right behind it, as in the file: */
    uint8_t payload[CAPY_RECORD_BLOCK_MAX];
};
_Static_assert(offsetof(struct block, payload) ==
                   offsetof(struct block, header) + CAPY_RECORD_HEADER_LEN,
               "a block is written as it lies");

struct capy_record_writer {
    struct capy_record record;
    struct block *ring; /* CAPY_RECORD_BLOCK_CNT */
    char path[512];
    int fd;
    uint64_t size_max, size; /* handed over, headers too */
    bool over;               /* the program's side: nothing more is recorded */
    _Atomic uint64_t given, written;
    uint64_t call_cnt, now; /* at the end, for its mark */
    _Atomic int end;        /* enum capy_record_end; 0: it goes on */
    _Atomic int failed;     /* errno of the disk */
    sem_t work;
    pthread_t thread;
    uint8_t spill[CAPY_RECORD_HEAD_MAX]; /* where a call ends that is recorded no more */
};

/* ---- the thread that writes ---- */

static bool write_all(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static bool write_block(int fd, struct block *b, uint64_t number)
{
    uint8_t *h = b->header;
    memset(h, 0, CAPY_RECORD_HEADER_LEN);
    h[0] = (uint8_t)b->type;
    capy_store32(h + 4, b->len);
    capy_store64(h + 8, number);
    capy_store64(h + 16, b->call_cnt);
    capy_store64(h + 24, b->now);
    capy_store64(h + CAPY_RECORD_HASHED_LEN, capy_record_hash(h, CAPY_RECORD_HASHED_LEN) ^
                                                 capy_record_hash(b->payload, b->len));
    return write_all(fd, h, CAPY_RECORD_HEADER_LEN + (size_t)b->len);
}

static void *write_blocks(void *ctx)
{
    struct capy_record_writer *w = ctx;
    uint64_t number = atomic_load(&w->written);
    for (;;) {
        uint64_t given = atomic_load(&w->given);
        if (number == given) {
            int end = atomic_load(&w->end); /* set after the last block was given */
            if (end != 0 && number == atomic_load(&w->given))
                break;
            while (sem_wait(&w->work) != 0)
                ;
            continue;
        }
        if (!write_block(w->fd, &w->ring[number % CAPY_RECORD_BLOCK_CNT], number)) {
            atomic_store(&w->failed, errno ? errno : EIO);
            return NULL;
        }
        atomic_store(&w->written, ++number);
    }
    /* No block of the ring: none may be free. */
    struct block *last = calloc(1, sizeof *last);
    if (last) {
        last->type = CAPY_RECORD_END;
        last->len = 1;
        last->payload[0] = (uint8_t)atomic_load(&w->end);
        last->call_cnt = w->call_cnt;
        last->now = w->now;
        (void)write_block(w->fd, last, number);
    }
    free(last);
    return NULL;
}

/* ---- the program's side ---- */

static struct block *in_hand(struct capy_record_writer *w)
{
    return &w->ring[atomic_load_explicit(&w->given, memory_order_relaxed) % CAPY_RECORD_BLOCK_CNT];
}

/* Makes the block in hand ready to be filled. */
static void take_block(struct capy_record_writer *w, uint32_t type)
{
    struct block *b = in_hand(w);
    b->type = type;
    b->call_cnt = w->record.call_cnt;
    b->now = w->record.now;
    w->record.at = b->payload;
    w->record.end = b->payload + CAPY_RECORD_BLOCK_MAX;
    w->record.block_due = CAPY_NEVER;
}

static void give_block(struct capy_record_writer *w)
{
    struct block *b = in_hand(w);
    b->len = (uint32_t)(w->record.at - b->payload);
    w->size += CAPY_RECORD_HEADER_LEN + b->len;
    atomic_fetch_add(&w->given, 1);
    (void)sem_post(&w->work);
}

/* Nothing more is recorded. */
static void be_over(struct capy_record_writer *w, enum capy_record_end end)
{
    w->over = true;
    w->record.at = w->spill;
    w->record.end = w->spill;
    w->call_cnt = w->record.call_cnt;
    w->now = w->record.now;
    atomic_store(&w->end, (int)end);
    (void)sem_post(&w->work);
}

bool capy_record_next_block(struct capy_record *r, uint64_t now)
{
    struct capy_record_writer *w = r->writer;
    if (w->over) {
        r->at = w->spill; /* for what a call in hand still puts */
        return false;
    }
    if (r->at > in_hand(w)->payload)
        give_block(w);
    uint64_t waiting = atomic_load(&w->given) - atomic_load(&w->written);
    bool large =
        w->size_max && w->size + CAPY_RECORD_HEADER_LEN + CAPY_RECORD_BLOCK_MAX > w->size_max;
    if (waiting == CAPY_RECORD_BLOCK_CNT || large || atomic_load(&w->failed) != 0) {
        be_over(w, large ? CAPY_RECORD_LIMIT : CAPY_RECORD_SLOW);
        return false;
    }
    take_block(w, CAPY_RECORD_CALLS);
    r->block_due = now + CAPY_RECORD_FLUSH_NS;
    return true;
}

void capy_put_bytes_slowly(struct capy_record *r, const uint8_t *data, size_t len)
{
    for (;;) {
        size_t n = (size_t)(r->end - r->at) < len ? (size_t)(r->end - r->at) : len;
        if (r->writer->over)
            return;
        if (n > 0)
            memcpy(r->at, data, n);
        r->at += n;
        data += n;
        len -= n;
        bool room = r->end - r->at >= (ptrdiff_t)CAPY_RECORD_HEAD_MAX;
        if (len == 0 && room)
            return;
        if (!capy_record_next_block(r, r->now))
            return;
    }
}

void capy_record_rest(struct capy_record *r, uint64_t now, uint64_t wake_at)
{
    if (r && !r->writer->over && r->at > in_hand(r->writer)->payload &&
        wake_at > now + CAPY_RECORD_FLUSH_NS)
        (void)capy_record_next_block(r, now);
}

/* The program dies: what is in memory is handed over, and the other thread writes it meanwhile. Only
 * what a signal handler may do. */
void capy_record_crashed(struct capy_record *r)
{
    struct capy_record_writer *w = r->writer;
    if (w->over || atomic_load(&w->failed) != 0)
        return;
    struct block *b = in_hand(w);
    if (r->at > b->payload && r->at <= r->end) {
        b->type = CAPY_RECORD_TORN;
        give_block(w);
    }
    for (unsigned ms = 0; ms < CAPY_RECORD_CRASH_MS; ms++) {
        if (atomic_load(&w->written) == atomic_load(&w->given) || atomic_load(&w->failed) != 0)
            return;
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

void capy_record_status(const struct capy_record *r, struct capy_record_status *out)
{
    const struct capy_record_writer *w = r->writer;
    int failed = atomic_load(&w->failed);
    *out = (struct capy_record_status){
        .path = w->path, .call_cnt = r->call_cnt, .bytes = w->size, .state = "recording"};
    if (failed != 0)
        out->state = strerror(failed);
    else if (w->over)
        out->state = atomic_load(&w->end) == CAPY_RECORD_LIMIT ? "ended: its size limit"
                                                               : "ended: the disk is too slow";
}

/* ---- begin and end ---- */

/* A recording is as secret as the key in it. A pipe will do as well as a file (PATH stays then). */
static int open_file(const char *path)
{
    struct stat st;
    char old[520];
    bool there = stat(path, &st) == 0;
    if (there && S_ISREG(st.st_mode)) {
        (void)snprintf(old, sizeof old, "%s.old", path);
        if (rename(path, old) != 0)
            return -1;
    }
    if (there && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return -1;
    }
    return open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
}

static int start_thread(struct capy_record_writer *w)
{
    sigset_t all, before;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the program's business */
    int rc = pthread_create(&w->thread, NULL, write_blocks, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static void drop(struct capy_record_writer *w)
{
    if (!w)
        return;
    if (w->fd >= 0)
        (void)close(w->fd);
    if (w->ring)
        (void)munmap(w->ring, CAPY_RECORD_BLOCK_CNT * sizeof *w->ring);
    free(w);
}

static struct capy_record_writer *make(const struct capy_record_options *opt)
{
    struct capy_record_writer *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->fd = -1;
    w->size_max = opt->size_max;
    w->record.whole_frames = opt->whole_frames;
    w->record.writer = w;
    (void)snprintf(w->path, sizeof w->path, "%s", opt->path);
    (void)sem_init(&w->work, 0, 0);
    /* Pages come into being when a disk falls behind. */
    void *mem = mmap(NULL, CAPY_RECORD_BLOCK_CNT * sizeof *w->ring, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mem == MAP_FAILED) {
        drop(w);
        return NULL;
    }
    w->ring = mem;
    return w;
}

/* Magic and setup, before anything is recorded: a program killed in its first moment leaves a recording
 * that ends there. */
static bool write_start(struct capy_record_writer *w, const uint8_t *setup, size_t setup_len)
{
    take_block(w, CAPY_RECORD_SETUP);
    struct block *b = in_hand(w);
    memcpy(b->payload, setup, setup_len);
    b->len = (uint32_t)setup_len;
    w->size = CAPY_RECORD_MAGIC_LEN + CAPY_RECORD_HEADER_LEN + setup_len;
    w->given = w->written = 1;
    return write_all(w->fd, (const uint8_t *)CAPY_RECORD_MAGIC, CAPY_RECORD_MAGIC_LEN) &&
           write_block(w->fd, b, 0);
}

struct capy_record *capy_record_open(const struct capy_record_options *opt, const uint8_t *setup,
                                     size_t setup_len, uint64_t now, char *err, size_t err_len)
{
    struct capy_record_writer *w = make(opt);
    if (!w || setup_len > CAPY_RECORD_BLOCK_MAX || strlen(opt->path) >= sizeof w->path) {
        (void)snprintf(err, err_len, "record %.64s: %s", opt->path,
                       w ? "name a shorter path" : "out of memory");
        drop(w);
        return NULL;
    }
    w->fd = open_file(opt->path);
    w->record.now = now;
    w->record.idle_cnt = UINT64_MAX;
    if (w->fd < 0 || !write_start(w, setup, setup_len)) {
        (void)snprintf(err, err_len, "record %s: %s; name a file in a writable directory",
                       opt->path, strerror(errno));
        drop(w);
        return NULL;
    }
    take_block(w, CAPY_RECORD_CALLS);
    w->record.block_due = now + CAPY_RECORD_FLUSH_NS;
    if (start_thread(w) != 0) {
        (void)snprintf(err, err_len, "record %s: no thread for it", opt->path);
        drop(w);
        return NULL;
    }
    capy_record_watch_crash(&w->record);
    return &w->record;
}

void capy_record_close(struct capy_record *r)
{
    if (!r)
        return;
    struct capy_record_writer *w = r->writer;
    capy_record_watch_crash(NULL);
    if (!w->over) {
        if (r->at > in_hand(w)->payload)
            give_block(w);
        be_over(w, CAPY_RECORD_CLOSED);
    }
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_PATIENCE_S;
    if (pthread_timedjoin_np(w->thread, NULL, &until) == 0)
        drop(w); /* else the thread still reads it, and ends with the program */
}
