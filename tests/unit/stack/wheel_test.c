/* The timer wheel against a model that scans an array of deadlines. */
#include "base/prng.h"
#include "stack/wheel.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ENTRIES = 200 };
#define TICK ((uint64_t)1 << CAPY_WHEEL_TICK_BITS)

struct rig {
    struct capy_wheel wheel;
    void *mem;
    uint64_t now, at[ENTRIES]; /* the model */
};

static void rig_open(struct rig *r, uint64_t now)
{
    struct capy_arena a = {NULL, 0};
    capy_wheel_init(&r->wheel, &a, ENTRIES, now);
    r->mem = aligned_alloc(64, (a.used + 63) & ~(size_t)63);
    a = (struct capy_arena){r->mem, 0};
    capy_wheel_init(&r->wheel, &a, ENTRIES, now);
    r->now = now;
    for (int i = 0; i < ENTRIES; i++)
        r->at[i] = CAPY_NEVER;
}

static void arm(struct rig *r, uint32_t idx, uint64_t at)
{
    capy_wheel_arm(&r->wheel, idx, at);
    r->at[idx] = at;
}

/* First tick at or after a deadline. */
static uint64_t fires_at(uint64_t at)
{
    return (at + TICK - 1) & ~(TICK - 1);
}

static uint64_t model_next(const struct rig *r)
{
    uint64_t next = CAPY_NEVER;
    for (int i = 0; i < ENTRIES; i++)
        if (r->at[i] != CAPY_NEVER)
            next = capy_min64(next, fires_at(r->at[i]));
    return next;
}

/* Takes out all that is due and compares with the model: nothing early, nothing late, none lost. */
static uint32_t fire(struct rig *r)
{
    uint32_t idx, cnt = 0;
    while ((idx = capy_wheel_due(&r->wheel, r->now)) != CAPY_NONE) {
        assert_true(r->at[idx] <= r->now);
        r->at[idx] = CAPY_NEVER;
        cnt++;
    }
    for (int i = 0; i < ENTRIES; i++)
        assert_true(r->at[i] == CAPY_NEVER || fires_at(r->at[i]) > (r->now & ~(TICK - 1)));
    return cnt;
}

/* Deadlines of every magnitude, from below a tick to years. */
static uint64_t some_delay(struct capy_prng *rng)
{
    return capy_prng_next(rng) >> (8 + capy_prng_below(rng, 56));
}

static void fires_as_the_model(void **state)
{
    (void)state;
    struct capy_prng rng;
    struct rig r;
    capy_prng_seed(&rng, 1);
    rig_open(&r, CAPY_SEC(1000) + 12345);
    uint64_t fired = 0;
    for (int step = 0; step < 20000; step++) {
        uint32_t idx = (uint32_t)capy_prng_below(&rng, ENTRIES);
        switch (capy_prng_below(&rng, 5)) {
        case 0:
        case 1:
            arm(&r, idx, r.now + some_delay(&rng));
            break;
        case 2:
            arm(&r, idx, CAPY_NEVER);
            break;
        case 3:
            r.now += some_delay(&rng) >> 40;
            fired += fire(&r);
            break;
        case 4: {
            uint64_t next = capy_wheel_next_at(&r.wheel);
            assert_true(next <= capy_max64(model_next(&r), r.now));
            if (next != CAPY_NEVER && next < r.now + CAPY_SEC(100000)) {
                r.now = capy_max64(r.now, next);
                fired += fire(&r);
            }
            break;
        }
        }
    }
    assert_true(fired > 1000);
    free(r.mem);
}

static void next_at_leads_to_the_deadline(void **state)
{
    (void)state;
    static const uint64_t delays[] = {
        1, TICK, CAPY_US(500), CAPY_MS(200), CAPY_SEC(60), CAPY_SEC(86400)};
    for (unsigned i = 0; i < sizeof delays / sizeof *delays; i++) {
        struct rig r;
        rig_open(&r, CAPY_SEC(7) + 99);
        uint64_t at = r.now + delays[i];
        arm(&r, 3, at);
        unsigned wakes = 0;
        while (fire(&r) == 0) {
            uint64_t next = capy_wheel_next_at(&r.wheel);
            assert_true(next > r.now);
            r.now = next;
            wakes++;
        }
        assert_int_equal(r.now, fires_at(at));
        assert_true(wakes <= CAPY_WHEEL_LEVELS); /* one per level at most */
        assert_true(capy_wheel_next_at(&r.wheel) == CAPY_NEVER);
        free(r.mem);
    }
}

static void a_past_deadline_is_due_at_once(void **state)
{
    (void)state;
    struct rig r;
    rig_open(&r, CAPY_SEC(7));
    arm(&r, 0, CAPY_SEC(6));
    arm(&r, 1, 0);
    assert_true(capy_wheel_next_at(&r.wheel) <= r.now);
    assert_int_equal(fire(&r), 2);
    free(r.mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_as_the_model),
        cmocka_unit_test(next_at_leads_to_the_deadline),
        cmocka_unit_test(a_past_deadline_is_due_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
