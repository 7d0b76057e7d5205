/* Senders that share one link: what arrives faster than it carries waits in its queue, is marked
 * when that is longer than a threshold, and is dropped when it is full. ACKs come back by another
 * way, which is never full. Virtual time; nothing is random but what a test says. */
#ifndef TESTS_UNIT_TCP_BOTTLENECK_H
#define TESTS_UNIT_TCP_BOTTLENECK_H

#include "harness.h"

#define FLOW_MAX 2u
#define PACKET_LEN 1500u /* of a full-sized segment, headers included */

struct passing {
    uint64_t at; /* when it arrives */
    uint32_t flow;
    struct capy_tcp_segment seg;
};

struct passings {
    struct passing *p; /* ring; at ascends */
    uint32_t head, cnt;
};

struct flow {
    struct end sender, receiver;
    uint64_t start_at;
    uint64_t written, write_max; /* bytes; write_max 0: for ever */
    uint64_t read, sent_cnt, drop_cnt, mark_cnt;
    bool opened;
};

struct bottleneck {
    uint64_t byte_ns, delay_ns;          /* per byte; one way, each way */
    uint64_t queue_max, mark_at;         /* bytes; mark_at 0: nothing is marked */
    uint64_t drop_next;                  /* the packet with this number, from 1, is lost; 0: none */
    bool plain_slow_start;               /* HyStart++ hears nothing */
    uint64_t now, free_at;               /* when the link has sent all that waits */
    uint64_t packet_cnt, drop_cnt, peak; /* peak: the longest queue, bytes */
    uint64_t queue_sum;                  /* of what each packet found */
    uint64_t idle_ns;                    /* the link had nothing to send */
    uint32_t flow_cnt;
    struct flow flow[FLOW_MAX];
    struct passings data, acks;
};

/* A link of mbit/s with a round trip of rtt_ns when the queue is empty, flow_cnt senders with this
 * congestion control, of which each further one starts later_ns after the one before. Settings in
 * the ends' cfg may be changed until bottleneck_run. */
void bottleneck_init(struct bottleneck *b, uint32_t mbit, uint64_t rtt_ns, uint32_t flow_cnt,
                     enum capy_tcp_congestion algorithm, uint64_t later_ns);
void bottleneck_run(struct bottleneck *b, uint64_t ns);
void bottleneck_done(struct bottleneck *b);

/* Counting begins anew, of all but what was read. */
void bottleneck_count_anew(struct bottleneck *b);
/* Bytes that the link carries in a round trip. */
uint64_t bottleneck_bdp(const struct bottleneck *b);
/* Parts per thousand of the time in which the link was busy, since counting began. */
uint32_t bottleneck_busy(const struct bottleneck *b, uint64_t ns);

#endif
