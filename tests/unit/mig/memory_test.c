/* The memory of finished migrations (src/mig/memory.c): finding, eviction by age, forgetting. */
#include "script.h"

#define CNT 8u

static struct capy_flow_key flow(uint16_t port)
{
    struct capy_flow_key key = stage_flow();
    key.client_port = port;
    return key;
}

static void *open_memory(struct capy_mig_memory *mem)
{
    struct capy_arena a = {NULL, 0};
    capy_mig_memory_init(mem, &a, CNT, STAGE_KEY);
    void *p = aligned_alloc(64, (a.used + 63u) & ~(size_t)63u);
    a = (struct capy_arena){p, 0};
    capy_mig_memory_init(mem, &a, CNT, STAGE_KEY);
    return p;
}

static void the_oldest_record_makes_room(void **state)
{
    (void)state;
    struct capy_mig_memory mem;
    void *p = open_memory(&mem);
    for (uint16_t i = 1; i <= CNT; i++) {
        struct capy_flow_key k = flow(i);
        capy_mig_memory_touch(&mem, &k, i)->refused_epoch = i;
    }
    struct capy_flow_key first = flow(1), second = flow(2), fresh = flow(100);
    assert_int_equal(capy_mig_memory_touch(&mem, &first, 50)->refused_epoch, 1);
    assert_int_equal(capy_mig_memory_touch(&mem, &fresh, 51)->refused_epoch, 0);
    assert_null(capy_mig_memory_find(&mem, &second)); /* the oldest by then */
    assert_non_null(capy_mig_memory_find(&mem, &first));
    for (uint16_t i = 3; i <= CNT; i++) {
        struct capy_flow_key k = flow(i);
        assert_int_equal(capy_mig_memory_find(&mem, &k)->refused_epoch, i);
    }
    free(p);
}

static void a_forgotten_record_is_reused_first(void **state)
{
    (void)state;
    struct capy_mig_memory mem;
    void *p = open_memory(&mem);
    for (uint16_t i = 1; i <= CNT; i++) {
        struct capy_flow_key k = flow(i);
        capy_mig_memory_touch(&mem, &k, i);
    }
    struct capy_flow_key gone = flow(5), fresh = flow(100), oldest = flow(1);
    capy_mig_memory_forget(&mem, &gone);
    capy_mig_memory_forget(&mem, &gone); /* twice does no harm */
    assert_null(capy_mig_memory_find(&mem, &gone));
    capy_mig_memory_touch(&mem, &fresh, 9);
    assert_non_null(capy_mig_memory_find(&mem, &oldest));
    free(p);
}

static void many_rounds_agree_with_a_plain_list(void **state)
{
    (void)state;
    struct capy_mig_memory mem;
    void *p = open_memory(&mem);
    uint64_t touched[32] = {0};
    for (uint64_t now = 1; now < 5000; now++) {
        uint16_t i = (uint16_t)((now * 2654435761u >> 7) % 32u);
        struct capy_flow_key k = flow((uint16_t)(i + 1));
        capy_mig_memory_touch(&mem, &k, now);
        touched[i] = now;
        for (uint16_t j = 0; j < 32; j++) {
            unsigned newer = 0;
            for (uint16_t n = 0; n < 32; n++)
                newer += touched[n] > touched[j];
            struct capy_flow_key kj = flow((uint16_t)(j + 1));
            bool kept = touched[j] != 0 && newer < CNT;
            assert_int_equal(capy_mig_memory_find(&mem, &kj) != NULL, kept);
        }
    }
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_record_makes_room),
        cmocka_unit_test(a_forgotten_record_is_reused_first),
        cmocka_unit_test(many_rounds_agree_with_a_plain_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
