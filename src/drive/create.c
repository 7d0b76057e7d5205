/* A drive's options, checked one by one, and its memory. What the stack cannot be told is refused
 * by name: an outside test that asks for something must not run without it. */
#include "drive/drive.h"
#include "stack/net.h"
#include "wire/addr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define CONN_MAX (2 * DRIVE_SOCKET_MAX) /* closed sockets leave TIME_WAIT behind */
#define BLOCK_CNT_MIN 16384u            /* 32 MiB of queues */
#define BUFFERS_MIN 4u                  /* full receive buffers that the queues must hold */
#define RECEIVE_BUFFER_MIN 4096u
#define RECEIVE_BUFFER_MAX (1u << 24)
#define SEND_BUFFER_MAX (1u << 24)
#define INITIAL_WINDOW 10u
#define INITIAL_WINDOW_MAX 64u
#define DELAYED_ACK_MAX_MS 499u /* RFC 9293 MUST-40 */
#define HEADERS_LEN_V4 40       /* IP and TCP, without options (RFC 6691) */
#define HEADERS_LEN_V6 60
#define MTU_MIN_V4 576
#define MTU_MIN_V6 1280   /* RFC 8200 §5 */
#define FIRST_PORT 49152u /* RFC 6335 §6 */

int drive_fail(int error)
{
    errno = error;
    return -1;
}

DRIVE_EXPORT void drive_options_default(struct drive_options *o)
{
    *o = (struct drive_options){
        .local = "192.0.2.1",
        .remote = "192.0.2.2",
        .prefix_len = 24,
        .mtu = DRIVE_PACKET_MAX,
        .congestion = "cubic",
        .timestamps = true,
        .sack = true,
        .window_scale = true,
        .nagle = true,
        .initial_window = INITIAL_WINDOW,
        .delayed_ack = true,
        .receive_buffer = 256u << 10,
        .seed = 1,
    };
}

/* Why not: a line, and the errno for it. */
struct refusal {
    int error;
    const char *text;
};

static struct refusal read_address(const char *text, const char *not_one, struct capy_ip *out)
{
    if (!text || capy_ip_parse(text, out) != CAPY_OK)
        return (struct refusal){EINVAL, not_one};
    return (struct refusal){0, NULL};
}

/* The first len bits of an address of this version. */
static struct capy_ip mask_of(bool v4, uint32_t len)
{
    struct capy_ip mask = {{0}};
    uint32_t from = v4 ? 96 : 0;
    for (uint32_t bit = 0; bit < from + len; bit++)
        mask.b[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
    return mask;
}

static bool on_link(const struct capy_ip *a, const struct capy_ip *b, const struct capy_ip *mask)
{
    for (size_t i = 0; i < sizeof a->b; i++)
        if ((a->b[i] ^ b->b[i]) & mask->b[i])
            return false;
    return true;
}

static struct refusal read_addresses(const struct drive_options *o, struct capy_stack_cfg *cfg)
{
    struct capy_ip remote;
    struct refusal r = read_address(o->local, "local is not an address", &cfg->ip);
    if (!r.error)
        r = read_address(o->remote, "remote is not an address", &remote);
    if (!r.error && o->gateway)
        r = read_address(o->gateway, "gateway is not an address", &cfg->gateway);
    if (r.error)
        return r;
    bool v4 = capy_ip_is_v4(&cfg->ip);
    if (capy_ip_is_v4(&remote) != v4 || (o->gateway && capy_ip_is_v4(&cfg->gateway) != v4))
        return (struct refusal){EINVAL, "addresses are of different IP versions"};
    if (o->prefix_len < 1 || o->prefix_len > (v4 ? 32 : 128))
        return (struct refusal){EINVAL, "prefix_len is not in 1..32, of IPv6 1..128"};
    if (capy_ip_eq(&cfg->ip, &remote))
        return (struct refusal){EINVAL, "local and remote are the same address"};
    struct capy_ip mask = mask_of(v4, o->prefix_len);
    cfg->netmask = v4 ? capy_ip_from_v4(capy_ip_v4(&mask)) : mask;
    if (!capy_net_is_host(&cfg->ip, o->prefix_len))
        return (struct refusal){EINVAL, "local is no address that a host can have"};
    bool near = on_link(&cfg->ip, &remote, &mask);
    if (!capy_net_is_host(&remote, near ? o->prefix_len : 128))
        return (struct refusal){EINVAL, "remote is no address that a host can have"};
    if (!near && !o->gateway)
        return (struct refusal){ENETUNREACH, "remote is not on the link and there is no gateway"};
    return r;
}

static struct refusal read_tcp(const struct drive_options *o, struct capy_tcp_cfg *tcp)
{
    int congestion = o->congestion ? drive_congestion(o->congestion) : -1;
    if (congestion < 0)
        return (struct refusal){EOPNOTSUPP, "congestion is none that the stack has"};
    if (o->initial_window < 1 || o->initial_window > INITIAL_WINDOW_MAX)
        return (struct refusal){EINVAL, "initial_window is not in 1..64"};
    if (o->receive_buffer < RECEIVE_BUFFER_MIN || o->receive_buffer > RECEIVE_BUFFER_MAX)
        return (struct refusal){EINVAL, "receive_buffer is not in 4096..2^24"};
    if (o->delayed_ack_ms > DELAYED_ACK_MAX_MS)
        return (struct refusal){EINVAL, "delayed_ack_ms is not in 0..499"};
    tcp->congestion = (uint8_t)congestion;
    tcp->timestamps = o->timestamps;
    tcp->sack = o->sack;
    tcp->window_scale = o->window_scale;
    tcp->nagle = o->nagle;
    tcp->ecn = o->ecn ? CAPY_TCP_ECN_OFFER : CAPY_TCP_ECN_OFF;
    tcp->initial_window = (uint8_t)o->initial_window;
    if (o->delayed_ack_ms > 0)
        tcp->delack_ns = CAPY_MS(o->delayed_ack_ms);
    if (!o->delayed_ack)
        tcp->delack_ns = 0;
    return (struct refusal){0, NULL};
}

/* What sockets begin with; the configuration itself bounds what they may be set to. */
static void read_tuning(const struct drive_options *o, struct capy_tcp_cfg *tcp,
                        struct capy_tcp_tuning *tuning)
{
    capy_tcp_tuning_default(tuning, tcp);
    tuning->rcv_buf = o->receive_buffer;
    tcp->rcv_buf_max = RECEIVE_BUFFER_MAX;
    tcp->snd_buf_max = SEND_BUFFER_MAX;
}

static struct refusal configure(const struct drive_options *o, struct capy_stack_cfg *cfg)
{
    capy_stack_cfg_default(cfg);
    struct refusal r = read_addresses(o, cfg);
    if (!r.error)
        r = read_tcp(o, &cfg->tcp);
    bool v4 = capy_ip_is_v4(&cfg->ip);
    if (!r.error && (o->mtu < (v4 ? MTU_MIN_V4 : MTU_MIN_V6) || o->mtu > DRIVE_PACKET_MAX))
        r = (struct refusal){EINVAL, "mtu is not in 576..1500, with IPv6 1280..1500"};
    cfg->mac = (struct capy_mac){{2, 0xca, 0, 0, 0, 1}};
    cfg->mtu = o->mtu;
    cfg->tcp.mss_max = (uint16_t)(o->mtu - (v4 ? HEADERS_LEN_V4 : HEADERS_LEN_V6));
    cfg->conn_max = CONN_MAX;
    cfg->block_cnt = capy_max32(BLOCK_CNT_MIN, BUFFERS_MIN * (o->receive_buffer / CAPY_BLOCK_LEN));
    cfg->listener_max = DRIVE_SOCKET_MAX;
    cfg->hash_key = (struct capy_key){o->seed, ~o->seed};
    return r;
}

/* Mapped rather than allocated: of the many blocks only those in use take memory. */
bool drive_new_stack(struct drive *d, void **mem, struct capy_stack **stack)
{
    size_t size = capy_stack_size(&d->cfg);
    CAPY_ASSERT(size > 0);
    *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (*mem == MAP_FAILED)
        return false;
    *stack = capy_stack_init(*mem, &d->cfg, drive_stack_now(d));
    return true;
}

void drive_free_stack(const struct drive *d, void *mem)
{
    munmap(mem, capy_stack_size(&d->cfg));
}

DRIVE_EXPORT struct drive *drive_create(const struct drive_options *o, char *err, size_t err_len)
{
    struct capy_stack_cfg cfg;
    struct refusal r = configure(o, &cfg);
    struct drive *d = r.error ? NULL : calloc(1, sizeof *d);
    if (d) {
        d->cfg = cfg;
        d->self_clocked = o->self_clocked;
        d->family = capy_ip_is_v4(&cfg.ip) ? AF_INET : AF_INET6;
        read_tuning(o, &d->cfg.tcp, &d->tuning);
        d->next_port = FIRST_PORT;
        d->last = &d->first;
        for (size_t i = 0; i < sizeof d->fds / sizeof *d->fds; i++)
            d->fds[i] = -1;
        if (drive_new_stack(d, &d->mem, &d->stack)) {
            pthread_mutex_init(&d->lock, NULL);
            pthread_cond_init(&d->changed, NULL);
            return d;
        }
        free(d);
    }
    if (!r.error)
        r = (struct refusal){ENOMEM, "not enough memory"};
    if (err)
        snprintf(err, err_len, "%s", r.text);
    errno = r.error;
    return NULL;
}

DRIVE_EXPORT void drive_destroy(struct drive *d)
{
    if (!d)
        return;
    for (struct drive_packet *p = d->first, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    drive_free_stack(d, d->mem);
    free(d);
}
