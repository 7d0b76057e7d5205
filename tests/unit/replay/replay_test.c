/* replay/: a recorded server does the same again, stops where it is told to, and says where a recording
 * was changed. The recording: a rack in memory (tests/unit/sock/rig.h), in which a connection is used,
 * moves to the other server and is used there. That what every other test of that rack does replays
 * identically, rig_close checks. */
#define _GNU_SOURCE /* memmem, memfd_create */
#include "base/prng.h"
#include "record/format.h"
#include "replay/replay.h"
#include "rig.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_MAX (1u << 20)

static struct rig rig;
static uint8_t bytes[FILE_MAX]; /* of s1's recording */
static size_t bytes_len;
static char told[FILE_MAX], err[512];
static char changed[64];

static void load(const char *path)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    bytes_len = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    assert_in_range(bytes_len, 1000, sizeof bytes - 1);
}

static int set_up(void **state)
{
    (void)state;
    int qd;
    rig_open(&rig, NULL);
    capy_handle conn = rig_connect(&rig, 0, &qd);
    rig_client_send(&rig, conn, "question");
    rig_read(&rig, 0, qd, "question");
    assert_int_equal(capy_push(rig.os[0], qd, "answer", 6), 6);
    rig_client_expect(&rig, conn, "answer");
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    assert_int_equal(capy_migrate(rig.os[0], qd, "s2"), CAPY_OK);
    rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
    struct capy_done done = rig_expect(&rig, 1, CAPY_OP_ACCEPT);
    rig_client_send(&rig, conn, "another");
    rig_read(&rig, 1, done.accepted, "another");
    rig_close_and_keep(&rig);
    load(rig.recording[0]);
    /* In memory: disks take their time when files are written anew. */
    snprintf(changed, sizeof changed, "/proc/self/fd/%d", memfd_create("changed", MFD_CLOEXEC));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RIG_SERVERS; i++)
        (void)unlink(rig.recording[i]);
    return 0;
}

/* What it prints is in told, an error in err. */
static int replay(struct capy_replay_options opt)
{
    told[0] = err[0] = 0;
    opt.out = fmemopen(told, sizeof told, "w");
    assert_non_null(opt.out);
    int rc = capy_replay(&opt, err, sizeof err);
    fclose(opt.out);
    return rc;
}

/* The recording with other bytes, and hashes that fit them: as a program made it that does otherwise. */
static void store_changed(uint8_t *file)
{
    for (size_t at = CAPY_RECORD_MAGIC_LEN; at + CAPY_RECORD_HEADER_LEN <= bytes_len;) {
        uint8_t *h = file + at;
        uint32_t len = capy_load32(h + 4);
        if (len > bytes_len - at - CAPY_RECORD_HEADER_LEN)
            break;
        capy_store64(h + CAPY_RECORD_HASHED_LEN,
                     capy_record_hash(h, CAPY_RECORD_HASHED_LEN) ^
                         capy_record_hash(h + CAPY_RECORD_HEADER_LEN, len));
        at += CAPY_RECORD_HEADER_LEN + len;
    }
    FILE *f = fopen(changed, "w");
    assert_int_equal(fwrite(file, 1, bytes_len, f), bytes_len);
    fclose(f);
}

/* Where the first block of calls begins, its header excluded. */
static size_t calls_at(void)
{
    return CAPY_RECORD_MAGIC_LEN + CAPY_RECORD_HEADER_LEN +
           capy_load32(bytes + CAPY_RECORD_MAGIC_LEN + 4) + CAPY_RECORD_HEADER_LEN;
}

static void test_identical(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RIG_SERVERS; i++) {
        assert_int_equal(replay((struct capy_replay_options){.file = rig.recording[i]}), CAPY_OK);
        assert_non_null(strstr(told, i == 0 ? ": s1, recorded by" : ": s2, recorded by"));
        assert_non_null(strstr(told, " s: identical\nthe program ended\n"));
    }
}

static unsigned long number_before(const char *word)
{
    const char *at = strstr(told, word);
    assert_non_null(at);
    while (at > told && at[-1] != '\n' && at[-1] != ',')
        at--;
    return strtoul(at[0] == ' ' ? at + 1 : at, NULL, 10);
}

/* At every event it can stop, and what it has done by then is the same each time. */
static void test_stops_at_an_event(void **state)
{
    (void)state;
    unsigned seen = 0;
    assert_int_equal(replay((struct capy_replay_options){.file = rig.recording[0]}), CAPY_OK);
    unsigned long all = number_before(" events");
    for (unsigned long n = 1; n < all; n += 1 + all / 200) {
        assert_int_equal(replay((struct capy_replay_options){
                             .file = rig.recording[0], .event = n, .connections = true}),
                         CAPY_OK);
        assert_int_equal(number_before(" events"), n);
        assert_non_null(strstr(told, "stopped as asked"));
        seen |= strstr(told, "10.99.0.100:") && strstr(told, " ESTABLISHED ") ? 1u : 0u;
        seen |= strstr(told, " ESTABLISHED ") ? 0u : 2u;
    }
    assert_int_equal(seen, 3);                  /* the connection was there, and was not */
    assert_null(strstr(told, " ESTABLISHED ")); /* at last it lives elsewhere */
}

static void test_stops_at_a_frame(void **state)
{
    (void)state;
    assert_int_equal(replay((struct capy_replay_options){.file = rig.recording[0], .frame = 5}),
                     CAPY_OK);
    assert_int_equal(number_before(" frames out"), 5);
}

static void test_stops_at_a_time(void **state)
{
    (void)state;
    const uint64_t until = CAPY_MIG_QUIET_NS + CAPY_MS(3);
    assert_int_equal(replay((struct capy_replay_options){
                         .file = rig.recording[0], .until_given = true, .until_ns = until}),
                     CAPY_OK);
    unsigned long some = number_before(" events");
    assert_non_null(strstr(told, "stopped as asked"));
    assert_int_equal(replay((struct capy_replay_options){.file = rig.recording[0]}), CAPY_OK);
    assert_in_range(some, 2, number_before(" events") - 1);
    assert_int_equal(replay((struct capy_replay_options){
                         .file = rig.recording[0], .until_given = true, .until_ns = CAPY_SEC(99)}),
                     CAPY_OK);
    assert_non_null(strstr(told, "the program ended")); /* it ends before */
}

static void test_prints_every_event(void **state)
{
    (void)state;
    assert_int_equal(replay((struct capy_replay_options){.file = rig.recording[0], .print = true}),
                     CAPY_OK);
    unsigned long lines = 0;
    for (const char *at = told; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, number_before(" events") + 3); /* the first line, and two at the end */
    assert_non_null(strstr(told, " listen port=80 user="));
    assert_non_null(strstr(told, " data of 6 bytes result=6\n"));
    assert_non_null(strstr(told, " -> 10.99.0.11:80 > 10.99.0.100:"));
    assert_non_null(strstr(told, "TCPMig PREPARE_MIG offload=0\n"));
}

static void test_writes_a_capture(void **state)
{
    (void)state;
    static uint8_t pcap[FILE_MAX];
    assert_int_equal(
        replay((struct capy_replay_options){.file = rig.recording[0], .pcap = changed}), CAPY_OK);
    FILE *f = fopen(changed, "r");
    size_t len = fread(pcap, 1, sizeof pcap, f), frames = 0;
    fclose(f);
    for (size_t at = 0; at + 12 <= len;) { /* blocks: type, length, in this machine's order */
        uint32_t type, block;
        memcpy(&type, pcap + at, 4);
        memcpy(&block, pcap + at + 4, 4);
        assert_true(block >= 12 && block <= len - at);
        frames += type == 6; /* an enhanced packet block */
        at += block;
    }
    assert_int_equal(frames, number_before(" frames in") + number_before(" frames out"));
    const char *recording = rig.recording[0]; /* which it must not write over */
    assert_int_equal(replay((struct capy_replay_options){.file = recording, .pcap = recording}),
                     CAPY_E_SYS);
    assert_int_equal(replay((struct capy_replay_options){.file = recording}), CAPY_OK);
}

/* One byte of a frame that came in, an answer, a result: each is told, with the event and the time. */
static void test_says_where_it_differs(void **state)
{
    (void)state;
    static uint8_t file[FILE_MAX];
    static const char question[] = "question", answer[] = "answer";
    const uint8_t *at = memmem(bytes, bytes_len, question, sizeof question - 1);
    assert_non_null(at);
    memcpy(file, bytes, bytes_len);
    file[at - bytes] ^= 1; /* its checksum is wrong now: the stack drops it */
    store_changed(file);
    assert_int_equal(replay((struct capy_replay_options){.file = changed}), CAPY_E_STATE);
    assert_non_null(strstr(told, "event "));
    assert_non_null(strstr(told, " differs\n  recorded  "));
    assert_non_null(strstr(told, " ESTABLISHED "));
    assert_non_null(strstr(told, ": DIFFERENT\n"));

    at = memmem(bytes, bytes_len, answer, sizeof answer - 1);
    assert_non_null(at);
    memcpy(file, bytes, bytes_len);
    file[at - bytes] ^= 1;
    store_changed(file);
    assert_int_equal(replay((struct capy_replay_options){.file = changed}), CAPY_E_STATE);
    assert_non_null(strstr(told, ": the frame sent differs\n"));
    assert_non_null(strstr(told, ": 10.99.0.11:80 > 10.99.0.100:")); /* what it is now */

    memcpy(file, bytes, bytes_len);
    file[at - bytes + 6] = 10; /* its result: 5 bytes were taken, it says */
    store_changed(file);
    assert_int_equal(replay((struct capy_replay_options){.file = changed}), CAPY_E_STATE);
    assert_non_null(strstr(told, ": result differs\n  recorded  5\n  replayed  6\n"));
}

static void test_damage_is_told(void **state)
{
    (void)state;
    static uint8_t file[FILE_MAX];
    memcpy(file, bytes, bytes_len);
    store_changed(file);
    FILE *f = fopen(changed, "r+");
    assert_int_equal(fseek(f, (long)calls_at() + 100, SEEK_SET), 0);
    fputc(bytes[calls_at() + 100] ^ 1, f);
    fclose(f);
    assert_int_equal(replay((struct capy_replay_options){.file = changed}), CAPY_E_STATE);
    assert_non_null(strstr(told, "identical up to the damage\ndamaged: block "));
}

static void expect_refused(const char *why)
{
    assert_int_equal(replay((struct capy_replay_options){.file = changed}), CAPY_E_FORMAT);
    assert_non_null(strstr(err, why));
    assert_null(strchr(err, '\n'));
}

static void test_what_is_no_recording_of_ours_is_refused(void **state)
{
    (void)state;
    static uint8_t file[FILE_MAX];
    memcpy(file, bytes, bytes_len);
    uint8_t *call = memmem(file, bytes_len, "none expire", 11);
    assert_non_null(call);
    call[0] = 'x';
    store_changed(file);
    expect_refused("was recorded by another capy (");
    memcpy(file, bytes, bytes_len);
    uint8_t *rack = memmem(file, bytes_len, "servers = (", 11);
    assert_non_null(rack);
    rack[8] = '?';
    store_changed(file);
    expect_refused("is damaged in its first block: ");
    memcpy(file, bytes, bytes_len);
    file[7]++;
    store_changed(file);
    expect_refused("is a recording of another version; ");
    file[0] = '#';
    store_changed(file);
    expect_refused("is no recording; ");
    snprintf(changed, sizeof changed, "/nowhere");
    expect_refused("No such file or directory; name a file");
}

/* Whatever a recording says, replaying it ends, and in one of three ways: asserted by running on. */
static void test_any_calls_may_be_recorded(void **state)
{
    (void)state;
    static uint8_t file[FILE_MAX];
    struct capy_prng prng;
    unsigned different = 0, damaged = 0;
    capy_prng_seed(&prng, 1);
    for (unsigned round = 0; round < 400; round++) {
        memcpy(file, bytes, bytes_len);
        unsigned cnt = 1 + (unsigned)(capy_prng_next(&prng) % 4);
        for (unsigned i = 0; i < cnt; i++) {
            size_t at = calls_at() + (size_t)(capy_prng_next(&prng) % (bytes_len - calls_at()));
            file[at] = (uint8_t)capy_prng_next(&prng);
        }
        store_changed(file);
        int rc = replay((struct capy_replay_options){.file = changed, .print = round % 2 == 0});
        assert_true(rc == CAPY_OK || rc == CAPY_E_STATE);
        different += strstr(told, ": DIFFERENT\n") != NULL;
        damaged += strstr(told, "identical up to the damage") != NULL;
    }
    assert_true(different > 100 && damaged > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identical),
        cmocka_unit_test(test_stops_at_an_event),
        cmocka_unit_test(test_stops_at_a_frame),
        cmocka_unit_test(test_stops_at_a_time),
        cmocka_unit_test(test_prints_every_event),
        cmocka_unit_test(test_writes_a_capture),
        cmocka_unit_test(test_says_where_it_differs),
        cmocka_unit_test(test_damage_is_told),
        cmocka_unit_test(test_any_calls_may_be_recorded),
        cmocka_unit_test(test_what_is_no_recording_of_ours_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
