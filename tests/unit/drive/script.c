/* Packets as text (script.h): the reader and the writer of them, the sockets' helpers, the runs. */
#include "script.h"

#define TEXT_MAX 400
#define PEER_TS 0xfffffff0u /* the peer's timestamp clock at 0 */
#define PEER_WINDOW 30000u
#define OUR_ISS 0xfffffffau /* about where our connections begin */
#define ISN_TICK_NS 4000u   /* of the clock in them (RFC 6528 §3) */

static const struct {
    char letter;
    uint8_t bit;
} letters[] = {{'S', CAPY_TCP_SYN}, {'F', CAPY_TCP_FIN}, {'R', CAPY_TCP_RST}, {'P', CAPY_TCP_PSH},
               {'U', CAPY_TCP_URG}, {'.', CAPY_TCP_ACK}, {'E', CAPY_TCP_ECE}, {'W', CAPY_TCP_CWR}};
#define LETTER_CNT (sizeof letters / sizeof *letters)

/* Byte of either stream that is at this relative sequence number. */
static uint8_t pattern(uint32_t pos)
{
    return (uint8_t)('a' + pos % 23);
}

/* ---- text to packet ---- */

static void bad_text(const char *text)
{
    print_error("not a packet: %s\n", text);
    fail();
}

static const char *read_number(const char *p, uint32_t *to)
{
    char *end;
    *to = (uint32_t)strtoll(p, &end, 10);
    return end;
}

/* "a" or "a:b" */
static const char *read_pair(const char *p, uint32_t *a, uint32_t *b)
{
    p = read_number(p, a);
    *b = *a;
    return *p == ':' ? read_number(p + 1, b) : p;
}

static const char *read_sack(const struct tool *t, const char *p, struct capy_tcp_segment *seg)
{
    while (*p == ' ' && seg->sack_cnt < CAPY_TCP_SACK_MAX) {
        uint32_t left, right;
        p = read_pair(p + 1, &left, &right);
        seg->sack[seg->sack_cnt++] = (struct capy_sack_block){{t->iss + left}, {t->iss + right}};
    }
    return p;
}

static const char *read_option(const struct tool *t, const char *p, struct capy_tcp_segment *seg)
{
    uint32_t v, w;
    if (strncmp(p, "mss ", 4) == 0) {
        p = read_number(p + 4, &v);
        seg->opts |= CAPY_TCP_OPT_MSS;
        seg->mss = (uint16_t)v;
    } else if (strncmp(p, "ws ", 3) == 0) {
        p = read_number(p + 3, &v);
        seg->opts |= CAPY_TCP_OPT_WSCALE;
        seg->wscale = (uint8_t)v;
    } else if (strncmp(p, "sackok", 6) == 0) {
        p += 6;
        seg->opts |= CAPY_TCP_OPT_SACK_OK;
    } else if (strncmp(p, "ts ", 3) == 0) {
        p = read_pair(p + 3, &v, &w);
        seg->opts |= CAPY_TCP_OPT_TS;
        seg->ts_val = PEER_TS + v;
        seg->ts_ecr = seg->flags & CAPY_TCP_ACK ? t->ts_base + w : 0;
    } else if (strncmp(p, "sack", 4) == 0) {
        p = read_sack(t, p + 4, seg);
    } else {
        bad_text(p);
    }
    return p;
}

static const char *read_flags(const char *p, struct capy_tcp_segment *seg)
{
    for (; *p && *p != ' '; p++)
        for (size_t i = 0; i < LETTER_CNT; i++)
            if (*p == letters[i].letter)
                seg->flags |= letters[i].bit;
    return p;
}

/* The peer's segment that the text says; *ecn: of the IP header. */
static void read_packet(const struct tool *t, const char *text, struct capy_tcp_segment *seg,
                        uint8_t *ecn)
{
    uint32_t v, w;
    *seg = (struct capy_tcp_segment){.window = PEER_WINDOW};
    *ecn = 0;
    const char *p = read_flags(text, seg);
    if (*p != ' ')
        bad_text(text);
    p = read_pair(p + 1, &v, &w);
    seg->seq.v = PEER_ISN + v;
    seg->data_len = w - v;
    while (*p == ' ') {
        if (strncmp(p, " ack ", 5) == 0) {
            p = read_number(p + 5, &v);
            seg->ack.v = t->iss + v;
        } else if (strncmp(p, " win ", 5) == 0) {
            p = read_number(p + 5, &v);
            seg->window = (uint16_t)v;
        } else if (strncmp(p, " urg ", 5) == 0) {
            p = read_number(p + 5, &v);
            seg->urgent = (uint16_t)v;
        } else if (strncmp(p, " ecn ", 5) == 0) {
            p = read_number(p + 5, &v);
            *ecn = (uint8_t)v;
        } else if (strncmp(p, " <", 2) == 0) {
            p++;
            while (*p != '>')
                p = read_option(t, p + 1, seg);
            p++;
        } else {
            bad_text(text);
        }
    }
}

static struct capy_ip address(const struct tool *t, bool ours)
{
    struct capy_ip ip = capy_ip_from_v4(ours ? 0xc0000201u : 0xc0000202u);
    if (t->v6)
        assert_int_equal(capy_ip_parse(ours ? "2001:db8::1" : "2001:db8::2", &ip), 0);
    return ip;
}

size_t packet_of(struct tool *t, const char *text, uint8_t *packet)
{
    uint8_t data[DRIVE_PACKET_MAX], frame[CAPY_FRAME_MAX], ecn;
    struct capy_tcp_segment seg;
    read_packet(t, text, &seg, &ecn);
    assert_true(seg.data_len <= sizeof data);
    for (uint32_t i = 0; i < seg.data_len; i++)
        data[i] = pattern(seg.seq.v - PEER_ISN + (seg.flags & CAPY_TCP_SYN ? 1 : 0) + i);
    seg.data = data;
    struct capy_frame_to to = {.src = address(t, false),
                               .dst = address(t, true),
                               .src_port = t->peer_port,
                               .dst_port = t->port,
                               .ecn = ecn};
    size_t len = capy_frame_build_tcp(frame, &to, &seg) - CAPY_ETHER_LEN;
    memcpy(packet, frame + CAPY_ETHER_LEN, len);
    return len;
}

void inject_raw(struct tool *t, const uint8_t *packet, size_t len)
{
    assert_int_equal(drive_inject(tool_step(t), packet, len), 0);
}

void in(struct tool *t, const char *format, ...)
{
    char text[TEXT_MAX];
    uint8_t packet[DRIVE_PACKET_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    inject_raw(t, packet, packet_of(t, text, packet));
}

void fix_checksum(uint8_t *packet, size_t len)
{
    bool v6 = packet[0] >> 4 == 6;
    size_t at = v6 ? 40 : (packet[0] & 15u) * 4u, addresses = v6 ? 32 : 8;
    uint8_t *check = packet + at + 16;
    memset(check, 0, 2);
    uint64_t sum = 6 + len - at;
    for (size_t i = 0; i < addresses; i += 2)
        sum += capy_load16(packet + (v6 ? 8 : 12) + i);
    for (size_t i = at; i < len; i++)
        sum += (uint64_t)packet[i] << ((i - at) % 2 == 0 ? 8 : 0);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    capy_store16(check, (uint16_t)~sum);
}

/* ---- packet to text ---- */

struct writer {
    char *at, *end;
};

static void write_text(struct writer *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void write_text(struct writer *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(w->at, (size_t)(w->end - w->at), format, args);
    va_end(args);
    assert_true(n >= 0 && n < w->end - w->at);
    w->at += n;
}

static void write_options(const struct tool *t, const struct capy_tcp_segment *seg,
                          struct writer *w)
{
    const char *comma = "";
    write_text(w, " <");
    if (seg->opts & CAPY_TCP_OPT_MSS) {
        write_text(w, "mss %u", seg->mss);
        comma = ",";
    }
    if (seg->opts & CAPY_TCP_OPT_WSCALE) {
        write_text(w, "%sws %u", comma, seg->wscale);
        comma = ",";
    }
    if (seg->opts & CAPY_TCP_OPT_SACK_OK) {
        write_text(w, "%ssackok", comma);
        comma = ",";
    }
    if (seg->opts & CAPY_TCP_OPT_TS) {
        uint32_t echo = seg->ts_ecr == 0 ? 0 : seg->ts_ecr - PEER_TS;
        write_text(w, "%sts %d:%d", comma, (int)(seg->ts_val - t->ts_base), (int)echo);
        comma = ",";
    }
    for (unsigned i = 0; i < seg->sack_cnt; i++)
        write_text(w, "%s %d:%d", i == 0 ? *comma ? ",sack" : "sack" : "",
                   (int)(seg->sack[i].left.v - PEER_ISN), (int)(seg->sack[i].right.v - PEER_ISN));
    write_text(w, ">");
}

/* The text of a packet of the stack, with the parts that `like` has. */
static void write_packet(const struct tool *t, const struct capy_packet *p, const char *like,
                         char text[TEXT_MAX])
{
    struct writer w = {text, text + TEXT_MAX};
    const struct capy_tcp_segment *seg = &p->tcp;
    for (size_t i = 0; i < LETTER_CNT; i++)
        if (seg->flags & letters[i].bit &&
            (letters[i].letter != 'P' || memchr(like, 'P', strcspn(like, " "))))
            write_text(&w, "%c", letters[i].letter);
    write_text(&w, " %d", (int)(seg->seq.v - t->iss));
    if (seg->data_len > 0)
        write_text(&w, ":%d", (int)(seg->seq.v + seg->data_len - t->iss));
    if (seg->flags & CAPY_TCP_ACK)
        write_text(&w, " ack %d", (int)(seg->ack.v - PEER_ISN));
    if (strstr(like, " win "))
        write_text(&w, " win %u", seg->window);
    if (strstr(like, " urg "))
        write_text(&w, " urg %u", seg->urgent);
    if (strstr(like, " ecn "))
        write_text(&w, " ecn %u", p->ecn);
    if (strchr(like, '<'))
        write_options(t, seg, &w);
}

const struct capy_packet *last(const struct tool *t)
{
    return &t->last;
}

/* Parses the next packet into t->last; false: there is none. */
static bool take(struct tool *t, int64_t wait_ns)
{
    memset(t->frame, 0, CAPY_ETHER_LEN);
    capy_store16(t->frame + 12, t->v6 ? 0x86dd : 0x0800);
    size_t len = tool_sniff(t, t->frame + CAPY_ETHER_LEN, wait_ns);
    if (len == 0)
        return false;
    enum capy_drop flaw = capy_frame_parse(t->frame, CAPY_ETHER_LEN + len, &t->last);
    assert_string_equal(capy_drop_name(flaw), "none");
    assert_int_equal(t->last.kind, CAPY_PACKET_TCP);
    const struct capy_tcp_segment *seg = &t->last.tcp;
    if (seg->flags & CAPY_TCP_SYN) {
        t->iss = seg->seq.v;
        t->port = t->last.src_port;
        if (seg->opts & CAPY_TCP_OPT_TS)
            t->ts_base = seg->ts_val;
    }
    for (uint32_t i = 0; i < seg->data_len; i++)
        assert_int_equal(seg->data[i], pattern(seg->seq.v - t->iss + i));
    return true;
}

static void expect(struct tool *t, int64_t wait_ns, const char *text)
{
    char seen[TEXT_MAX] = "nothing";
    if (take(t, wait_ns))
        write_packet(t, &t->last, text, seen);
    assert_string_equal(seen, text);
}

void out(struct tool *t, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    expect(t, 0, text);
}

void out_in(struct tool *t, uint64_t from, uint64_t to, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    uint64_t began = drive_now(t->d);
    silent(t);
    expect(t, (int64_t)to, text);
    assert_in_range(t->at - began, from, to);
}

void silent(struct tool *t)
{
    expect(t, 0, "nothing");
}

void silent_for(struct tool *t, uint64_t ns)
{
    drive_sleep(tool_step(t), ns);
    silent(t);
}

unsigned drain(struct tool *t)
{
    unsigned cnt = 0;
    while (take(t, 0))
        cnt++;
    return cnt;
}

/* ---- sockets ---- */

void name_of(const struct tool *t, bool ours, uint16_t port, struct sockaddr_storage *to,
             socklen_t *len)
{
    struct capy_ip ip = address(t, ours);
    memset(to, 0, sizeof *to);
    if (t->v6) {
        struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
        memcpy(&name.sin6_addr, ip.b, sizeof ip.b);
        memcpy(to, &name, sizeof name);
        *len = sizeof name;
    } else {
        struct sockaddr_in name = tool_name(capy_ip_v4(&ip), port);
        memcpy(to, &name, sizeof name);
        *len = sizeof name;
    }
}

static int bound(struct tool *t, int type, uint16_t port)
{
    struct sockaddr_storage name;
    socklen_t len;
    name_of(t, true, port, &name, &len);
    int fd = drive_socket(tool_step(t), t->v6 ? AF_INET6 : AF_INET, type, 0);
    assert_true(fd >= 0);
    set_option(t, fd, SOL_SOCKET, SO_REUSEADDR, 1);
    assert_int_equal(drive_bind(tool_step(t), fd, (struct sockaddr *)&name, len), 0);
    t->port = port;
    return fd;
}

int listening(struct tool *t)
{
    int fd = bound(t, SOCK_STREAM | SOCK_NONBLOCK, SERVICE_PORT);
    assert_int_equal(drive_listen(tool_step(t), fd, 5), 0);
    return fd;
}

int accepted(struct tool *t, const char *options)
{
    int l = listening(t);
    near_wrap(t, SERVICE_PORT);
    in(t, "S 0 <mss 1000%s%s>", *options ? "," : "", options);
    assert_true(take(t, 0));
    assert_int_equal(t->last.tcp.flags, CAPY_TCP_SYN | CAPY_TCP_ACK);
    in(t, strstr(options, "ts ") ? ". 1 ack 1 <ts 0:0>" : ". 1 ack 1");
    silent(t);
    int fd = drive_accept(tool_step(t), l, NULL, NULL);
    assert_true(fd >= 0);
    return fd;
}

int connecting(struct tool *t)
{
    struct sockaddr_storage name;
    socklen_t len;
    near_wrap(t, LOCAL_PORT);
    int fd = bound(t, SOCK_STREAM | SOCK_NONBLOCK, LOCAL_PORT);
    name_of(t, false, PEER_PORT, &name, &len);
    assert_fails(drive_connect(tool_step(t), fd, (struct sockaddr *)&name, len), EINPROGRESS);
    assert_true(take(t, 0));
    assert_int_equal(t->last.tcp.flags & ~(CAPY_TCP_ECE | CAPY_TCP_CWR), CAPY_TCP_SYN);
    return fd;
}

int connected(struct tool *t, const char *options)
{
    int fd = connecting(t);
    in(t, "S. 0 ack 1 <mss 1000%s%s>", *options ? "," : "", options);
    assert_true(take(t, 0));
    assert_int_equal(t->last.tcp.flags, CAPY_TCP_ACK);
    return fd;
}

void put(struct tool *t, int fd, unsigned n)
{
    uint8_t data[1 << 16];
    assert_true(n <= sizeof data);
    for (unsigned i = 0; i < n; i++)
        data[i] = pattern(1 + t->written + i);
    assert_int_equal(drive_write(tool_step(t), fd, data, n), n);
    t->written += n;
}

void get(struct tool *t, int fd, unsigned n)
{
    uint8_t data[1 << 16];
    assert_true(n <= sizeof data);
    assert_int_equal(drive_recv(tool_step(t), fd, data, n, MSG_DONTWAIT), n);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(data[i], pattern(1 + t->read + i));
    t->read += n;
}

void get_end(struct tool *t, int fd)
{
    char c;
    assert_int_equal(drive_recv(tool_step(t), fd, &c, 1, MSG_DONTWAIT), 0);
}

void get_error(struct tool *t, int fd, int error)
{
    char c;
    assert_fails(drive_recv(tool_step(t), fd, &c, 1, MSG_DONTWAIT), error);
}

struct tcp_info info_of(struct tool *t, int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    assert_int_equal(drive_getsockopt(tool_step(t), fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    return info;
}

int state_of(struct tool *t, int fd)
{
    return info_of(t, fd).tcpi_state;
}

int option_of(struct tool *t, int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    assert_int_equal(drive_getsockopt(tool_step(t), fd, level, name, &value, &len), 0);
    return value;
}

void set_option(struct tool *t, int fd, int level, int name, int value)
{
    assert_int_equal(drive_setsockopt(tool_step(t), fd, level, name, &value, sizeof value), 0);
}

/* ---- runs ---- */

struct drive_options script_options(void)
{
    struct drive_options o;
    drive_options_default(&o);
    o.ecn = false;
    o.delayed_ack = false;
    o.nagle = false;
    return o;
}

/* Our initial sequence number of a connection made at time 0. */
static uint32_t ask_first_iss(const struct tool *t, uint16_t local_port)
{
    struct tool probe = {.v6 = t->v6, .peer_port = PEER_PORT, .log = calloc(1, TOOL_LOG_MAX)};
    probe.d = drive_create(&t->options, NULL, 0);
    assert_true(probe.d && probe.log);
    if (local_port == SERVICE_PORT) {
        listening(&probe);
        in(&probe, "S 0");
    } else {
        struct sockaddr_storage name;
        socklen_t len;
        int fd = bound(&probe, SOCK_STREAM | SOCK_NONBLOCK, local_port);
        name_of(&probe, false, PEER_PORT, &name, &len);
        assert_fails(drive_connect(probe.d, fd, (struct sockaddr *)&name, len), EINPROGRESS);
    }
    assert_true(take(&probe, 0));
    drive_destroy(probe.d);
    free(probe.log);
    return probe.iss;
}

/* The same, remembered: all scripts have one seed. */
static uint32_t first_iss(const struct tool *t, uint16_t local_port)
{
    static uint32_t known[2][2];
    uint32_t *iss = &known[t->v6][local_port == SERVICE_PORT];
    if (*iss == 0)
        *iss = ask_first_iss(t, local_port);
    return *iss;
}

void near_wrap(struct tool *t, uint16_t local_port)
{
    uint32_t ticks = OUR_ISS - first_iss(t, local_port);
    uint64_t at = (uint64_t)ticks * ISN_TICK_NS;
    uint64_t round = (UINT64_C(1) << 32) * ISN_TICK_NS;
    while (at < drive_now(t->d))
        at += round;
    drive_sleep(tool_step(t), at - drive_now(t->d));
}

void script_run(tool_scenario *scenario, const struct drive_options *o)
{
    struct drive_options v6 = *o;
    v6.local = "2001:db8::1";
    v6.remote = "2001:db8::2";
    v6.prefix_len = 64;
    tool_twice(scenario, o);
    tool_twice(scenario, &v6);
}
