/* The same by seeds: thousands of runs, and what the connections were like that moved in them. A
 * state or a feature that no connection had fails the test: then the runs prove less than they say.
 *
 *     fuzz-twins-test [RUNS [SEED]]           a failure prints the seed of its run
 *     fuzz-twins-test RUNS SEED FOLDER        writes some of the connections that move to
 *                                             FOLDER/snapshot and FOLDER/carry, as seeds for these
 *                                             two fuzz targets: after a change of the format */
#include "target.h"
#include "tcp/snapshot.h"
#include "twins.h"
#include <signal.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SANITIZED
#define RUNS 800u /* sanitizers take their time */
#else
#define RUNS 6000u
#endif

static unsigned long long seed;

/* Not async-signal-safe in general, but this is the end of the program. */
static void tell_seed(int signal)
{
    fprintf(stderr, "the run that failed: fuzz-twins-test 1 %llu\n", seed);
    _exit(128 + signal);
}

/* ---- seeds --------------------------------------------------------------------------------- */

enum { SEED_EVERY = 37, SEED_LEN_MAX = 6000 };

static const char *folder;

/* Both targets take one byte of conditions first. */
static void write_seed(const char *target, unsigned no, const uint8_t *data, uint32_t len)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s/seed-%06u", folder, target, no);
    FILE *out = fopen(path, "wbe");
    if (!out || fputc((int)(no & 7u), out) == EOF || fwrite(data, 1, len, out) != len ||
        fclose(out) != 0) {
        fprintf(stderr, "fuzz-twins-test: %s: cannot be written; make the folder\n", path);
        exit(2);
    }
}

static void keep_record(struct capy_stack *from, struct capy_conn *c, const uint8_t *record,
                        uint32_t len)
{
    static unsigned cnt;
    static struct capy_snap snap;
    static uint8_t bytes[TWINS_RECORD_MAX];
    if (len > SEED_LEN_MAX || cnt++ % SEED_EVERY != 0)
        return;
    write_seed("carry", cnt, record, len);
    if (!capy_conn_synchronized(c))
        return;
    struct capy_tcp_env env = capy_env(from);
    struct capy_snap_meta meta = {c->next_hop, c->app_len, c->user_flags};
    capy_snap_take(&snap, &c->tcb, &env, &meta, &c->app);
    capy_snap_read(&snap, &from->blocks, 0, bytes, capy_snap_len(&snap));
    write_seed("snapshot", cnt, bytes, capy_snap_len(&snap));
}

/* ---- runs ---------------------------------------------------------------------------------- */

static bool print_seen(const struct twins_seen *seen)
{
    bool all = true;
    for (unsigned s = CAPY_TCP_SYN_SENT; s < CAPY_TCP_STATE_CNT; s++) {
        printf("%10llu  %s\n", (unsigned long long)seen->state[s],
               capy_tcp_state_name((enum capy_tcp_state)s));
        all = all && seen->state[s] > 0;
    }
    for (unsigned f = 0; f < TWINS_FEATURE_CNT; f++) {
        printf("%10llu  %s\n", (unsigned long long)seen->feature[f],
               twins_feature_name((enum twins_feature)f));
        all = all && seen->feature[f] > 0;
    }
    return all;
}

int main(int argc, char **argv)
{
    unsigned long long runs = argc > 1 ? strtoull(argv[1], NULL, 10) : RUNS;
    unsigned long long first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    static struct twins_seen seen;
    folder = argc > 3 ? argv[3] : NULL;
    seen.record = folder ? keep_record : NULL;
    (void)signal(SIGABRT, tell_seed);
    for (seed = first; seed < first + runs; seed++) {
        struct capy_prng prng;
        capy_prng_seed(&prng, seed);
        struct fuzz_bytes b = {NULL, 0, &prng};
        twins_run(&b, &seen);
    }
    bool all = print_seen(&seen);
    printf("%llu runs: %llu moves of a connection, %llu frames, all the same\n", runs,
           (unsigned long long)seen.moves, (unsigned long long)seen.frames);
    if (!all && argc == 1) {
        printf("a state or feature above was never seen: the runs prove too little\n");
        return 1;
    }
    return 0;
}
