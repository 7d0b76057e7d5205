/* Packets in and out, and the time. The stack talks Ethernet: here its header is put on and taken
 * off, and whoever it asks for, by ARP or neighbour discovery, is found at one made-up address. */
#include "drive/drive.h"
#include "wire/nd.h"

#include <errno.h>
#include <stdlib.h>

enum { ETHERTYPE_AT = 12, ETHERTYPE_IPV4 = 0x0800, ETHERTYPE_IPV6 = 0x86dd, VERSION_6 = 6 };

static const struct capy_mac peer_mac = {{2, 0xca, 0, 0, 0, 2}};

uint64_t drive_stack_now(const struct drive *d)
{
    return (DRIVE_EPOCH_NS + d->now) & ~(DRIVE_GRAIN_NS - 1);
}

/* Router and neighbour discovery, and redirects (RFC 4861 §4). */
static bool is_nd(uint8_t icmp_type)
{
    enum { FIRST = 133, LAST = 137 };
    return icmp_type >= FIRST && icmp_type <= LAST;
}

static void answer_arp(struct drive *d, const struct capy_arp *asked)
{
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_arp reply = {CAPY_ARP_REPLY, peer_mac, asked->sender_mac, asked->target_ip,
                             asked->sender_ip};
    size_t len = capy_arp_build(frame, &asked->sender_mac, &reply);
    capy_stack_input(d->stack, frame, len, drive_stack_now(d));
}

/* RFC 4861 §4.4. */
static void answer_nd(struct drive *d, const struct capy_packet *p, const struct capy_nd *asked)
{
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_frame_to to = {
        .dst_mac = p->src_mac, .src_mac = peer_mac, .src = asked->target, .dst = p->src};
    struct capy_nd advert = {.type = CAPY_ND_ADVERT,
                             .solicited = true,
                             .override = true,
                             .has_mac = true,
                             .target = asked->target,
                             .mac = peer_mac};
    size_t len = capy_nd_build(frame, &to, &advert);
    capy_stack_input(d->stack, frame, len, drive_stack_now(d));
}

/* Talk about link addresses; true when it was that. */
static bool answer_neighbour(struct drive *d, const struct capy_packet *p)
{
    struct capy_nd nd;
    if (p->kind == CAPY_PACKET_ARP) {
        if (p->arp.op == CAPY_ARP_REQUEST)
            answer_arp(d, &p->arp);
        return true;
    }
    if (p->kind != CAPY_PACKET_ICMP6 || !is_nd(p->icmp.type))
        return false;
    if (capy_nd_parse(p, &nd) && nd.type == CAPY_ND_SOLICIT)
        answer_nd(d, p, &nd);
    return true;
}

static void queue_packet(struct drive *d, const uint8_t *data, size_t len)
{
    struct drive_packet *p = malloc(sizeof *p + len);
    CAPY_ASSERT(p); /* a lost packet would be a wrong verdict on the stack */
    *p = (struct drive_packet){.at = d->now, .len = len};
    memcpy(p->data, data, len);
    *d->last = p;
    d->last = &p->next;
}

/* True when there was a frame. */
static bool send_frame(struct drive *d)
{
    uint8_t frame[CAPY_FRAME_MAX];
    struct capy_packet p;
    size_t len = capy_stack_output(d->stack, frame, drive_stack_now(d));
    if (len == 0)
        return false;
    enum capy_drop flaw = capy_frame_parse(frame, len, &p);
    CAPY_ASSERT(flaw == CAPY_DROP_NONE);
    if (!answer_neighbour(d, &p))
        queue_packet(d, frame + CAPY_ETHER_LEN, len - CAPY_ETHER_LEN);
    return true;
}

static bool timer_is_due(const struct drive *d)
{
    return capy_stack_next_at(d->stack) <= drive_stack_now(d);
}

void drive_settle(struct drive *d)
{
    do { /* until neither a frame nor a timer is left; sending may start one that is due at once */
        if (timer_is_due(d))
            capy_stack_expire(d->stack, drive_stack_now(d));
        drive_events(d);
    } while (send_frame(d) || timer_is_due(d));
    pthread_cond_broadcast(&d->changed);
}

bool drive_advance(struct drive *d, uint64_t until)
{
    uint64_t at = capy_stack_next_at(d->stack);
    if (at != CAPY_NEVER) {
        at = (at + DRIVE_GRAIN_NS - 1) & ~(DRIVE_GRAIN_NS - 1);
        at = at > DRIVE_EPOCH_NS + d->now ? at - DRIVE_EPOCH_NS : d->now;
    }
    if (at == CAPY_NEVER || at > until) {
        if (until != CAPY_NEVER)
            d->now = capy_max64(d->now, until);
        return false;
    }
    d->now = at;
    capy_stack_expire(d->stack, drive_stack_now(d));
    drive_settle(d);
    return true;
}

bool drive_wait(struct drive *d, uint64_t until)
{
    if (d->now >= until)
        return false;
    bool moved = d->self_clocked && drive_advance(d, until);
    if (!moved && d->now < until)
        pthread_cond_wait(&d->changed, &d->lock);
    return true; /* it looks once more, also when the time is over */
}

DRIVE_EXPORT int drive_inject(struct drive *d, const void *packet, size_t len)
{
    uint8_t frame[CAPY_ETHER_LEN + DRIVE_PACKET_MAX];
    if (len < 1 || len > DRIVE_PACKET_MAX)
        return drive_fail(EMSGSIZE);
    if (!packet)
        return drive_fail(EFAULT);
    const uint8_t *bytes = packet;
    uint16_t type = bytes[0] >> 4 == VERSION_6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
    pthread_mutex_lock(&d->lock);
    memcpy(frame, d->cfg.mac.b, sizeof d->cfg.mac.b);
    memcpy(frame + sizeof d->cfg.mac.b, peer_mac.b, sizeof peer_mac.b);
    capy_store16(frame + ETHERTYPE_AT, type);
    memcpy(frame + CAPY_ETHER_LEN, packet, len);
    capy_stack_input(d->stack, frame, CAPY_ETHER_LEN + len, drive_stack_now(d));
    drive_settle(d);
    pthread_mutex_unlock(&d->lock);
    return 0;
}

static uint64_t later(uint64_t now, int64_t ns)
{
    return ns == DRIVE_FOREVER ? CAPY_NEVER : now + (ns > 0 ? (uint64_t)ns : 0);
}

static ssize_t take_packet(struct drive *d, void *packet, size_t len, uint64_t *at_ns)
{
    struct drive_packet *p = d->first;
    if (!p)
        return 0;
    if (p->len > len)
        return drive_fail(EMSGSIZE);
    if (!packet)
        return drive_fail(EFAULT);
    ssize_t n = (ssize_t)p->len;
    memcpy(packet, p->data, p->len);
    if (at_ns)
        *at_ns = p->at;
    d->first = p->next;
    if (!d->first)
        d->last = &d->first;
    free(p);
    return n;
}

DRIVE_EXPORT ssize_t drive_sniff(struct drive *d, void *packet, size_t len, uint64_t *at_ns,
                                 int64_t timeout_ns)
{
    pthread_mutex_lock(&d->lock);
    uint64_t until = later(d->now, timeout_ns);
    while (!d->first && timeout_ns > 0 && drive_advance(d, until))
        ;
    ssize_t n = take_packet(d, packet, len, at_ns);
    pthread_cond_broadcast(&d->changed); /* the time may have moved */
    pthread_mutex_unlock(&d->lock);
    return n;
}

DRIVE_EXPORT void drive_sleep(struct drive *d, uint64_t ns)
{
    pthread_mutex_lock(&d->lock);
    uint64_t until = d->now + ns;
    while (drive_advance(d, until))
        ;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

DRIVE_EXPORT uint64_t drive_now(struct drive *d)
{
    pthread_mutex_lock(&d->lock);
    uint64_t now = d->now;
    pthread_mutex_unlock(&d->lock);
    return now;
}
