/* Attacks on a service, and what its clients notice: floods of SYNs, blind injection (RFC 5961), ACK
 * storms, and peers that lie in their acknowledgments. Every test prints its figures and asserts
 * that served clients keep at least nine tenths of what they got in peace. */
#include "service.h"
#include "tcp/position.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define GUESSES 1000000u
#define SOURCES 0x20000000u /* made-up addresses from here on */

static struct service v;

static int open_service(void **state)
{
    (void)state;
    service_open(&v, NULL);
    return 0;
}

static int close_service(void **state)
{
    (void)state;
    service_close(&v);
    return 0;
}

static const struct capy_stack_counters *count(void)
{
    return capy_stack_counters(v.host[SERVER]);
}

/* Peace, then this attack, for as long each: prints, asserts nine tenths, leaves the attack on. */
static void compare(const char *name, void (*attack)(struct service *v), uint64_t ns)
{
    struct service_figures before = service_measure(&v, ns);
    v.attack = attack;
    struct service_figures during = service_measure(&v, ns);
    assert_true(before.answers > 0 && during.answers > 0);
    uint64_t milli_rtt[2] = {1000 * before.sum_ns / before.answers / SERVICE_RTT_NS,
                             1000 * during.sum_ns / during.answers / SERVICE_RTT_NS};
    printf("%s: answers %u before, %u during (%u%%); latency %llu.%03llu and %llu.%03llu round "
           "trips, worst %llu us\n",
           name, before.answers, during.answers, 100 * during.answers / before.answers,
           (unsigned long long)milli_rtt[0] / 1000, (unsigned long long)milli_rtt[0] % 1000,
           (unsigned long long)milli_rtt[1] / 1000, (unsigned long long)milli_rtt[1] % 1000,
           (unsigned long long)during.worst_ns / 1000);
    assert_true(10 * during.answers >= 9 * before.answers);
    for (unsigned i = 0; i < SERVED; i++)
        assert_false(v.client[i].closed);
}

/* ---- floods ---- */

/* Ten SYNs for each request that is served (16 clients, one request in 500 us each: 32 a ms). */
static void ten_syns_per_request(struct service *w)
{
    unsigned now = w->attack_cnt % 5 == 0 ? 4 : 3; /* 3.2 in 10 us */
    for (unsigned i = 0; i < now; i++) {
        struct forged c = forge_client(SOURCES + service_random(w) % 0x10000000u,
                                       (uint16_t)(1024 + service_random(w) % 60000), SERVICE_PORT);
        c.ts = true;
        struct capy_tcp_segment syn = forge_syn(&c);
        service_forge(w, &c, &syn);
    }
    w->attack_cnt++;
}

static void a_syn_flood(void **state)
{
    (void)state;
    compare("syn flood", ten_syns_per_request, CAPY_MS(500));
    /* Newcomers get in at the first try: two clients a millisecond. */
    struct capy_ip ip = v.host[SERVER]->cfg.ip;
    uint64_t retrans = capy_stack_counters(v.host[CLIENTS])->tcp.rto_fired;
    unsigned opened = 0;
    uint64_t sum_ns = 0;
    for (unsigned i = 0; i < 100; i++) {
        capy_handle c;
        struct capy_stack_conn_info info;
        uint64_t began = v.now;
        int rc = capy_stack_connect(v.host[CLIENTS], &ip, SERVICE_PORT, 0, SERVED, &c, v.now);
        assert_int_equal(rc, CAPY_OK);
        do {
            service_run(&v, SERVICE_STEP_NS);
            assert_int_equal(capy_stack_conn_info(v.host[CLIENTS], c, &info), CAPY_OK);
        } while (info.tcp.state == CAPY_TCP_SYN_SENT);
        opened += info.tcp.state == CAPY_TCP_ESTABLISHED;
        sum_ns += v.now - began;
    }
    printf("    %llu cookies, %u half-open; 100 newcomers: %u in, %llu us each, %llu by cookie\n",
           (unsigned long long)count()->syn_cookies_sent,
           v.host[SERVER]->aged[CAPY_AGE_HALF_OPEN].cnt, opened,
           (unsigned long long)sum_ns / 100000, (unsigned long long)count()->syn_cookies_ok);
    assert_int_equal(opened, 100);
    assert_int_equal(capy_stack_counters(v.host[CLIENTS])->tcp.rto_fired, retrans);
    service_run(&v, CAPY_MS(1));
    assert_int_equal(count()->syn_cookies_ok, 100);
    assert_true(sum_ns / 100 < 2 * SERVICE_RTT_NS);
}

static void one_source(struct service *w)
{
    for (unsigned i = 0; i < 3; i++) {
        struct forged c =
            forge_client(SOURCES, (uint16_t)(1024 + service_random(w) % 60000), SERVICE_PORT);
        struct capy_tcp_segment syn = forge_syn(&c);
        service_forge(w, &c, &syn);
    }
}

static void a_syn_flood_from_one_address(void **state)
{
    (void)state;
    v.host[SERVER]->cfg.syn_rate = 1000;
    compare("syn flood, one source", one_source, CAPY_MS(500));
    uint64_t let = count()->syn_cookies_sent + v.host[SERVER]->aged[CAPY_AGE_HALF_OPEN].cnt;
    printf("    heard %llu of 150000, limited %llu\n", (unsigned long long)let,
           (unsigned long long)count()->rate_limited[CAPY_RATE_SYN]);
    assert_in_range(let, 1000, 1502); /* the bucket, and what half a second adds */
}

/* ACKs out of nowhere, while cookies are out: each is a guess at one. */
static void ack_guesses(struct service *w)
{
    ten_syns_per_request(w);
    for (unsigned i = 0; i < 3; i++) {
        struct forged c =
            forge_client(SOURCES + service_random(w) % 0x10000000u, 1024, SERVICE_PORT);
        c.snd_nxt.v = service_random(w);
        c.rcv_nxt.v = service_random(w);
        struct capy_tcp_segment ack = {
            .seq = c.snd_nxt, .ack = c.rcv_nxt, .flags = CAPY_TCP_ACK, .window = 1000};
        service_forge(w, &c, &ack);
    }
}

static void guessed_cookies(void **state)
{
    (void)state;
    compare("guessed cookies", ack_guesses, CAPY_MS(500));
    printf("    %llu guesses, %llu right (expected %.4f)\n",
           (unsigned long long)count()->syn_cookies_bad,
           (unsigned long long)count()->syn_cookies_ok,
           (double)count()->syn_cookies_bad / (1u << 28));
    assert_true(count()->syn_cookies_bad > 100000);
    assert_int_equal(count()->syn_cookies_ok, 0);
}

/* ---- blind injection ---- */

/* GUESSES segments with this client's addresses and numbers at random; how many had a sequence
 * number within the window. */
static unsigned guess(unsigned client, uint8_t flags, const char *data, struct forged *c)
{
    unsigned in_window = 0;
    *c = service_client_ends(&v, client);
    const struct capy_tcp *tcb = service_server_tcb(&v, c);
    uint32_t wnd = (uint32_t)(capy_tcp_rcv_edge(tcb) - tcb->rcv.nxt);
    for (unsigned i = 0; i < GUESSES; i++) {
        struct capy_tcp_segment seg = {.seq = {service_random(&v)},
                                       .ack = {service_random(&v)},
                                       .window = 1000,
                                       .flags = flags,
                                       .opts = c->ts ? CAPY_TCP_OPT_TS : 0,
                                       .ts_val = service_random(&v),
                                       .data = (const uint8_t *)data,
                                       .data_len = (uint32_t)strlen(data)};
        in_window += seg.seq.v - c->snd_nxt.v < wnd;
        service_inject(&v, c, &seg);
        if (i % 2000 == 0)
            service_run(&v, CAPY_MS(1));
    }
    return in_window;
}

static void guesses_are_in_vain(const char *name, uint8_t flags, const char *data)
{
    struct forged c;
    uint64_t challenges = count()->tcp.challenge_acks, resets = count()->tcp.resets_in;
    v.figures = (struct service_figures){0};
    unsigned in_window = guess(3, flags, data, &c);
    uint64_t sent = count()->tcp.challenge_acks - challenges;
    uint32_t through = (uint32_t)(count()->tcp.resets_in - resets + v.strange_bytes);
    printf(
        "blind %s: %u of %u guesses in the window, %u got through, %llu challenge ACKs in 500 ms\n",
        name, in_window, GUESSES, through, (unsigned long long)sent);
    assert_int_equal(through, 0);
    assert_in_range(sent, 0, 3); /* one in 500 ms (RFC 5961 §7) */
    uint32_t answers = v.figures.answers;
    assert_true(answers >= 9 * SERVED * 1000 / 10); /* 500 ms, a request in 500 us each */
    for (unsigned i = 0; i < SERVED; i++)
        assert_false(v.client[i].closed);
}

/* RFC 5961 §3: a RST counts at exactly the next number only: one guess in 2^32. */
static void blind_resets(void **state)
{
    (void)state;
    guesses_are_in_vain("RST", CAPY_TCP_RST, "");
    guesses_are_in_vain("RST+ACK", CAPY_TCP_RST | CAPY_TCP_ACK, "");
}

/* RFC 5961 §4: a SYN never does. */
static void blind_syns(void **state)
{
    (void)state;
    guesses_are_in_vain("SYN", CAPY_TCP_SYN, "");
}

/* RFC 5961 §5: data counts with an acknowledgment in range only; and RFC 7323 §5 asks for a
 * timestamp that is not old. */
static void blind_data(void **state)
{
    (void)state;
    guesses_are_in_vain("data", CAPY_TCP_ACK | CAPY_TCP_PSH, "X");
    guesses_are_in_vain("ACK", CAPY_TCP_ACK, "");
    guesses_are_in_vain("FIN", CAPY_TCP_ACK | CAPY_TCP_FIN, "");
}

/* The exact number is needed and enough: what the guesses above would have to hit. */
static void the_exact_number_resets(void **state)
{
    (void)state;
    struct forged c = service_client_ends(&v, 3);
    struct capy_tcp_segment rst = {.seq = capy_seq_add(c.snd_nxt, 1), .flags = CAPY_TCP_RST};
    service_inject(&v, &c, &rst);
    assert_non_null(service_server_tcb(&v, &c));
    rst.seq = c.snd_nxt;
    service_inject(&v, &c, &rst);
    assert_int_equal(count()->tcp.resets_in, 1);
}

/* ---- storms ---- */

/* Somebody on the path gives both ends data that the other never sent: from then on each believes
 * the other to be behind or ahead, and answers. */
static void two_confused_ends_do_not_storm(void **state)
{
    (void)state;
    static const uint8_t bytes[1000] = {'r'};
    struct forged c = service_client_ends(&v, 3);
    const struct capy_tcp *tcb = service_server_tcb(&v, &c);
    for (unsigned i = 0; i < 4; i++) {
        struct capy_tcp_segment seg = {.seq = c.snd_nxt,
                                       .ack = capy_seq_add(tcb->snd.iss, (uint32_t)tcb->snd.nxt),
                                       .window = 1000,
                                       .flags = CAPY_TCP_ACK,
                                       .opts = CAPY_TCP_OPT_TS,
                                       .ts_val = tcb->rcv.ts_recent,
                                       .data = bytes,
                                       .data_len = sizeof bytes};
        service_inject(&v, &c, &seg);
        c.snd_nxt = capy_seq_add(c.snd_nxt, sizeof bytes);
    }
    assert_true(v.strange_bytes > 0 || tcb->rcv.queue.block_cnt > 0); /* they were believed */
    uint64_t in = count()->tcp.segs_in;
    struct service_figures during = service_measure(&v, CAPY_SEC(1));
    uint64_t theirs = count()->tcp.segs_in - in - during.answers; /* a segment for each answer */
    printf("confused ends: %llu segments of theirs in 1 s; the others got %u answers\n",
           (unsigned long long)theirs, during.answers);
    assert_true(tcb->rcv.nxt - CAPY_TCP_POS_DATA > 0 && theirs <= 50);
    assert_true(during.answers >= 9u * (SERVED - 1) * 2000 / 10);
}

/* ---- peers that lie: hand-made, with a big answer on its way ---- */

static struct forged liar;

/* A forged client of its own without options, whom the server owes a big answer; what the server
 * sent at once, in segments. */
static unsigned open_liar(uint16_t port, bool options)
{
    struct capy_packet p;
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_stack *s = v.host[SERVER];
    size_t len;
    unsigned segments = 0;
    liar = forge_client(SOURCES, port, SERVICE_PORT);
    liar.ts = options;
    struct capy_tcp_segment syn = forge_syn(&liar);
    service_inject(&v, &liar, &syn);
    liar.snd_nxt = capy_seq_add(liar.snd_nxt, 1);
    while ((len = capy_stack_output(s, frame, v.now)) > 0)
        if (capy_frame_parse(frame, len, &p) == CAPY_DROP_NONE && p.kind == CAPY_PACKET_TCP &&
            p.dst_port == port) {
            liar.rcv_nxt = capy_seq_add(p.tcp.seq, 1);
            liar.ts_ecr = p.tcp.ts_val;
        }
    struct capy_tcp_segment ask = {.seq = liar.snd_nxt,
                                   .ack = liar.rcv_nxt,
                                   .window = UINT16_MAX,
                                   .flags = CAPY_TCP_ACK,
                                   .opts = options ? CAPY_TCP_OPT_TS : 0,
                                   .ts_val = liar.ts_val,
                                   .ts_ecr = liar.ts_ecr,
                                   .data = (const uint8_t *)"B",
                                   .data_len = 1};
    service_inject(&v, &liar, &ask);
    liar.snd_nxt = capy_seq_add(liar.snd_nxt, 1);
    service_run(&v, SERVICE_STEP_NS);
    const struct capy_tcp *tcb = service_server_tcb(&v, &liar);
    segments = (uint32_t)(tcb->snd.nxt - tcb->snd.una) / tcb->snd.mss;
    return segments;
}

/* An acknowledgment of this many bytes beyond the first, without anything else. */
static struct capy_tcp_segment ack_of(uint32_t bytes)
{
    return (struct capy_tcp_segment){.seq = liar.snd_nxt,
                                     .ack = capy_seq_add(liar.rcv_nxt, bytes),
                                     .window = UINT16_MAX,
                                     .flags = CAPY_TCP_ACK,
                                     .opts = liar.ts ? CAPY_TCP_OPT_TS : 0,
                                     .ts_val = liar.ts_val,
                                     .ts_ecr = liar.ts_ecr};
}

/* The congestion window after the first flight was acknowledged in so many pieces per segment. */
static uint32_t window_after(uint16_t port, unsigned pieces)
{
    unsigned segments = open_liar(port, false);
    const struct capy_tcp *tcb = service_server_tcb(&v, &liar);
    uint32_t mss = tcb->snd.mss, begin = tcb->cc.cwnd;
    for (unsigned i = 1; i <= segments * pieces; i++) {
        struct capy_tcp_segment ack = ack_of(i * mss / pieces);
        service_inject(&v, &liar, &ack);
    }
    return tcb->cc.cwnd - begin;
}

/* Savage et al. 1999; RFC 5681 §3.1 and RFC 3465: what is counted is bytes. */
static void divided_acks_gain_nothing(void **state)
{
    (void)state;
    uint32_t whole = window_after(1, 1), parts = window_after(2, 100);
    printf("divided ACKs: window grew by %u for whole ones, %u for a hundred pieces each\n", whole,
           parts);
    assert_true(whole > 0 && parts <= whole);
}

/* Acknowledging what was never sent is answered, not believed (RFC 9293 §3.10.7.4, fifth step). */
static void acks_of_the_future_are_not_believed(void **state)
{
    (void)state;
    unsigned segments = open_liar(3, false);
    const struct capy_tcp *tcb = service_server_tcb(&v, &liar);
    uint32_t cwnd = tcb->cc.cwnd;
    uint64_t una = tcb->snd.una, challenges = count()->tcp.challenge_acks;
    for (unsigned i = 1; i < 1000; i++) {
        struct capy_tcp_segment ack = ack_of((segments + i) * 1460u + 1);
        service_inject(&v, &liar, &ack);
    }
    assert_int_equal(tcb->cc.cwnd, cwnd);
    assert_int_equal(tcb->snd.una, una);
    assert_int_equal(count()->tcp.challenge_acks - challenges, 1);
}

/* RFC 5681 §3.2: duplicates inflate the window by no more than what is outstanding; each lets out a
 * segment at most, and the peer's own window ends it. */
static void made_up_duplicates_let_out_little(void **state)
{
    (void)state;
    unsigned segments = open_liar(4, false);
    const struct capy_tcp *tcb = service_server_tcb(&v, &liar);
    uint64_t nxt = tcb->snd.nxt;
    for (unsigned i = 0; i < 1000; i++) {
        struct capy_tcp_segment ack = ack_of(0);
        service_inject(&v, &liar, &ack);
        service_run(&v, SERVICE_STEP_NS);
    }
    uint64_t fresh = (tcb->snd.nxt - nxt) / tcb->snd.mss;
    printf("duplicate ACKs: %llu new segments and %u again for 1000 of them, %u were outstanding\n",
           (unsigned long long)fresh, tcb->retrans_segs, segments);
    assert_true(tcb->snd.nxt - tcb->snd.una <= UINT16_MAX);
    assert_true(fresh + tcb->retrans_segs <= UINT16_MAX / tcb->snd.mss);
}

/* SACK of what was never sent, of what is long acknowledged, empty, turned over: all ignored. */
static void sack_lies_are_ignored(void **state)
{
    (void)state;
    (void)open_liar(5, true);
    const struct capy_tcp *tcb = service_server_tcb(&v, &liar);
    uint64_t una = tcb->snd.una, nxt = tcb->snd.nxt;
    static const int32_t lies[][2] = {{1000000, 2000000}, {-5000, -1000}, {3000, 3000},
                                      {5000, 2000},       {-10, 3000},    {1000, 90000000}};
    for (unsigned i = 0; i < 6; i++) {
        struct capy_tcp_segment ack = ack_of(0);
        ack.sack_cnt = 1;
        ack.sack[0].left = capy_seq_add(liar.rcv_nxt, (uint32_t)lies[i][0]);
        ack.sack[0].right = capy_seq_add(liar.rcv_nxt, (uint32_t)lies[i][1]);
        service_inject(&v, &liar, &ack);
        assert_int_equal(tcb->snd.sacked, 0);
    }
    assert_int_equal(tcb->snd.una, una);
    assert_true(tcb->snd.nxt == nxt);
}

/* A peer that reports to hold bytes and then throws them away (RFC 2018 §8): the sender keeps them
 * until they are acknowledged, and an RTO forgets what was reported. */
static void a_reneging_peer_gets_its_bytes(void **state)
{
    (void)state;
    unsigned segments = open_liar(6, true);
    const struct capy_tcp *tcb = service_server_tcb(&v, &liar);
    uint32_t mss = tcb->snd.mss;
    struct capy_tcp_segment ack = ack_of(0);
    ack.sack_cnt = 1;
    ack.sack[0].left = capy_seq_add(liar.rcv_nxt, mss);
    ack.sack[0].right = capy_seq_add(liar.rcv_nxt, segments * mss);
    service_inject(&v, &liar, &ack);
    assert_int_equal(tcb->snd.sacked, (segments - 1) * mss);
    uint64_t una = tcb->snd.una, retrans = tcb->retrans_segs;
    for (unsigned i = 0; i < 200 && tcb->snd.una < una + segments * mss; i++) {
        service_run(&v, CAPY_MS(50));
        uint64_t again = tcb->retrans_segs - retrans;
        if (again > 0) { /* acknowledges one segment per retransmission, in order */
            retrans = tcb->retrans_segs;
            liar.ts_ecr = (uint32_t)(v.now / CAPY_MS(1)) + tcb->ts_offset; /* what it carried */
            ack = ack_of((uint32_t)(tcb->snd.una - una) + mss);
            service_inject(&v, &liar, &ack);
        }
    }
    assert_true(tcb->snd.una >= una + segments * mss);
}

/* A window taken back (RFC 9293 §3.8.6, discouraged, to be survived): MUST-34. */
static void a_shrinking_window_is_survived(void **state)
{
    (void)state;
    unsigned segments = open_liar(7, false);
    const struct capy_tcp *tcb = service_server_tcb(&v, &liar);
    uint64_t una = tcb->snd.una;
    struct capy_tcp_segment ack = ack_of(1460);
    ack.window = 100; /* less than what is in flight */
    service_inject(&v, &liar, &ack);
    uint64_t nxt = tcb->snd.nxt;
    service_run(&v, CAPY_SEC(2));
    assert_true(tcb->snd.nxt <= nxt + 1); /* nothing new into a window that is not there */
    ack.window = 0;
    service_inject(&v, &liar, &ack);
    service_run(&v, CAPY_SEC(5));
    assert_true(tcb->snd.una < tcb->snd.nxt && tcb->state == CAPY_TCP_ESTABLISHED);
    for (unsigned i = 0; i < 1000 && tcb->snd.una < una + SERVICE_BIG; i++) {
        ack = ack_of((uint32_t)(tcb->snd.nxt - una));
        service_inject(&v, &liar, &ack);
        service_run(&v, SERVICE_RTT_NS);
    }
    assert_true(segments > 0 && tcb->snd.una == una + SERVICE_BIG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_service, close_service)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_syn_flood),
        TEST(a_syn_flood_from_one_address),
        TEST(guessed_cookies),
        TEST(blind_resets),
        TEST(blind_syns),
        TEST(blind_data),
        TEST(the_exact_number_resets),
        TEST(two_confused_ends_do_not_storm),
        TEST(divided_acks_gain_nothing),
        TEST(acks_of_the_future_are_not_believed),
        TEST(made_up_duplicates_let_out_little),
        TEST(sack_lies_are_ignored),
        TEST(a_reneging_peer_gets_its_bytes),
        TEST(a_shrinking_window_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
