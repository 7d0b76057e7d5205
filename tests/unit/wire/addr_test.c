/* wire/addr: text forms (RFC 4291 §2.2 read, RFC 5952 §4 written), and IPv4-mapped addresses. */
#include "base/prng.h"
#include "capy/error.h"
#include "wire/addr.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>

static void v4_round_trip(void **state)
{
    (void)state;
    static const char *const text[] = {"0.0.0.0", "255.255.255.255", "10.0.100.7", "1.20.99.200"};
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) {
        struct capy_ip ip;
        char out[CAPY_IP_TEXT_MAX];
        assert_int_equal(capy_ip_parse(text[i], &ip), CAPY_OK);
        assert_true(capy_ip_is_v4(&ip));
        assert_string_equal(capy_ip_format(&ip, out), text[i]);
    }
    struct capy_ip ip = capy_ip_from_v4(0x0a010203u);
    assert_int_equal(capy_ip_v4(&ip), 0x0a010203u);
    assert_int_equal(ip.b[10], 0xff);
    assert_int_equal(ip.b[15], 3);
}

static void v6_is_written_as_rfc_5952_says(void **state)
{
    (void)state;
    static const char *const pair[][2] = {
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"2001:DB8::0001", "2001:db8::1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},    /* §4.2.3: the first of equals */
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},          /* §4.2.3: the longest */
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* §4.2.2: not for one group */
        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
        {"1:2:3:4:5:6::", "1:2:3:4:5:6::"},
        {"fe80::1.2.3.4", "fe80::102:304"},
        {"::ffff:1.2.3.4", "1.2.3.4"},
        {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    for (size_t i = 0; i < sizeof pair / sizeof pair[0]; i++) {
        struct capy_ip ip;
        char out[CAPY_IP_TEXT_MAX];
        assert_int_equal(capy_ip_parse(pair[i][0], &ip), CAPY_OK);
        assert_string_equal(capy_ip_format(&ip, out), pair[i][1]);
    }
}

static void bad_text_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const char *const text[] = {
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "1.2.3.4 ",
        "a.b.c.d",
        "1..2.3",
        ".1.2.3",
        ":",
        ":::",
        "1::2::3",
        "1:2:3:4",
        ":1::2",
        "1::2:",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "12345::",
        "g::",
        "::1.2.3",
        "::1.2.3.x",
        "1.2.3.4::",
        "1:2:3:4:5:6:7::8",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::1.2.3.4:5",
        "1.2.3.0400",
        "-1.2.3.4",
        "fe80::1%eth0",
    };
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) {
        struct capy_ip ip = capy_ip_from_v4(7);
        if (capy_ip_parse(text[i], &ip) != CAPY_E_FORMAT)
            fail_msg("accepted \"%s\"", text[i]);
        assert_int_equal(capy_ip_v4(&ip), 7);
    }
}

static void agrees_with_the_system_on_random_addresses(void **state)
{
    (void)state;
    struct capy_prng rng;
    capy_prng_seed(&rng, 5952);
    for (int i = 0; i < 5000; i++) {
        struct capy_ip ip, back;
        for (size_t b = 0; b < 16; b++) /* many zero groups */
            ip.b[b] = capy_prng_chance(&rng, 400000) ? (uint8_t)capy_prng_next(&rng) : 0;
        ip.b[0] |= 1; /* the system writes ::a.b.c.d in dotted form, we do not */
        char ours[CAPY_IP_TEXT_MAX], theirs[CAPY_IP_TEXT_MAX];
        capy_ip_format(&ip, ours);
        assert_non_null(inet_ntop(AF_INET6, ip.b, theirs, sizeof theirs));
        assert_string_equal(ours, theirs);
        assert_int_equal(capy_ip_parse(ours, &back), CAPY_OK);
        assert_true(capy_ip_eq(&ip, &back));
    }
}

/* Random strings over the alphabet of addresses: we accept exactly what inet_pton accepts, but for
 * leading zeros in dotted text, which inet_pton refuses. */
static void accepts_what_the_system_accepts(void **state)
{
    (void)state;
    static const char alphabet[] = "::::1a0.";
    struct capy_prng rng;
    capy_prng_seed(&rng, 4291);
    for (int i = 0; i < 200000; i++) {
        char text[24];
        size_t len = capy_prng_below(&rng, sizeof text - 1) + 1;
        for (size_t c = 0; c < len; c++)
            text[c] = alphabet[capy_prng_below(&rng, sizeof alphabet - 1)];
        text[len - 1] = '\0';
        if (strchr(text, '.'))
            continue;
        uint8_t theirs[16];
        struct capy_ip ours;
        bool valid = inet_pton(AF_INET6, text, theirs) == 1;
        if ((capy_ip_parse(text, &ours) == CAPY_OK) != valid)
            fail_msg("\"%s\": the system says %s", text, valid ? "valid" : "invalid");
        if (valid)
            assert_memory_equal(ours.b, theirs, 16);
    }
}

static void mac_round_trip(void **state)
{
    (void)state;
    struct capy_mac mac;
    char out[18];
    assert_int_equal(capy_mac_parse("02:cA:0:FF:1f:09", &mac), CAPY_OK);
    assert_string_equal(capy_mac_format(&mac, out), "02:ca:00:ff:1f:09");
    static const char *const bad[] = {"",
                                      "02:ca:00:ff:1f",
                                      "02:ca:00:ff:1f:09:",
                                      "02-ca-00-ff-1f-09",
                                      "02:ca:00:ff:1f:g9",
                                      "002:ca:00:ff:1f:09",
                                      "02:ca::ff:1f:09"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(capy_mac_parse(bad[i], &mac), CAPY_E_FORMAT);
    assert_int_equal(mac.b[1], 0xca);
}

static void keys_compare_whole(void **state)
{
    (void)state;
    struct capy_flow_key a = {capy_ip_from_v4(1), capy_ip_from_v4(2), 3, 4};
    for (size_t i = 0; i < sizeof a; i++) {
        struct capy_flow_key b = a;
        assert_true(capy_flow_key_eq(&a, &b));
        ((uint8_t *)&b)[i] ^= 1;
        assert_false(capy_flow_key_eq(&a, &b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(v4_round_trip),
        cmocka_unit_test(v6_is_written_as_rfc_5952_says),
        cmocka_unit_test(bad_text_is_refused_and_changes_nothing),
        cmocka_unit_test(agrees_with_the_system_on_random_addresses),
        cmocka_unit_test(accepts_what_the_system_accepts),
        cmocka_unit_test(mac_round_trip),
        cmocka_unit_test(keys_compare_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
