/* base/list against a plain array, with members that carry more than their link. */
#include "base/list.h"
#include "base/prng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MEMBER_CNT 32u

struct member {
    char before[12];
    struct capy_link link;
    char behind[20];
};

struct model {
    uint32_t order[MEMBER_CNT];
    uint32_t cnt;
};

static void expect_same(const struct capy_list *l, const struct model *m)
{
    assert_int_equal(l->cnt, m->cnt);
    uint32_t prev = CAPY_NONE;
    uint32_t idx = l->head;
    for (uint32_t i = 0; i < m->cnt; i++) {
        assert_int_equal(idx, m->order[i]);
        assert_int_equal(capy_list_link(l, idx)->prev, prev);
        prev = idx;
        idx = capy_list_link(l, idx)->next;
    }
    assert_int_equal(idx, CAPY_NONE);
    assert_int_equal(l->tail, prev);
}

static void model_insert(struct model *m, uint32_t at, uint32_t idx)
{
    for (uint32_t i = m->cnt; i > at; i--)
        m->order[i] = m->order[i - 1];
    m->order[at] = idx;
    m->cnt++;
}

static uint32_t model_remove(struct model *m, uint32_t at)
{
    uint32_t idx = m->order[at];
    m->cnt--;
    for (uint32_t i = at; i < m->cnt; i++)
        m->order[i] = m->order[i + 1];
    return idx;
}

static void random_operations_match_the_model(void **state)
{
    (void)state;
    static struct member members[MEMBER_CNT];
    struct capy_list l;
    struct model m = {{0}, 0};
    bool in[MEMBER_CNT] = {false};
    struct capy_prng rng;
    capy_prng_seed(&rng, 5);
    capy_list_init(&l, &members[0].link, sizeof members[0]);
    for (int step = 0; step < 5000; step++) {
        uint32_t idx = (uint32_t)capy_prng_below(&rng, MEMBER_CNT);
        if (!in[idx] && capy_prng_chance(&rng, 500000)) {
            capy_list_push_tail(&l, idx);
            model_insert(&m, m.cnt, idx);
            in[idx] = true;
        } else if (!in[idx]) {
            capy_list_push_head(&l, idx);
            model_insert(&m, 0, idx);
            in[idx] = true;
        } else if (capy_prng_chance(&rng, 300000)) {
            idx = capy_list_pop_head(&l);
            assert_int_equal(idx, model_remove(&m, 0));
            in[idx] = false;
        } else {
            uint32_t at = 0;
            while (m.order[at] != idx)
                at++;
            capy_list_remove(&l, idx);
            model_remove(&m, at);
            in[idx] = false;
        }
        expect_same(&l, &m);
    }
}

static void pop_of_an_empty_list_is_none(void **state)
{
    (void)state;
    struct member one;
    struct capy_list l;
    capy_list_init(&l, &one.link, sizeof one);
    assert_int_equal(capy_list_pop_head(&l), CAPY_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_match_the_model),
        cmocka_unit_test(pop_of_an_empty_list_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
