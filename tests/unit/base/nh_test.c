/* base/nh against the same sum taken by 32-bit halves, and the properties that its use rests on. */
#include "base/nh.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static struct capy_nh_key key;
static uint8_t message[CAPY_NH_LEN_MAX];

static int make(void **state)
{
    (void)state;
    capy_nh_key_init(&key, (struct capy_key){1, 2}, 'h');
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)(i * 37u + (i >> 7) + 1u);
    return 0;
}

static uint64_t word_at(const uint8_t *p, size_t at, size_t len)
{
    uint64_t v = 0;
    for (size_t i = 0; i < 8; i++)
        if (at + i < len)
            v |= (uint64_t)p[at + i] << 8 * i;
    return v;
}

/* sum += a * b, as one learns it at school, with digits of 32 bits. */
static void add_product(uint32_t sum[4], uint64_t a, uint64_t b)
{
    const uint32_t x[2] = {(uint32_t)a, (uint32_t)(a >> 32)},
                   y[2] = {(uint32_t)b, (uint32_t)(b >> 32)};
    for (unsigned i = 0; i < 2; i++)
        for (unsigned k = 0; k < 2; k++) {
            uint64_t carry = (uint64_t)x[i] * y[k];
            for (unsigned at = i + k; at < 4; at++) {
                carry += sum[at];
                sum[at] = (uint32_t)carry;
                carry >>= 32;
            }
        }
}

static struct capy_nh_sum slow(const uint8_t *p, size_t len)
{
    uint32_t sum[4] = {0};
    for (size_t at = 0; at < len; at += 16)
        add_product(sum, word_at(p, at, len) + key.word[at / 8],
                    word_at(p, at + 8, len) + key.word[at / 8 + 1]);
    return (struct capy_nh_sum){(uint64_t)sum[3] << 32 | sum[2], (uint64_t)sum[1] << 32 | sum[0]};
}

static void it_is_the_sum_of_products_at_every_length(void **state)
{
    (void)state;
    for (size_t len = 0; len <= sizeof message; len++) {
        struct capy_nh_sum a = capy_nh(&key, message, len), b = slow(message, len);
        assert_true(a.high == b.high && a.low == b.low);
    }
}

/* Pinned: servers of two builds must agree. The value is Python's, of the same definition. */
static void a_known_value(void **state)
{
    (void)state;
    struct capy_nh_key ones;
    for (size_t i = 0; i < sizeof ones.word / sizeof ones.word[0]; i++)
        ones.word[i] = UINT64_MAX - i;
    uint8_t in[40];
    for (uint8_t i = 0; i < sizeof in; i++)
        in[i] = i;
    struct capy_nh_sum sum = capy_nh(&ones, in, sizeof in);
    assert_int_equal(sum.high, 0x2a5e45e338471192u);
    assert_int_equal(sum.low, 0xfd105fe9aba3d05cu);
}

static void every_bit_counts(void **state)
{
    (void)state;
    struct capy_nh_sum was = capy_nh(&key, message, 100);
    for (size_t bit = 0; bit < 100 * 8; bit++) {
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct capy_nh_sum sum = capy_nh(&key, message, 100);
        assert_true(sum.high != was.high || sum.low != was.low);
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void another_key_or_purpose_is_another_sum(void **state)
{
    (void)state;
    struct capy_nh_key other;
    struct capy_nh_sum was = capy_nh(&key, message, 100), sum;
    capy_nh_key_init(&other, (struct capy_key){1, 3}, 'h');
    sum = capy_nh(&other, message, 100);
    assert_true(sum.high != was.high && sum.low != was.low);
    capy_nh_key_init(&other, (struct capy_key){1, 2}, 'i');
    sum = capy_nh(&other, message, 100);
    assert_true(sum.high != was.high && sum.low != was.low);
    for (size_t i = 1; i < sizeof key.word / sizeof key.word[0]; i++)
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(key.word[i], key.word[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_is_the_sum_of_products_at_every_length, make),
        cmocka_unit_test_setup(a_known_value, make),
        cmocka_unit_test_setup(every_bit_counts, make),
        cmocka_unit_test_setup(another_key_or_purpose_is_another_sum, make),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
