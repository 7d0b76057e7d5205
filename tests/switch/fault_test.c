/* Fault injection in virtual time: what is lost, repeated, overtaken and late, by exact seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka needs the three above first */
#include <cmocka.h>

#include "switch/user/fault.h"
#include "wire/frame.h"
#include "wire/tcpmig.h"

#define TCPMIG_PORT 7777
#define PENDING 512
#define START CAPY_SEC(5)

struct rig {
    struct capy_fault *fault;
    struct capy_fault_counters n;
};

static struct capy_fault *make(uint32_t pending)
{
    void *mem = aligned_alloc(64, (capy_fault_size(pending) + 63u) & ~(size_t)63u);
    assert_non_null(mem);
    return capy_fault_init(mem, pending, TCPMIG_PORT);
}

static int rig_up(void **state)
{
    static struct rig rig;
    rig.fault = make(PENDING);
    *state = &rig;
    return 0;
}

static int rig_down(void **state)
{
    free(((struct rig *)*state)->fault);
    return 0;
}

static void enter(struct capy_fault *f, uint32_t n, uint64_t now)
{
    uint8_t frame[CAPY_FRAME_MIN] = {0};
    capy_store32(frame + CAPY_ETHER_LEN, n);
    capy_fault_input(f, frame, sizeof frame, now);
}

/* The number of the next frame out, or -1. */
static int64_t leave(struct capy_fault *f, uint64_t now)
{
    size_t len;
    const uint8_t *frame = capy_fault_output(f, now, &len);
    if (!frame)
        return -1;
    assert_int_equal(len, CAPY_FRAME_MIN);
    return capy_load32(frame + CAPY_ETHER_LEN);
}

static const struct capy_fault_counters *counters(struct rig *rig)
{
    struct capy_fault_cfg cfg;
    capy_fault_get(rig->fault, &cfg, &rig->n);
    return &rig->n;
}

static void nothing_set_is_not_active(void **state)
{
    struct rig *rig = *state;
    assert_false(capy_fault_active(rig->fault));
    assert_true(capy_fault_due_at(rig->fault) == CAPY_NEVER);
    assert_int_equal(leave(rig->fault, START), -1);
    capy_fault_set(rig->fault, &(struct capy_fault_cfg){.loss_ppm = 1});
    assert_true(capy_fault_active(rig->fault));
    capy_fault_set(rig->fault, &(struct capy_fault_cfg){.seed = 9, .drop_cnt = 3});
    assert_false(capy_fault_active(rig->fault));
}

static void settings_out_of_range_are_not_valid(void **state)
{
    (void)state;
    assert_true(capy_fault_cfg_is_valid(&(struct capy_fault_cfg){.loss_ppm = 1000000}));
    assert_false(capy_fault_cfg_is_valid(&(struct capy_fault_cfg){.loss_ppm = 1000001}));
    assert_false(capy_fault_cfg_is_valid(&(struct capy_fault_cfg){.dup_ppm = 1000001}));
    assert_false(capy_fault_cfg_is_valid(&(struct capy_fault_cfg){.reorder_ppm = 1000001}));
    assert_false(capy_fault_cfg_is_valid(&(struct capy_fault_cfg){.delay_us = UINT32_MAX}));
    assert_false(capy_fault_cfg_is_valid(&(struct capy_fault_cfg){.jitter_us = UINT32_MAX}));
    assert_false(capy_fault_cfg_is_valid(&(struct capy_fault_cfg){.drop_type = CAPY_MIG_TYPE_END}));
}

/* A fingerprint of which of 10,000 frames came through, how often and in what order. */
static uint64_t run_10000(struct rig *rig, const struct capy_fault_cfg *cfg)
{
    uint64_t print = 0, now = START;
    capy_fault_set(rig->fault, cfg);
    for (uint32_t n = 0; n < 10000; n++, now += CAPY_US(10)) {
        enter(rig->fault, n, now);
        for (int64_t out; (out = leave(rig->fault, now)) >= 0;)
            print = print * 31 + (uint64_t)out;
    }
    for (int64_t out; (out = leave(rig->fault, now + CAPY_SEC(1))) >= 0;)
        print = print * 31 + (uint64_t)out;
    assert_true(capy_fault_due_at(rig->fault) == CAPY_NEVER);
    return print;
}

static const struct capy_fault_cfg everything = {
    .loss_ppm = 20000,
    .dup_ppm = 10000,
    .reorder_ppm = 30000,
    .delay_us = 100,
    .jitter_us = 50,
    .seed = 42,
};

static void same_seed_gives_the_same_faults(void **state)
{
    struct rig *rig = *state;
    struct capy_fault_cfg other = everything;
    other.seed = 43;
    uint64_t first = run_10000(rig, &everything);
    assert_true(run_10000(rig, &everything) == first);
    assert_true(run_10000(rig, &other) != first);
}

static void seed_42_is_known(void **state)
{
    struct rig *rig = *state;
    run_10000(rig, &everything);
    const struct capy_fault_counters *n = counters(rig);
    assert_int_equal(n->entered, 10000);
    assert_int_equal(n->lost, 189);
    assert_int_equal(n->duplicated, 103);
    assert_int_equal(n->reordered, 266);
    assert_int_equal(n->delayed, 10000 - n->lost + n->duplicated);
    assert_int_equal(n->overflowed, 0);
}

static void a_narrow_line_takes_its_time_and_loses_what_it_cannot_queue(void **state)
{
    struct rig *rig = *state;
    /* A frame of 60 bytes takes 1 ms; four fit the queue, the one on the line included. */
    const struct capy_fault_cfg line = {.rate = 60000, .queue = 240, .delay_us = 100};
    capy_fault_set(rig->fault, &line);
    assert_true(capy_fault_active(rig->fault));
    for (uint32_t n = 0; n < 6; n++)
        enter(rig->fault, n, START);
    assert_int_equal(counters(rig)->queue_full, 2);
    for (int n = 0; n < 4; n++) {
        uint64_t at = START + CAPY_MS((uint64_t)n + 1) + CAPY_US(100);
        assert_true(capy_fault_due_at(rig->fault) == at);
        assert_int_equal(leave(rig->fault, at - 1), -1);
        assert_int_equal(leave(rig->fault, at), n);
    }
    enter(rig->fault, 9, START + CAPY_SEC(1)); /* the line stood idle: that is not made up for */
    assert_true(capy_fault_due_at(rig->fault) == START + CAPY_SEC(1) + CAPY_US(1100));
    assert_false(capy_fault_cfg_is_valid(&(struct capy_fault_cfg){.rate = 999}));
    assert_true(capy_fault_cfg_is_valid(&(struct capy_fault_cfg){.rate = 1000}));
}

static void certain_loss_loses_all(void **state)
{
    struct rig *rig = *state;
    capy_fault_set(rig->fault, &(struct capy_fault_cfg){.loss_ppm = CAPY_FAULT_PPM_MAX});
    for (uint32_t n = 0; n < 100; n++)
        enter(rig->fault, n, START);
    assert_int_equal(leave(rig->fault, START + CAPY_SEC(9)), -1);
    assert_int_equal(counters(rig)->lost, 100);
}

static void certain_duplication_gives_every_frame_twice(void **state)
{
    struct rig *rig = *state;
    capy_fault_set(rig->fault, &(struct capy_fault_cfg){.dup_ppm = CAPY_FAULT_PPM_MAX});
    for (uint32_t n = 0; n < 100; n++)
        enter(rig->fault, n, START);
    for (uint32_t n = 0; n < 200; n++)
        assert_int_equal(leave(rig->fault, START), n / 2);
    assert_int_equal(leave(rig->fault, START), -1);
}

static void delay_is_exact_and_keeps_the_order(void **state)
{
    struct rig *rig = *state;
    capy_fault_set(rig->fault, &(struct capy_fault_cfg){.delay_us = 250});
    for (uint32_t n = 0; n < 3; n++)
        enter(rig->fault, n, START + n);
    for (uint32_t n = 0; n < 3; n++) {
        uint64_t due_at = START + n + CAPY_US(250);
        assert_true(capy_fault_due_at(rig->fault) == due_at);
        assert_int_equal(leave(rig->fault, due_at - 1), -1);
        assert_int_equal(leave(rig->fault, due_at), n);
    }
}

static void jitter_stays_in_its_bounds_and_lets_frames_overtake(void **state)
{
    struct rig *rig = *state;
    bool overtaken = false;
    int64_t last = -1;
    capy_fault_set(rig->fault,
                   &(struct capy_fault_cfg){.delay_us = 100, .jitter_us = 100, .seed = 1});
    for (uint32_t n = 0; n < 100; n++)
        enter(rig->fault, n, START);
    assert_int_equal(leave(rig->fault, START + CAPY_US(100) - 1), -1);
    for (uint32_t n = 0; n < 100; n++) {
        int64_t out = leave(rig->fault, START + CAPY_US(200));
        assert_true(out >= 0);
        overtaken = overtaken || out < last;
        last = out;
    }
    assert_true(overtaken);
}

static void reordered_frames_are_passed_by_a_few_and_none_is_lost(void **state)
{
    struct rig *rig = *state;
    bool seen[1000] = {false};
    uint32_t out_cnt = 0, displaced = 0;
    capy_fault_set(rig->fault, &(struct capy_fault_cfg){.reorder_ppm = 100000, .seed = 3});
    for (uint32_t n = 0; n < 1000; n++) {
        enter(rig->fault, n, START); /* no time passes: only frames release frames */
        for (int64_t out; (out = leave(rig->fault, START)) >= 0; out_cnt++) {
            assert_false(seen[out]);
            seen[out] = true;
            displaced += out < (int64_t)n;
        }
    }
    assert_in_range(out_cnt, 1000 - CAPY_FAULT_BEHIND_MAX * 4, 1000);
    assert_true(displaced > 0);
    while (leave(rig->fault, START + CAPY_FAULT_HOLD_NS) >= 0)
        out_cnt++;
    assert_int_equal(out_cnt, 1000);
}

static void reordered_frame_that_nothing_follows_comes_out_in_time(void **state)
{
    struct rig *rig = *state;
    capy_fault_set(rig->fault, &(struct capy_fault_cfg){.reorder_ppm = CAPY_FAULT_PPM_MAX});
    enter(rig->fault, 7, START);
    assert_true(capy_fault_due_at(rig->fault) == START + CAPY_FAULT_HOLD_NS);
    assert_int_equal(leave(rig->fault, START + CAPY_FAULT_HOLD_NS - 1), -1);
    assert_int_equal(leave(rig->fault, START + CAPY_FAULT_HOLD_NS), 7);
}

static void frames_still_waiting_come_out_after_faults_are_cleared(void **state)
{
    struct rig *rig = *state;
    capy_fault_set(rig->fault, &(struct capy_fault_cfg){.delay_us = 1000});
    enter(rig->fault, 1, START);
    capy_fault_set(rig->fault, &(struct capy_fault_cfg){0});
    assert_true(capy_fault_active(rig->fault));
    enter(rig->fault, 2, START); /* due at once: it overtakes */
    assert_int_equal(leave(rig->fault, START), 2);
    assert_int_equal(leave(rig->fault, START + CAPY_MS(1)), 1);
    assert_false(capy_fault_active(rig->fault));
}

static void full_queue_loses_and_counts(void **state)
{
    (void)state;
    struct capy_fault_cfg cfg = {.delay_us = 10};
    struct capy_fault_counters n;
    struct capy_fault *f = make(4);
    capy_fault_set(f, &cfg);
    for (uint32_t round = 0; round < 100; round++) { /* every place comes back each time */
        for (uint32_t i = 0; i < 6; i++)
            enter(f, i, START);
        for (uint32_t i = 0; i < 4; i++)
            assert_int_equal(leave(f, START + CAPY_US(10)), i);
        assert_int_equal(leave(f, START + CAPY_US(10)), -1);
    }
    capy_fault_get(f, &cfg, &n);
    assert_int_equal(n.overflowed, 200);
    free(f);
}

/* The racks whose messages the filter must know: their primary addresses are of either version. */
static bool ipv6;

/* A TCPMig message of a type, as a server would send it, to a UDP port. */
static void enter_message(struct capy_fault *f, uint8_t type, uint16_t port)
{
    uint8_t frame[CAPY_FRAME_MAX] = {0};
    const struct capy_mig_msg msg = {.type = type};
    const struct capy_frame_to to = {
        .src = ipv6 ? (struct capy_ip){{0xfd, [15] = 1}} : capy_ip_from_v4(0x0a000001),
        .dst = ipv6 ? (struct capy_ip){{0xfd, [15] = 254}} : capy_ip_from_v4(0x0a0000fe),
        .src_port = port,
        .dst_port = port,
    };
    size_t at = ipv6 ? CAPY_UDP_AT6 : CAPY_UDP_AT;
    size_t len = capy_mig_build(frame + at, (struct capy_key){1, 2}, &msg);
    capy_fault_input(f, frame, capy_frame_build_udp(frame, &to, len), START);
}

static unsigned count_out(struct capy_fault *f)
{
    unsigned cnt = 0;
    size_t len;
    while (capy_fault_output(f, START, &len))
        cnt++;
    return cnt;
}

static void filter_loses_the_next_n_of_its_type_only(void **state)
{
    struct rig *rig = *state;
    capy_fault_set(rig->fault,
                   &(struct capy_fault_cfg){.drop_type = CAPY_MIG_CONN_STATE_ACK, .drop_cnt = 2});
    enter_message(rig->fault, CAPY_MIG_CONN_STATE, TCPMIG_PORT);
    enter_message(rig->fault, CAPY_MIG_CONN_STATE_ACK, TCPMIG_PORT + 1);
    enter(rig->fault, 0, START);
    assert_int_equal(count_out(rig->fault), 3);
    enter_message(rig->fault, CAPY_MIG_CONN_STATE_ACK, TCPMIG_PORT);
    enter_message(rig->fault, CAPY_MIG_CONN_STATE_ACK, TCPMIG_PORT);
    assert_int_equal(count_out(rig->fault), 0);
    assert_false(capy_fault_active(rig->fault)); /* spent */
    enter_message(rig->fault, CAPY_MIG_CONN_STATE_ACK, TCPMIG_PORT);
    assert_int_equal(count_out(rig->fault), 1);
    assert_int_equal(counters(rig)->filtered, 2);
}

static void filter_without_a_count_loses_them_all(void **state)
{
    struct rig *rig = *state;
    capy_fault_set(rig->fault, &(struct capy_fault_cfg){.drop_type = CAPY_MIG_PREPARE_MIG});
    for (unsigned i = 0; i < 1000; i++)
        enter_message(rig->fault, CAPY_MIG_PREPARE_MIG, TCPMIG_PORT);
    assert_int_equal(count_out(rig->fault), 0);
    assert_true(capy_fault_active(rig->fault));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_set_is_not_active),
        TEST(settings_out_of_range_are_not_valid),
        TEST(same_seed_gives_the_same_faults),
        TEST(seed_42_is_known),
        TEST(a_narrow_line_takes_its_time_and_loses_what_it_cannot_queue),
        TEST(certain_loss_loses_all),
        TEST(certain_duplication_gives_every_frame_twice),
        TEST(delay_is_exact_and_keeps_the_order),
        TEST(jitter_stays_in_its_bounds_and_lets_frames_overtake),
        TEST(reordered_frames_are_passed_by_a_few_and_none_is_lost),
        TEST(reordered_frame_that_nothing_follows_comes_out_in_time),
        TEST(frames_still_waiting_come_out_after_faults_are_cleared),
        TEST(full_queue_loses_and_counts),
        TEST(filter_loses_the_next_n_of_its_type_only),
        TEST(filter_without_a_count_loses_them_all),
    };
    int failed = cmocka_run_group_tests_name("switch/fault", tests, NULL, NULL);
    ipv6 = true;
    return failed + cmocka_run_group_tests_name("switch/fault, IPv6", tests, NULL, NULL);
}
