/* Maglev's table: even shares, few slots that change hands, and the same table wherever servers stand. */
#include "base/prng.h"
#include "switch/core/maglev.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static uint64_t name[64];
static struct capy_maglev before, after;

static int make_names(void **state)
{
    (void)state;
    struct capy_prng prng;
    capy_prng_seed(&prng, 5);
    for (unsigned i = 0; i < 64; i++)
        name[i] = capy_prng_next(&prng);
    return 0;
}

static unsigned share(const struct capy_maglev *m, unsigned id)
{
    unsigned cnt = 0;
    for (unsigned i = 0; i < CAPY_MAGLEV_SLOTS; i++)
        cnt += m->slot[i] == id;
    return cnt;
}

static void shares_are_even(void **state)
{
    (void)state;
    for (unsigned cnt = 1; cnt <= 64; cnt++) {
        uint64_t members = cnt == 64 ? UINT64_MAX : (1ull << cnt) - 1u;
        capy_maglev_build(&before, members, name);
        for (unsigned i = 0; i < cnt; i++) { /* they take turns, so all but one round is equal */
            assert_true(share(&before, i) >= CAPY_MAGLEV_SLOTS / cnt);
            assert_true(share(&before, i) <= CAPY_MAGLEV_SLOTS / cnt + 1u);
        }
    }
}

static void nobody_is_nobody(void **state)
{
    (void)state;
    capy_maglev_build(&before, 0, name);
    assert_int_equal(share(&before, CAPY_MAGLEV_NONE), CAPY_MAGLEV_SLOTS);
}

/* Of the slots of those that stay, at most this many in a hundred change hands (the paper's figure 12
 * has some percent for tables a hundred times the servers). */
#define DISTURBED_PERCENT 12u

static void few_slots_change_hands_when_one_leaves(void **state)
{
    (void)state;
    for (unsigned gone = 0; gone < 10; gone++) {
        unsigned disturbed = 0, stay = 0;
        capy_maglev_build(&before, 0x3ff, name);
        capy_maglev_build(&after, 0x3ffu & ~(1u << gone), name);
        for (unsigned i = 0; i < CAPY_MAGLEV_SLOTS; i++) {
            assert_int_not_equal(after.slot[i], gone);
            stay += before.slot[i] != gone;
            disturbed += before.slot[i] != gone && before.slot[i] != after.slot[i];
        }
        assert_true(disturbed * 100u <= stay * DISTURBED_PERCENT);
    }
}

/* Server 3 of one rack file is server 0 of the next: the slots go by names. */
static void the_order_of_the_file_hardly_matters(void **state)
{
    (void)state;
    uint64_t turned[64];
    unsigned moved = 0;
    for (unsigned i = 0; i < 64; i++)
        turned[i] = name[i < 10 ? (i + 3) % 10 : i];
    capy_maglev_build(&before, 0x3ff, name);
    capy_maglev_build(&after, 0x3ff, turned);
    for (unsigned i = 0; i < CAPY_MAGLEV_SLOTS; i++)
        moved += before.slot[i] != (after.slot[i] + 3u) % 10u;
    assert_true(moved * 100u <= CAPY_MAGLEV_SLOTS * DISTURBED_PERCENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_even),
        cmocka_unit_test(nobody_is_nobody),
        cmocka_unit_test(few_slots_change_hands_when_one_leaves),
        cmocka_unit_test(the_order_of_the_file_hardly_matters),
    };
    return cmocka_run_group_tests(tests, make_names, NULL);
}
