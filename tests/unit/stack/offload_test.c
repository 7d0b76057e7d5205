/* Hosts whose devices take large segments: the wire shows what it would without, and large segments
 * that arrive are worth the packets that they stand for. Last, against the kernel through a TAP. */
#include "../drv/rig.h"
#include "pair.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORT = 80, TOTAL = 600000 };

static uint8_t pattern(uint64_t i)
{
    return (uint8_t)(i * 131 + (i >> 8) * 17);
}

/* ---- the same frames on the wire ---- */

struct wire_record {
    uint64_t hash;
    uint32_t cnt;
};

static struct wire_record record;

static void note(const struct pair *p, unsigned from, const uint8_t *frame, size_t len)
{
    const uint64_t words[3] = {record.hash, p->now, from};
    record.hash = capy_siphash24((struct capy_key){1, 2}, (const uint8_t *)words, sizeof words) ^
                  capy_siphash24((struct capy_key){3, 4}, frame, len);
    record.cnt++;
}

static bool lose_none(struct pair *p, unsigned from, const uint8_t *frame, size_t len)
{
    note(p, from, frame, len);
    return true;
}

static bool lose_some(struct pair *p, unsigned from, const uint8_t *frame, size_t len)
{
    note(p, from, frame, len);
    return p->seen % 97 != 0;
}

static void write_all(struct pair *p, capy_handle conn, uint64_t *sent)
{
    static uint8_t buf[32768];
    int64_t took;
    do {
        uint32_t n = (uint32_t)capy_min64(sizeof buf, TOTAL - *sent);
        for (uint32_t i = 0; i < n; i++)
            buf[i] = pattern(*sent + i);
        took = n > 0 ? capy_stack_write(p->host[0], conn, buf, n, p->now) : 0;
        assert_true(took >= 0);
        *sent += (uint64_t)took;
    } while (took > 0);
}

static void read_all(struct pair *p, unsigned host, capy_handle conn, uint64_t *got)
{
    const uint8_t *data;
    uint32_t span;
    while ((data = capy_stack_read_span(p->host[host], conn, 0, &span)) != NULL) {
        for (uint32_t i = 0; i < span; i++)
            assert_int_equal(data[i], pattern(*got + i));
        *got += span;
        assert_int_equal(capy_stack_consume(p->host[host], conn, span, p->now), CAPY_OK);
    }
}

static capy_handle accepted(struct pair *p)
{
    struct capy_stack_event ev;
    assert_true(capy_stack_event(p->host[1], &ev));
    assert_true(ev.bits & CAPY_EV_ACCEPTED);
    return ev.conn;
}

static capy_handle open_pair(struct pair *p, capy_handle *client)
{
    struct capy_stack_cfg a = pair_cfg(0), b = pair_cfg(1);
    struct capy_ip ip = pair_ip(1);
    pair_open(p, &a, &b);
    assert_int_equal(capy_stack_listen(p->host[1], PORT, 0), CAPY_OK);
    assert_int_equal(capy_stack_connect(p->host[0], &ip, PORT, 0, 1, client, p->now), CAPY_OK);
    return CAPY_HANDLE_NONE;
}

static struct wire_record run(bool offload,
                              bool (*pass)(struct pair *, unsigned, const uint8_t *, size_t))
{
    struct pair p;
    capy_handle client;
    uint64_t sent = 0, got = 0;
    record = (struct wire_record){0};
    open_pair(&p, &client);
    p.offload = offload;
    p.pass = pass;
    pair_run(&p, CAPY_MS(1));
    capy_handle server = accepted(&p);
    for (uint64_t until = p.now + CAPY_SEC(30); got < TOTAL;) {
        write_all(&p, client, &sent);
        read_all(&p, 1, server, &got);
        if (sent == TOTAL)
            (void)capy_stack_shutdown(p.host[0], client, p.now);
        assert_true(pair_step(&p, until));
    }
    pair_run(&p, CAPY_SEC(1));
    assert_int_equal(p.large > 0, offload);
    pair_close(&p);
    return record;
}

static void the_wire_shows_what_it_would_without(void **state)
{
    (void)state;
    struct wire_record plain = run(false, lose_none), large = run(true, lose_none);
    assert_true(plain.cnt > TOTAL / 1460);
    assert_int_equal(plain.cnt, large.cnt);
    assert_true(plain.hash == large.hash);
}

static void with_losses_too(void **state)
{
    (void)state;
    struct wire_record plain = run(false, lose_some), large = run(true, lose_some);
    assert_int_equal(plain.cnt, large.cnt);
    assert_true(plain.hash == large.hash);
}

/* ---- large segments that arrive ---- */

static void a_large_segment_is_taken_whole(void **state)
{
    (void)state;
    static uint8_t frame[CAPY_LARGE_FRAME_MAX];
    struct pair p;
    capy_handle client;
    uint64_t sent = 0, got = 0;
    unsigned large = 0;
    open_pair(&p, &client);
    pair_run(&p, CAPY_MS(1));
    capy_handle server = accepted(&p);
    while (got < TOTAL) { /* no wire: one device's frames are the other's */
        write_all(&p, client, &sent);
        for (unsigned from = 0; from < 2; from++) {
            struct capy_offload how = {.partial = true, .segment = 1};
            size_t len;
            while ((len = capy_stack_output_offloaded(p.host[from], frame, &how, p.now)) > 0) {
                large += how.segment > 0;
                capy_stack_input_offloaded(p.host[1 - from], frame, len, &how, p.now);
                how = (struct capy_offload){.partial = true, .segment = 1};
            }
        }
        read_all(&p, 1, server, &got);
        p.now += CAPY_MS(1);
        for (unsigned h = 0; h < 2; h++)
            capy_stack_expire(p.host[h], p.now);
    }
    const struct capy_stack_counters *count = capy_stack_counters(p.host[0]);
    assert_true(large > 10);
    assert_int_equal(count->tcp.retrans_segs, 0);
    assert_true(count->tcp.segs_out > TOTAL / 1460); /* packets are counted, not frames */
    pair_close(&p);
}

/* Whoever keeps frames or sends them on gets packets: here each is answered for itself. */
static void a_large_segment_for_nobody_is_as_many_packets(void **state)
{
    (void)state;
    static uint8_t frame[CAPY_LARGE_FRAME_MAX], data[4000];
    struct pair p;
    capy_handle client;
    open_pair(&p, &client);
    pair_run(&p, CAPY_MS(1));
    const struct capy_frame_to to = {.dst_mac = pair_cfg(1).mac,
                                     .src_mac = pair_cfg(0).mac,
                                     .src = pair_ip(0),
                                     .dst = pair_ip(1),
                                     .src_port = 5,
                                     .dst_port = 6,
                                     .partial = true};
    const struct capy_tcp_segment seg = {
        .flags = CAPY_TCP_ACK, .data = data, .data_len = sizeof data};
    size_t len = capy_frame_build_tcp(frame, &to, &seg);
    struct capy_offload how = {.partial = true, .segment = 1000};
    capy_stack_input_offloaded(p.host[1], frame, len, &how, p.now);
    assert_int_equal(capy_stack_counters(p.host[1])->tcp.resets_out, 4);
    /* Not without the device's word, and not beyond what IP can say. */
    how = (struct capy_offload){0};
    capy_stack_input_offloaded(p.host[1], frame, len, &how, p.now);
    how = (struct capy_offload){.partial = true, .segment = 4000};
    capy_stack_input_offloaded(p.host[1], frame, len, &how, p.now);
    assert_int_equal(capy_stack_counters(p.host[1])->tcp.resets_out, 4);
    assert_int_equal(capy_stack_counters(p.host[1])->oversize, 2);
    pair_close(&p);
}

/* ---- the kernel's TCP, through a TAP that offloads ---- */

struct tap_host {
    struct capy_drv *drv;
    struct capy_stack *stack;
    void *mem;
    uint64_t now;
    unsigned large_in, large_out;
    capy_handle conn;
    uint64_t got, sent; /* the same bytes go back */
};

static void host_open(struct tap_host *h)
{
    char err[ERR_LEN];
    rig_enter_namespace();
    struct capy_drv *d = capy_drv_tap_open("captap0", err, sizeof err);
    if (!d) {
        print_message("skipped: %s\n", err);
        skip();
    }
    d = capy_drv_offload(d);
    assert_non_null(d);
    assert_true(d->can.partial && d->can.segment > 0);
    assert_string_equal(d->ops->name, "tap");
    rig_run("ip addr add 10.0.0.1/24 dev captap0");
    struct capy_stack_cfg cfg = pair_cfg(1);
    *h = (struct tap_host){.drv = d, .now = CAPY_SEC(1), .conn = CAPY_HANDLE_NONE};
    h->mem = aligned_alloc(64, (capy_stack_size(&cfg) + 63) & ~(size_t)63);
    h->stack = capy_stack_init(h->mem, &cfg, h->now);
    assert_int_equal(capy_stack_listen(h->stack, PORT, 0), CAPY_OK);
}

static void host_echo(struct tap_host *h)
{
    struct capy_stack_event ev;
    const uint8_t *data;
    uint32_t span;
    while (capy_stack_event(h->stack, &ev))
        h->conn = ev.conn;
    while ((data = capy_stack_read_span(h->stack, h->conn, 0, &span)) != NULL) {
        int64_t took = capy_stack_write(h->stack, h->conn, data, span, h->now);
        if (took <= 0)
            return;
        assert_int_equal(capy_stack_consume(h->stack, h->conn, (uint32_t)took, h->now), CAPY_OK);
    }
}

static void host_turn(struct tap_host *h)
{
    struct capy_frame f[CAPY_DRV_BURST];
    h->now += CAPY_US(100);
    unsigned cnt = h->drv->ops->receive(h->drv, f, CAPY_DRV_BURST);
    for (unsigned i = 0; i < cnt; i++) {
        h->large_in += f[i].offload.segment > 0;
        capy_stack_input_offloaded(h->stack, f[i].data, f[i].len, &f[i].offload, h->now);
    }
    h->drv->ops->release(h->drv, f, cnt);
    capy_stack_expire(h->stack, h->now);
    host_echo(h);
    while (h->drv->ops->reserve(h->drv, f, 1) == 1) {
        f->offload = h->drv->can;
        f->len = (uint32_t)capy_stack_output_offloaded(h->stack, f->data, &f->offload, h->now);
        h->large_out += f->offload.segment > 0;
        bool any = f->len > 0;
        h->drv->ops->submit(h->drv, f, 1);
        if (!any)
            break;
    }
}

static void the_kernel_s_large_segments_go_both_ways(void **state)
{
    (void)state;
    enum { BYTES = 8 << 20, TURNS_MAX = 2000000 };
    static uint8_t buf[65536];
    struct tap_host h;
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(0x0a000002)};
    host_open(&h);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_true(connect(fd, (void *)&at, sizeof at) == 0 || errno == EINPROGRESS);
    uint64_t sent = 0, got = 0;
    for (unsigned turn = 0; got < BYTES; turn++) {
        assert_true(turn < TURNS_MAX);
        host_turn(&h);
        uint32_t n = (uint32_t)capy_min64(sizeof buf, BYTES - sent);
        for (uint32_t i = 0; i < n; i++)
            buf[i] = pattern(sent + i);
        ssize_t k = n > 0 ? send(fd, buf, n, MSG_NOSIGNAL) : 0;
        sent += k > 0 ? (uint64_t)k : 0;
        while ((k = recv(fd, buf, sizeof buf, 0)) > 0) {
            for (ssize_t i = 0; i < k; i++)
                assert_int_equal(buf[i], pattern(got + (uint64_t)i));
            got += (uint64_t)k;
        }
        assert_true(k < 0 && (errno == EAGAIN || errno == ENOTCONN));
    }
    assert_true(h.large_in > 10 && h.large_out > 10);
    print_message("%u large segments in, %u out, for %d bytes each way\n", h.large_in, h.large_out,
                  BYTES);
    close(fd);
    h.drv->ops->close(h.drv);
    free(h.mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wire_shows_what_it_would_without),
        cmocka_unit_test(with_losses_too),
        cmocka_unit_test(a_large_segment_is_taken_whole),
        cmocka_unit_test(a_large_segment_for_nobody_is_as_many_packets),
        cmocka_unit_test(the_kernel_s_large_segments_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
