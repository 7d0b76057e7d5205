/* Frames from anywhere into a host with a connection in each state, of both versions of IP: no frame
 * stops it, what it sends is well-formed, and when all is over nothing is left.
 *
 * Input: one byte of conditions, then operations: a segment of a connection, nearly right, with some
 * bytes of it changed; any bytes as a frame; an ICMP error about what was sent; time; a call. Lengths
 * and checksums are put right, so that it goes deep. */
#include "bytes.h"
#include "frames.h"
#include "target.h"
#include "tests/unit/stack/forge.h"

#define PEERS 12u
#define PORT 80u
#define REMOTE_PORT 7000u
#define OPERATIONS_MAX 200u

enum { RAW_SUMS = 1, FEW_BLOCKS = 2, COOKIES = 4 }; /* conditions */

static struct forge f;
static struct forged peer[PEERS];
static capy_handle handle[PEERS];
static uint8_t last[CAPY_FRAME_MAX]; /* the host's last frame, for ICMP errors to quote */
static size_t last_len;

/* ---- what the host says -------------------------------------------------------------------- */

static void heard(const struct capy_packet *p)
{
    if (p->kind != CAPY_PACKET_TCP)
        return;
    for (unsigned i = 0; i < PEERS; i++)
        if (p->dst_port == peer[i].port && capy_ip_eq(&p->dst, &peer[i].ip)) {
            peer[i].to_port = p->src_port;
            peer[i].rcv_nxt = capy_seq_add(p->tcp.seq, capy_tcp_segment_len(&p->tcp));
            if (p->tcp.opts & CAPY_TCP_OPT_TS)
                peer[i].ts_ecr = p->tcp.ts_val;
        }
}

static void drain(void)
{
    uint8_t frame[CAPY_FRAME_MAX];
    size_t len;
    struct capy_packet p;
    while ((len = capy_stack_output(f.s, frame, f.now)) > 0) {
        enum capy_drop flaw = capy_frame_parse(frame, len, &p);
        fuzz_check(flaw == CAPY_DROP_NONE, "sent a frame that is %s", capy_drop_name(flaw));
        heard(&p);
        memcpy(last, frame, len);
        last_len = len;
    }
}

static void take_events(void)
{
    struct capy_stack_event ev;
    struct capy_stack_conn_info info;
    while (capy_stack_event(f.s, &ev)) {
        bool live =
            !(ev.bits & CAPY_EV_ANY_DEAD) && capy_stack_conn_info(f.s, ev.conn, &info) == CAPY_OK;
        for (unsigned i = 0; i < PEERS; i++) {
            if (live && ev.bits & CAPY_EV_ACCEPTED && info.key.client_port == peer[i].port)
                handle[i] = ev.conn;
            if (ev.bits & CAPY_EV_ANY_DEAD && handle[i] == ev.conn)
                handle[i] = CAPY_HANDLE_NONE;
        }
    }
}

static void settle(void)
{
    take_events();
    drain();
}

/* ---- a connection in each state ------------------------------------------------------------ */

static void say(unsigned i, uint8_t flags, uint32_t len)
{
    static const uint8_t data[1400];
    forge_say(&f, &peer[i], flags, data, len);
    settle();
}

static void open_peer(unsigned i, bool ipv6)
{
    peer[i] = forge_client(0x0a000002u + i, (uint16_t)(20000 + i), PORT);
    if (ipv6)
        peer[i].ip = (struct capy_ip){{0x20, 1, 0xd, 0xb8, [15] = (uint8_t)(2 + i)}};
    peer[i].ts = i % 3 != 2;
    (void)forge_connect(&f, &peer[i]);
    settle();
}

static void write_to(unsigned i, uint32_t len)
{
    static const uint8_t data[16384];
    (void)capy_stack_write(f.s, handle[i], data, len, f.now);
    drain();
}

static void shut(unsigned i)
{
    (void)capy_stack_shutdown(f.s, handle[i], f.now);
    drain();
}

static void open_all(void)
{
    for (unsigned i = 0; i < 9; i++)
        open_peer(i, i % 2 == 1);
    write_to(0, 9000);                         /* ESTABLISHED, with something in flight */
    say(1, CAPY_TCP_ACK | CAPY_TCP_PSH, 1000); /* ... with something unread, and a hole */
    peer[1].snd_nxt = capy_seq_add(peer[1].snd_nxt, 1400);
    say(1, CAPY_TCP_ACK, 700);
    say(2, CAPY_TCP_ACK | CAPY_TCP_FIN, 100); /* CLOSE_WAIT */
    shut(3);                                  /* FIN_WAIT_1 */
    struct capy_seq before = peer[4].rcv_nxt;
    shut(4); /* FIN_WAIT_2 */
    say(4, CAPY_TCP_ACK, 0);
    before = peer[5].rcv_nxt;
    shut(5); /* CLOSING */
    peer[5].rcv_nxt = before;
    say(5, CAPY_TCP_ACK | CAPY_TCP_FIN, 0);
    say(6, CAPY_TCP_ACK | CAPY_TCP_FIN, 0); /* LAST_ACK */
    shut(6);
    shut(7); /* TIME_WAIT */
    say(7, CAPY_TCP_ACK | CAPY_TCP_FIN, 0);
    (void)capy_stack_close(f.s, handle[8], f.now); /* FIN_WAIT_1 without an application */
    handle[8] = CAPY_HANDLE_NONE;
    settle();
}

/* SYN_RECEIVED, and SYN_SENT over either version. */
static void open_halves(void)
{
    peer[9] = forge_client(0x0a000009u, 20009, PORT);
    struct capy_tcp_segment syn = forge_syn(&peer[9]);
    forge_inject(&f, &peer[9], &syn);
    peer[9].snd_nxt = capy_seq_add(peer[9].snd_nxt, 1);
    for (unsigned i = 10; i < PEERS; i++) {
        peer[i] = forge_client(0x0a00000au, REMOTE_PORT, 0);
        if (i == 11)
            peer[i].ip = (struct capy_ip){{0x20, 1, 0xd, 0xb8, [15] = 12}};
        (void)capy_stack_connect(f.s, &peer[i].ip, REMOTE_PORT, 0, i, &handle[i], f.now);
    }
    struct capy_arp reply = {
        CAPY_ARP_REPLY, {{2, 0, 0, 0, 1, 0}}, f.s->cfg.mac, peer[10].ip, f.s->cfg.ip};
    uint8_t frame[CAPY_FRAME_MAX];
    drain();
    capy_stack_input(f.s, frame, capy_arp_build(frame, &f.s->cfg.mac, &reply), f.now);
    settle();
}

static void start(uint8_t conditions)
{
    static void *mem;
    static size_t size;
    struct capy_stack_cfg cfg = forge_cfg();
    cfg.conn_max = 16;
    cfg.block_cnt = conditions & FEW_BLOCKS ? 24 : 128;
    cfg.syn_backlog_max = conditions & COOKIES ? 1 : 8;
    cfg.tcp.rcv_buf_max = cfg.tcp.snd_buf_max = 32768;
    if (!mem || size < capy_stack_size(&cfg)) {
        free(mem);
        size = capy_stack_size(&cfg);
        mem = fuzz_memory(size);
    }
    f = (struct forge){.mem = mem, .now = CAPY_SEC(1000)};
    f.s = capy_stack_init(mem, &cfg, f.now);
    last_len = 0;
    for (unsigned i = 0; i < PEERS; i++)
        handle[i] = CAPY_HANDLE_NONE;
    fuzz_check(capy_stack_listen(f.s, PORT, 0) == CAPY_OK, "listen");
    open_all();
    open_halves();
}

/* ---- operations ---------------------------------------------------------------------------- */

static void put_in(struct fuzz_bytes *b, uint8_t *frame, size_t len, bool fix)
{
    uint8_t changes = fuzz_u8(b);
    for (unsigned n = changes % 4; n > 0 && len > 0; n--) {
        uint16_t at = fuzz_u16(b);
        frame[at % len] = fuzz_u8(b);
    }
    if (fix)
        fuzz_fix_frame(frame, len);
    if (changes & 0x80) { /* as a device that checks and joins hands it over */
        uint8_t how = fuzz_u8(b);
        struct capy_offload done = {.checked = how & 1, .partial = how & 2};
        done.segment = how & 4 ? (uint16_t)(how * 8u) : 0;
        capy_stack_input_offloaded(f.s, frame, len, &done, f.now);
    } else {
        capy_stack_input(f.s, frame, len, f.now);
    }
    settle();
}

static struct capy_seq shifted(struct fuzz_bytes *b, struct capy_seq base)
{
    static const uint32_t steps[] = {0, 1, 100, 1400, 65536, 0x20000000, 0, 0};
    uint8_t how = fuzz_u8(b);
    return (struct capy_seq){base.v + steps[how % 8] * (uint32_t)(int32_t)(how / 8 - 16)};
}

static void send_segment(struct fuzz_bytes *b)
{
    static const uint8_t data[1400];
    uint8_t frame[CAPY_FRAME_MAX];
    struct forged *c = &peer[fuzz_below(b, PEERS)];
    uint8_t more = fuzz_u8(b);
    struct capy_tcp_segment seg = {.flags = fuzz_u8(b), .data = data, .opts = more & 15};
    seg.seq = shifted(b, c->snd_nxt);
    seg.ack = shifted(b, c->rcv_nxt);
    seg.data_len = more & 16 ? fuzz_u8(b) * 5u : 0;
    seg.window = more & 32 ? fuzz_u16(b) : 60000;
    seg.opts ^= c->ts ? CAPY_TCP_OPT_TS : 0;
    seg.ts_val = c->ts_val + (more & 64 ? (uint32_t)fuzz_u8(b) << 24 : 0);
    seg.ts_ecr = c->ts_ecr;
    seg.wscale = more & 15;
    seg.mss = (uint16_t)(more * 16u);
    if (more & 128) {
        seg.sack_cnt = 1 + fuzz_u8(b) % 3;
        for (unsigned i = 0; i < seg.sack_cnt; i++)
            seg.sack[i] = (struct capy_sack_block){shifted(b, seg.ack), shifted(b, seg.ack)};
    }
    if (seg.flags & CAPY_TCP_URG)
        seg.urgent = fuzz_u16(b);
    while (capy_tcp_header_len(&seg) > CAPY_TCP_HEADER_MAX && seg.sack_cnt > 0)
        seg.sack_cnt--;
    struct capy_frame_to to = {.dst_mac = f.s->cfg.mac,
                               .src_mac = {{2, 0, 0, 0, 1, 0}},
                               .src = c->ip,
                               .dst = capy_ip_is_v4(&c->ip) ? f.s->cfg.ip : f.s->cfg.ip6,
                               .src_port = c->port,
                               .dst_port = c->to_port,
                               .ecn = more >> 6};
    size_t len = capy_frame_build_tcp(frame, &to, &seg);
    if (capy_seq_diff(seg.seq, c->snd_nxt) == 0 && capy_tcp_segment_len(&seg) < 1500)
        c->snd_nxt = capy_seq_add(c->snd_nxt, capy_tcp_segment_len(&seg));
    put_in(b, frame, len, true);
}

/* About the host's last frame: any type, code and second word. */
static void send_error(struct fuzz_bytes *b)
{
    uint8_t frame[CAPY_FRAME_MAX] = {0};
    struct capy_packet p;
    if (last_len == 0 || capy_frame_parse(last, last_len, &p) != CAPY_DROP_NONE ||
        p.kind == CAPY_PACKET_ARP)
        return;
    bool six = !capy_ip_is_v4(&p.src);
    size_t header = six ? CAPY_IPV6_LEN : CAPY_IPV4_LEN;
    size_t quote = capy_min64(last_len - CAPY_ETHER_LEN, 200), at = CAPY_ETHER_LEN + header;
    memcpy(frame, last, at); /* addresses turned around */
    memcpy(frame, f.s->cfg.mac.b, 6);
    memcpy(frame + at - 2 * (six ? 16u : 4u), p.src.b + (six ? 0 : 12), six ? 16 : 4);
    memcpy(frame + at - 2 * (six ? 16u : 4u), last + at - (six ? 16u : 4u), six ? 16 : 4);
    memcpy(frame + at - (six ? 16u : 4u), p.src.b + (six ? 0 : 12), six ? 16 : 4);
    frame[CAPY_ETHER_LEN + (six ? 6 : 9)] = six ? 58 : 1;
    frame[at] = fuzz_u8(b) % 16;
    frame[at + 1] = fuzz_u8(b) % 16;
    capy_store16(frame + at + 6, fuzz_u16(b));
    memcpy(frame + at + 8, last + CAPY_ETHER_LEN, quote);
    put_in(b, frame, at + 8 + quote, true);
}

static void send_bytes(struct fuzz_bytes *b, bool fix)
{
    uint8_t frame[CAPY_FRAME_MAX];
    size_t len, max = fuzz_u16(b) % sizeof frame;
    const uint8_t *data = fuzz_take(b, max, &len);
    if (len == 0)
        return;
    memcpy(frame, data, len);
    if (len > 6 && fuzz_u8(b) & 1)
        memcpy(frame, f.s->cfg.mac.b, 6);
    put_in(b, frame, len, fix);
}

static void call(struct fuzz_bytes *b)
{
    unsigned i = fuzz_below(b, PEERS);
    uint8_t what = fuzz_u8(b), n = fuzz_u8(b);
    uint32_t got;
    if (what % 8 == 0 && capy_stack_read_span(f.s, handle[i], 0, &got))
        (void)capy_stack_consume(f.s, handle[i], capy_min32(got, n * 8u), f.now);
    else if (what % 8 == 1)
        write_to(i, n * 32u);
    else if (what % 8 == 2)
        shut(i);
    else if (what % 8 == 3)
        (void)capy_stack_set(f.s, handle[i], (enum capy_option)(what / 8 % CAPY_OPTION_CNT),
                             (uint64_t)n << fuzz_below(b, 40), f.now);
    else if (what == 4)
        (void)capy_stack_close(f.s, handle[i], f.now);
    else if (what == 5)
        (void)capy_stack_abort(f.s, handle[i], f.now);
    else if (what == 6)
        (void)capy_stack_listen_pause(f.s, PORT, n & 1);
    settle();
}

static void operate(struct fuzz_bytes *b, bool fix)
{
    uint8_t op = fuzz_u8(b) % 16;
    if (op < 8) {
        send_segment(b);
    } else if (op < 10) {
        send_bytes(b, fix);
    } else if (op < 11) {
        send_error(b);
    } else if (op < 13) {
        call(b);
    } else {
        forge_pass(&f, UINT64_C(1) << fuzz_below(b, 38));
        settle();
    }
}

/* The applications let go; then the peers' silence ends whatever is left. */
static void finish(void)
{
    struct capy_stack_status status;
    for (unsigned i = 0; i < PEERS; i++)
        (void)capy_stack_abort(f.s, handle[i], f.now);
    settle();
    capy_stack_status(f.s, &status);
    for (unsigned guard = 0; guard < 2000 && status.conn_cnt > 0; guard++) {
        uint64_t next = capy_stack_next_at(f.s);
        fuzz_check(next != CAPY_NEVER, "%u connections without a timer", status.conn_cnt);
        f.now = capy_max64(f.now, next);
        forge_pass(&f, 0);
        settle();
        capy_stack_status(f.s, &status);
    }
    fuzz_check(status.conn_cnt == 0, "%u connections do not end", status.conn_cnt);
    fuzz_check(status.block_free == status.block_cnt, "%u blocks leak",
               status.block_cnt - status.block_free);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_bytes b = {data, size, NULL};
    uint8_t conditions = fuzz_u8(&b);
    start(conditions);
    for (unsigned n = 0; n < OPERATIONS_MAX && !fuzz_over(&b); n++)
        operate(&b, !(conditions & RAW_SUMS));
    finish();
    return 0;
}
