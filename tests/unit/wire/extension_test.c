/* wire/ipv6: extension headers by RFC 8200 §4, within their bounds, and the parameter problems that
 * they call for (RFC 4443). */
#include "frames6.h"

/* What is inserted behind the fixed header, last first, and what becomes of the packet. */
struct extension_case {
    const char *what;
    struct {
        uint8_t kind, len;
        uint8_t bytes[32];
    } header[3];
    enum capy_drop expect;
    enum capy_ipv6_problem problem;
    uint32_t problem_at;
};

static const struct extension_case extension_cases[] = {
    /* RFC 8200 §4.2: padding of either kind is skipped. */
    {"Pad1", {{0, 8, {0, 0, 0, 0, 0, 0, 0, 0}}}, CAPY_DROP_NONE, CAPY_IPV6_PROBLEM_NONE, 0},
    {"PadN", {{0, 8, {0, 0, 1, 4}}}, CAPY_DROP_NONE, CAPY_IPV6_PROBLEM_NONE, 0},
    {"PadN empty", {{60, 8, {0, 0, 1, 0, 1, 2}}}, CAPY_DROP_NONE, CAPY_IPV6_PROBLEM_NONE, 0},
    /* RFC 8200 §4.1: the order in which a host may meet them. */
    {"hop-by-hop, destination, routing",
     {{43, 8, {0, 0, 0, 0}}, {60, 16, {0, 1, 1, 12}}, {0, 8, {0, 0, 1, 4}}},
     CAPY_DROP_NONE,
     CAPY_IPV6_PROBLEM_NONE,
     0},
    {"destination twice",
     {{60, 8, {0, 0, 1, 4}}, {60, 8, {0, 0, 1, 4}}},
     CAPY_DROP_NONE,
     CAPY_IPV6_PROBLEM_NONE,
     0},
    {"hop-by-hop not first",
     {{0, 8, {0, 0, 1, 4}}, {60, 8, {0, 0, 1, 4}}},
     CAPY_DROP_IP_EXTENSION,
     CAPY_IPV6_PROBLEM_NEXT,
     40},
    /* RFC 8200 §4.2: the highest two bits of an unknown option. */
    {"option 00: skipped", {{60, 8, {0, 0, 0x1e, 4}}}, CAPY_DROP_NONE, CAPY_IPV6_PROBLEM_NONE, 0},
    {"option 01: dropped",
     {{60, 8, {0, 0, 0x5e, 4}}},
     CAPY_DROP_IP_OPTION,
     CAPY_IPV6_PROBLEM_NONE,
     0},
    {"option 10: dropped and told",
     {{60, 8, {0, 0, 0x9e, 4}}},
     CAPY_DROP_IP_OPTION,
     CAPY_IPV6_PROBLEM_OPTION,
     42},
    {"option 11: dropped and told",
     {{0, 8, {0, 0, 0, 0, 0xde, 2}}},
     CAPY_DROP_IP_OPTION,
     CAPY_IPV6_PROBLEM_OPTION,
     44},
    {"option beyond its header",
     {{60, 8, {0, 0, 1, 5}}},
     CAPY_DROP_IP_EXTENSION,
     CAPY_IPV6_PROBLEM_FIELD,
     43},
    {"option without room for its length",
     {{60, 8, {0, 0, 1, 3, 0, 0, 0, 1}}},
     CAPY_DROP_IP_EXTENSION,
     CAPY_IPV6_PROBLEM_FIELD,
     47},
    {"header beyond the packet",
     {{60, 8, {0, 200, 1, 4}}},
     CAPY_DROP_IP_EXTENSION,
     CAPY_IPV6_PROBLEM_NONE,
     0},
    /* RFC 8200 §4.4: an unknown routing type with, and without, segments left; RFC 5095: type 0. */
    {"routing done", {{43, 8, {0, 0, 77, 0}}}, CAPY_DROP_NONE, CAPY_IPV6_PROBLEM_NONE, 0},
    {"routing left", {{43, 8, {0, 0, 77, 1}}}, CAPY_DROP_IP_ROUTING, CAPY_IPV6_PROBLEM_FIELD, 42},
    {"routing type 0", {{43, 24, {0, 2, 0, 1}}}, CAPY_DROP_IP_ROUTING, CAPY_IPV6_PROBLEM_FIELD, 42},
    /* RFC 8200 §4.5, RFC 6946: whole in one fragment, with reserved bits set; the first; a later. */
    {"atomic fragment", {{44, 8, {0, 9, 0, 6}}}, CAPY_DROP_NONE, CAPY_IPV6_PROBLEM_NONE, 0},
    {"first fragment", {{44, 8, {0, 0, 0, 1}}}, CAPY_DROP_IP_FRAGMENT, CAPY_IPV6_PROBLEM_NONE, 0},
    {"last fragment", {{44, 8, {0, 0, 1, 0}}}, CAPY_DROP_IP_FRAGMENT, CAPY_IPV6_PROBLEM_NONE, 0},
    /* RFC 8200 §4.7 and §4. */
    {"no next header", {{59, 0, {0}}}, CAPY_DROP_PROTOCOL, CAPY_IPV6_PROBLEM_NONE, 0},
    {"unknown next header", {{253, 0, {0}}}, CAPY_DROP_PROTOCOL, CAPY_IPV6_PROBLEM_NEXT, 6},
    {"ICMP of IPv4", {{1, 0, {0}}}, CAPY_DROP_PROTOCOL, CAPY_IPV6_PROBLEM_NEXT, 6},
};

/* Builds the case over a TCP frame; a header of no bytes only renames what follows. */
static size_t extension_frame(uint8_t *frame, const struct extension_case *c)
{
    size_t len = tcp_frame(frame, 30);
    for (size_t h = 0; h < 3; h++) {
        if (c->header[h].len > 0)
            len = insert(frame, len, c->header[h].kind, c->header[h].bytes, c->header[h].len);
        else if (h == 0)
            frame[IP_AT + 6] = c->header[h].kind;
    }
    return len;
}

static void extension_headers_by_the_book(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof extension_cases / sizeof extension_cases[0]; i++) {
        const struct extension_case *c = &extension_cases[i];
        uint8_t frame[CAPY_FRAME_MAX];
        struct capy_packet p;
        struct capy_ipv6 walked;
        size_t len = extension_frame(frame, c);
        enum capy_drop got = capy_frame_parse(frame, len, &p);
        if (got != c->expect)
            fail_msg("%s: %s, not %s", c->what, capy_drop_name(got), capy_drop_name(c->expect));
        assert_int_equal(capy_ipv6_walk(frame + IP_AT, len - IP_AT, &walked), c->expect);
        if (c->expect == CAPY_DROP_NONE) {
            assert_int_equal(p.tcp.data_len, 30);
        } else if (walked.problem != c->problem ||
                   (c->problem != CAPY_IPV6_PROBLEM_NONE && walked.problem_at != c->problem_at)) {
            fail_msg("%s: problem %d at %u", c->what, (int)walked.problem, walked.problem_at);
        }
    }
}

static void readdressing_walks_extension_headers(void **state)
{
    (void)state;
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_packet p;
    struct capy_ip dst = ip6("2001:db8::77");
    size_t len = extension_frame(frame, &extension_cases[3]);
    assert_true(capy_frame_readdress(frame, len, &mac_c, &mac_b, &dst, 61440));
    assert_int_equal(capy_frame_parse(frame, len, &p), CAPY_DROP_NONE);
    assert_int_equal(p.dst_port, 61440);
}

static void a_chain_without_end_is_dropped(void **state)
{
    (void)state;
    static const uint8_t pad[8] = {0, 0, 1, 4};
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_packet p;
    size_t len = tcp_frame(frame, 0);
    for (unsigned n = 1; n <= 40; n++) {
        len = insert(frame, len, 60, pad, sizeof pad);
        assert_int_equal(capy_frame_parse(frame, len, &p),
                         n <= 8 ? CAPY_DROP_NONE : CAPY_DROP_IP_EXTENSION);
    }
}

/* Every case of extension headers, cut at every length with the IPv6 length made to fit, then with
 * random bytes: nothing reads outside, neither the walk nor the answer to it. */
static void nothing_reads_outside(void **state)
{
    (void)state;
    struct capy_prng rng;
    capy_prng_seed(&rng, 6);
    for (size_t i = 0; i < sizeof extension_cases / sizeof extension_cases[0]; i++) {
        uint8_t frame[CAPY_FRAME_MAX], answer[CAPY_FRAME_MAX];
        size_t full = extension_frame(frame, &extension_cases[i]);
        for (unsigned n = 0; n < 20; n++) {
            for (size_t len = L4_AT; len <= full; len++) {
                uint8_t *cut = malloc(len);
                assert_non_null(cut);
                memcpy(cut, frame, len);
                capy_store16(cut + IP_AT + 4, (uint16_t)(len - L4_AT));
                for (unsigned change = 0; change < n && len > (size_t)L4_AT; change++)
                    cut[L4_AT + capy_prng_below(&rng, len - L4_AT)] =
                        (uint8_t)capy_prng_below(&rng, 70);
                struct capy_packet p;
                struct capy_ip self = ip6("2001:db8::b");
                if (capy_frame_parse(cut, len, &p) != CAPY_DROP_NONE)
                    assert_true(capy_frame_build_problem(answer, cut, len, &mac_b, &self) <=
                                CAPY_FRAME_MAX);
                free(cut);
            }
        }
    }
}

/* ---- parameter problems ---- */

static size_t problem_of(uint8_t *answer, const uint8_t *frame, size_t len)
{
    struct capy_ip self = ip6("2001:db8:ffff:fffe::b");
    return capy_frame_build_problem(answer, frame, len, &mac_b, &self);
}

/* RFC 4443 §3.4; §2.4 (c): as much of the packet as fits 1280 bytes. */
static void a_parameter_problem_quotes_its_packet(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof extension_cases / sizeof extension_cases[0]; i++) {
        const struct extension_case *c = &extension_cases[i];
        uint8_t frame[CAPY_FRAME_MAX], answer[CAPY_FRAME_MAX];
        struct capy_packet p;
        size_t len = extension_frame(frame, c);
        size_t got = problem_of(answer, frame, len);
        if (c->problem == CAPY_IPV6_PROBLEM_NONE) {
            assert_int_equal(got, 0);
            continue;
        }
        assert_int_equal(got, CAPY_ICMP6_AT + 8 + len - IP_AT);
        assert_int_equal(capy_frame_parse(answer, got, &p), CAPY_DROP_NONE);
        assert_int_equal(p.icmp.type, 4);
        assert_int_equal(p.icmp.code, c->problem);
        assert_int_equal(capy_load32(p.icmp.message + 4), c->problem_at);
        assert_memory_equal(p.icmp.message + 8, frame + IP_AT, len - IP_AT);
        struct capy_frame_to to = from_a_to_b();
        assert_true(capy_ip_eq(&p.dst, &to.src) && capy_ip_eq(&p.src, &to.dst));
        assert_true(capy_mac_eq(&p.dst_mac, &mac_a));
    }
    uint8_t frame[CAPY_FRAME_MAX], answer[CAPY_FRAME_MAX];
    size_t len = tcp_frame(frame, 1428);
    frame[IP_AT + 6] = 253;
    assert_int_equal(problem_of(answer, frame, len), CAPY_ETHER_LEN + 1280);
}

/* RFC 4443 §2.4 (e): never in answer to an error, a group, or nobody. */
static void what_must_not_be_answered_is_not(void **state)
{
    (void)state;
    static const uint8_t option_10[8] = {0, 0, 0x9e, 4}, option_11[8] = {0, 0, 0xde, 4};
    struct capy_ip group = capy_ip_all_nodes(), nobody = {{0}};
    uint8_t frame[CAPY_FRAME_MAX], answer[CAPY_FRAME_MAX];
    size_t len = build_tcp(frame);
    assert_int_equal(problem_of(answer, frame, len), 0); /* nothing wrong with it */
    frame[IP_AT + 6] = 253;
    assert_true(problem_of(answer, frame, len) > 0);
    memcpy(frame + IP_AT + 24, group.b, 16); /* (e.3) */
    assert_int_equal(problem_of(answer, frame, len), 0);
    len = build_tcp(frame);
    frame[IP_AT + 6] = 253;
    frame[0] = 0x33; /* (e.4) a group's frame */
    assert_int_equal(problem_of(answer, frame, len), 0);
    len = build_tcp(frame);
    frame[IP_AT + 6] = 253;
    memcpy(frame + IP_AT + 8, nobody.b, 16); /* (e.6) */
    assert_int_equal(problem_of(answer, frame, len), 0);
    memcpy(frame + IP_AT + 8, group.b, 16);
    assert_int_equal(problem_of(answer, frame, len), 0);
    /* (e.1), (e.2): an error, or a redirect, with an option that calls for one. */
    static const struct {
        uint8_t type;
        bool answered;
    } types[] = {{1, false}, {4, false}, {127, false}, {137, false}, {128, true}, {135, true}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        len = insert(frame, build_echo(frame), 60, option_10, sizeof option_10);
        frame[L4_AT + sizeof option_10] = types[i].type;
        assert_int_equal(problem_of(answer, frame, len) > 0, types[i].answered);
    }
    /* (e.3) exception 2: code 2 is told of a multicast too, unless the option says 11. */
    len = insert(frame, build_tcp(frame), 60, option_10, sizeof option_10);
    memcpy(frame + IP_AT + 24, group.b, 16);
    assert_true(problem_of(answer, frame, len) > 0);
    len = insert(frame, build_tcp(frame), 60, option_11, sizeof option_11);
    memcpy(frame + IP_AT + 24, group.b, 16);
    assert_int_equal(problem_of(answer, frame, len), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extension_headers_by_the_book),
        cmocka_unit_test(readdressing_walks_extension_headers),
        cmocka_unit_test(a_chain_without_end_is_dropped),
        cmocka_unit_test(nothing_reads_outside),
        cmocka_unit_test(a_parameter_problem_quotes_its_packet),
        cmocka_unit_test(what_must_not_be_answered_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
