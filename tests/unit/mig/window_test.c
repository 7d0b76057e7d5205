/* The origin's window over fragments (src/mig/window.c; docs/protocol.md, section 3, rule 8). */
#include "script.h"

#include "mig/window.h"

#define LARGE (3u * CAPY_MIG_WINDOW)

/* Sends what may be sent; how many, and the first and the last of them. */
static uint32_t send_all(struct capy_mig_window *w, uint32_t *first, uint32_t *top)
{
    uint32_t idx, n = 0;
    while (capy_mig_window_next(w, &idx)) {
        if (n++ == 0)
            *first = idx;
        *top = idx;
        capy_mig_window_sent(w);
    }
    return n;
}

/* The target has [from, end), and what it had before. */
static bool has(struct capy_mig_window *w, uint32_t from, uint32_t end)
{
    uint64_t bits[CAPY_MIG_FRAGMENT_MAX / 64];
    uint8_t bitmap[CAPY_MIG_FRAGMENT_MAX / 8];
    memcpy(bits, w->done, sizeof bits);
    for (uint32_t i = from; i < end; i++)
        capy_mig_bit_set(bits, i);
    for (uint32_t i = 0; i < CAPY_MIG_FRAGMENT_MAX / 64; i++)
        capy_store64(bitmap + 8u * i, bits[i]);
    return capy_mig_window_ack(w, bitmap, (w->cnt + 63u) / 64u * 8u);
}

static void no_more_than_a_window_is_under_way(void **state)
{
    (void)state;
    struct capy_mig_window w;
    uint32_t first, top;
    capy_mig_window_open(&w, LARGE);
    assert_int_equal(send_all(&w, &first, &top), CAPY_MIG_WINDOW);
    assert_true(has(&w, 0, 10));
    assert_int_equal(send_all(&w, &first, &top), 10);
    assert_int_equal(first, CAPY_MIG_WINDOW);
    assert_false(has(&w, 0, 10)); /* no news */
    assert_int_equal(send_all(&w, &first, &top), 0);
    assert_true(has(&w, 40, 41)); /* settles 10..39 too: they are lost */
    assert_int_equal(send_all(&w, &first, &top), 31);
    assert_int_equal(top, CAPY_MIG_WINDOW + 40);
}

static void a_repeat_begins_with_the_lowest_that_is_missing(void **state)
{
    (void)state;
    struct capy_mig_window w;
    uint32_t first, top;
    capy_mig_window_open(&w, LARGE);
    send_all(&w, &first, &top);
    assert_true(has(&w, 0, 10));
    send_all(&w, &first, &top);
    capy_mig_window_pass(&w, true);
    assert_int_equal(send_all(&w, &first, &top), CAPY_MIG_WINDOW);
    assert_int_equal(first, 10);
    /* What came of the pass before is news, but tells nothing of those sent just now. */
    assert_true(has(&w, LARGE - 1, LARGE));
    assert_int_equal(send_all(&w, &first, &top), 0);
}

static void the_last_one_goes_behind_all_others(void **state)
{
    (void)state;
    struct capy_mig_window w;
    uint32_t first, top;
    capy_mig_window_open(&w, LARGE);
    send_all(&w, &first, &top);
    assert_true(has(&w, 1, CAPY_MIG_WINDOW)); /* 0 is lost */
    send_all(&w, &first, &top);
    assert_true(has(&w, CAPY_MIG_WINDOW, 2 * CAPY_MIG_WINDOW));
    assert_int_equal(send_all(&w, &first, &top), CAPY_MIG_WINDOW - 1);
    assert_int_equal(top, LARGE - 2);
    assert_true(has(&w, 2 * CAPY_MIG_WINDOW, LARGE - 1)); /* all is settled: the next pass */
    assert_int_equal(send_all(&w, &first, &top), 2);
    assert_int_equal(first, 0);
    assert_int_equal(top, LARGE - 1);
}

static void a_small_state_goes_at_once_and_whole(void **state)
{
    (void)state;
    for (uint32_t cnt = 1; cnt <= CAPY_MIG_WINDOW; cnt++) {
        struct capy_mig_window w;
        uint32_t first, top;
        capy_mig_window_open(&w, cnt);
        assert_int_equal(send_all(&w, &first, &top), cnt);
        assert_int_equal(top, cnt - 1);
    }
}

static void only_the_timers_pass_repeats_a_last_one_that_arrived(void **state)
{
    (void)state;
    struct capy_mig_window w;
    uint32_t first, top;
    capy_mig_window_open(&w, 5);
    send_all(&w, &first, &top);
    assert_true(has(&w, 3, 5));
    assert_int_equal(send_all(&w, &first, &top), 3);
    assert_int_equal(top, 2);
    capy_mig_window_pass(&w, true);
    assert_int_equal(send_all(&w, &first, &top), 4);
    assert_int_equal(top, 4);
}

static void a_bitmap_of_another_size_is_ignored(void **state)
{
    (void)state;
    struct capy_mig_window w;
    uint32_t first, top;
    uint8_t bitmap[16];
    memset(bitmap, 0xff, sizeof bitmap);
    capy_mig_window_open(&w, 64);
    send_all(&w, &first, &top);
    assert_false(capy_mig_window_ack(&w, bitmap, 0));
    assert_false(capy_mig_window_ack(&w, bitmap, 16));
    assert_true(capy_mig_window_ack(&w, bitmap, 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_than_a_window_is_under_way),
        cmocka_unit_test(a_repeat_begins_with_the_lowest_that_is_missing),
        cmocka_unit_test(the_last_one_goes_behind_all_others),
        cmocka_unit_test(a_small_state_goes_at_once_and_whole),
        cmocka_unit_test(only_the_timers_pass_repeats_a_last_one_that_arrived),
        cmocka_unit_test(a_bitmap_of_another_size_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
