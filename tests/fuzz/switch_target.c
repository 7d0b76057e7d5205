/* Frames from anywhere into the switch's core: none stops it, what comes out has sound lengths and
 * ports, and a segment that came with a right checksum leaves with one.
 *
 * Input: one byte for the rack, then operations: a segment of a flow, a message of a server, an ICMP
 * error about a segment, any bytes, time. */
#include "bytes.h"
#include "frames.h"
#include "target.h"
#include "world.h"

enum { FLOWS = 4, SERVER_PORTS = WORLD_SERVERS };

static struct world w;
static bool with_vip;                /* half of the flows are of the service address */
static uint8_t last[CAPY_FRAME_MAX]; /* a segment that went in, to be quoted */
static size_t last_len;

static bool is_sound(const uint8_t *frame, size_t len)
{
    struct capy_packet p;
    return capy_frame_parse(frame, len, &p) == CAPY_DROP_NONE;
}

static void put_in(uint16_t port, uint8_t *frame, size_t len)
{
    static struct capy_switch_out out;
    bool sound = is_sound(frame, len);
    capy_switch_input(w.plane, port, frame, len, w.now, &out);
    fuzz_check(out.cnt <= CAPY_SWITCH_OUT_MAX, "%u frames", out.cnt);
    for (unsigned i = 0; i < out.cnt; i++) {
        uint16_t to = out.frame[i].port;
        fuzz_check(to < WORLD_HOSTS || to == CAPY_PORT_FLOOD, "port %u", to);
        fuzz_check(out.frame[i].len >= 1 && out.frame[i].len <= CAPY_FRAME_MAX, "%zu bytes",
                   out.frame[i].len);
        fuzz_check(!sound || is_sound(out.frame[i].data, out.frame[i].len),
                   "a sound frame comes out spoiled");
    }
}

static void changed_in(struct fuzz_bytes *b, uint16_t port, uint8_t *frame, size_t len)
{
    uint8_t changes = fuzz_u8(b);
    for (unsigned n = changes % 4; n > 0 && len > 0; n--) {
        uint16_t at = fuzz_u16(b);
        frame[at % len] = fuzz_u8(b);
    }
    if (changes & 0x80)
        fuzz_fix_frame(frame, len);
    if (len > 0)
        put_in(port % WORLD_HOSTS, frame, len);
}

static struct capy_flow_key key_of(unsigned flow)
{
    bool six = flow & 1;
    return (struct capy_flow_key){.client = world_ip(WORLD_CLIENT, six),
                                  .home =
                                      world_ip(with_vip && flow >= 2 ? WORLD_VIP : flow / 2, six),
                                  .client_port = (uint16_t)(20000 + flow),
                                  .home_port = WORLD_PORT};
}

/* Of a client to a home, or of a server, under some local port, to the client. */
static void segment(struct fuzz_bytes *b)
{
    static const uint8_t data[64];
    uint8_t frame[CAPY_FRAME_MAX], how = fuzz_u8(b), flags = fuzz_u8(b);
    struct capy_flow_key key = key_of(how % FLOWS);
    unsigned server = how / 4 % WORLD_SERVERS;
    struct capy_tcp_segment seg = {.seq = {how}, .flags = flags, .data = data};
    seg.data_len = how & 64 ? sizeof data : 0;
    struct capy_frame_to to = {.dst_mac = w.cfg[server].mac,
                               .src_mac = w.cfg[WORLD_CLIENT].mac,
                               .src = key.client,
                               .dst = key.home,
                               .src_port = key.client_port,
                               .dst_port = key.home_port};
    uint16_t port = WORLD_CLIENT;
    if (how & 128) {
        port = (uint16_t)server;
        to.dst_mac = w.cfg[WORLD_CLIENT].mac;
        to.src_mac = w.cfg[server].mac;
        to.src = world_ip(server, how & 1);
        to.dst = key.client;
        to.src_port = how & 16 ? WORLD_PORT : (uint16_t)(WORLD_MIG_PORT_FIRST + how / 16 % 4);
        to.dst_port = key.client_port;
        if (with_vip && how & 32)
            to.src_port = capy_mig_vip_port(WORLD_MIG_PORT_FIRST, 0);
    }
    last_len = capy_frame_build_tcp(frame, &to, &seg);
    memcpy(last, frame, last_len);
    changed_in(b, port, frame, last_len);
}

/* Of a server, with a valid tag. */
static void message(struct fuzz_bytes *b)
{
    uint8_t frame[CAPY_FRAME_MAX] = {0}, how = fuzz_u8(b), what = fuzz_u8(b), v = fuzz_u8(b);
    unsigned server = how / 4 % WORLD_SERVERS;
    const struct capy_stack_cfg *me = &w.cfg[server], *other = &w.cfg[1 - server];
    size_t at = capy_ip_is_v4(&me->ip) ? CAPY_UDP_AT : CAPY_UDP_AT6;
    struct capy_mig_msg m = {.type = (uint8_t)(1 + what % 10),
                             .origin = (uint16_t)(v % 3),
                             .target = (uint16_t)(v / 4 % 3),
                             .mig_id = v / 16 % 4,
                             .epoch = what / 16,
                             .total = how & 128 ? 8 : 0,
                             .length = how & 128 ? 8 : 0,
                             .target_port = (uint16_t)(WORLD_MIG_PORT_FIRST + v % 4),
                             .key = key_of(how % FLOWS)};
    if (with_vip && v & 8)
        m.target_port = capy_mig_vip_port(WORLD_MIG_PORT_FIRST, 0);
    if (m.target == 2)
        m.target = CAPY_SERVER_ANY;
    struct capy_mig_heartbeat beat = {
        .load = v, .free_cnt = v / 8, .draining = v & 1, .incarnation = 100 + server + (v > 200)};
    if (m.type == CAPY_MIG_HEARTBEAT) {
        m.total = m.length = CAPY_MIG_HEARTBEAT_LEN;
        m.origin = (uint16_t)server;
        m.mig_id = w.now;
        capy_mig_heartbeat_store(frame + at + CAPY_MIG_HEADER_LEN, &beat);
    }
    size_t len = capy_mig_build(frame + at, me->rack_key, &m);
    bool to_tor = m.type != CAPY_MIG_PREPARE_MIG_ACK && m.type != CAPY_MIG_CONN_STATE &&
                  m.type != CAPY_MIG_CONN_STATE_ACK;
    struct capy_frame_to to = {.dst_mac = to_tor || how & 64 ? me->tor.mac : other->mac,
                               .src_mac = me->mac,
                               .src = me->ip,
                               .dst = to_tor ? me->tor.ip : other->ip,
                               .src_port = me->tcpmig_port,
                               .dst_port = me->tcpmig_port};
    changed_in(b, (uint16_t)server, frame, capy_frame_build_udp(frame, &to, len));
}

/* From a router on any port, about the last segment. */
static void error(struct fuzz_bytes *b)
{
    uint8_t frame[CAPY_FRAME_MAX] = {0};
    if (last_len < CAPY_ETHER_LEN + CAPY_IPV4_LEN)
        return;
    bool six = last[12] == 0x86;
    size_t header = six ? CAPY_IPV6_LEN : CAPY_IPV4_LEN, size = six ? 16 : 4;
    size_t at = CAPY_ETHER_LEN + header, quote = capy_min64(last_len - CAPY_ETHER_LEN, 100);
    memcpy(frame, last, at);
    memcpy(frame + at - size, last + at - 2 * size, size);
    frame[CAPY_ETHER_LEN + (six ? 6 : 9)] = six ? 58 : 1;
    frame[at] = fuzz_u8(b) % 13;
    frame[at + 1] = fuzz_u8(b) % 13;
    memcpy(frame + at + 8, last + CAPY_ETHER_LEN, quote);
    fuzz_fix_frame(frame, at + 8 + quote);
    changed_in(b, fuzz_u8(b), frame, at + 8 + quote);
}

static void any(struct fuzz_bytes *b)
{
    uint8_t frame[CAPY_FRAME_MAX];
    uint16_t port = fuzz_u8(b);
    size_t len, max = fuzz_u16(b) % sizeof frame;
    const uint8_t *data = fuzz_take(b, max, &len);
    memcpy(frame, data, len);
    changed_in(b, port, frame, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_bytes b = {data, size, NULL};
    uint8_t how = fuzz_u8(&b);
    world_configure(&w, how & 1, 16);
    w.switch_cfg.slots = how & 2 ? 2 : 16;
    w.switch_cfg.learn_ns = how & 4 ? CAPY_MS(200) : 1;
    w.switch_cfg.age_ns = CAPY_MS(1600);
    with_vip = how & 8;
    if (with_vip)
        world_add_vip(&w, how & 16);
    world_start_switch(&w);
    last_len = 0;
    w.now += 2;
    while (!fuzz_over(&b)) {
        uint8_t op = fuzz_u8(&b);
        if (op < 90)
            segment(&b);
        else if (op < 190)
            message(&b);
        else if (op < 205)
            error(&b);
        else if (op < 225)
            any(&b);
        else
            w.now += UINT64_C(1) << fuzz_below(&b, 34);
        (void)capy_switch_expire(w.plane, w.now);
    }
    world_age_entries(&w);
    fuzz_check(capy_switch_entry_cnt(w.plane) == 0, "%u entries do not age",
               capy_switch_entry_cnt(w.plane));
    return 0;
}
