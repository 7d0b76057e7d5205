/* The gate: at the ingress hook of traffic control, before the kernel's TCP sees a frame. TCPMig, and
 * segments to the rack's ports that no socket wants, or whose socket is stopped, are set aside: their
 * packet type becomes that of other hosts' frames, which IP drops without a word and AF_PACKET still
 * delivers (packet.c). So the kernel never answers RST for a connection that is on its way. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "kernel/gate_shared.h"

char licence[] SEC("license") =
    "Dual BSD/GPL"; /* as the kernel asks of what it lends functions to */

volatile struct capy_gate_rules rules = {0}; /* the loader writes it, at any time */

/* A frame as far as the gate looks. */
struct look {
    struct __sk_buff *skb;
    union {
        struct iphdr v4;
        struct ipv6hdr v6;
    } ip;
    __u32 ip_len; /* of its header */
    __u8 protocol;
    __u8 is_v6;
    struct tcphdr tcp;
};

static int set_aside(struct __sk_buff *skb)
{
    bpf_skb_change_type(skb, PACKET_OTHERHOST);
    return TC_ACT_OK;
}

static int is_ours(__u16 port)
{
    if (port >= rules.first && port <= rules.last)
        return 1;
    for (int i = 0; i < (int)CAPY_GATE_SERVICES_MAX; i++)
        if (i < rules.service_cnt && rules.service[i] == port)
            return 1;
    return 0;
}

/* False: nothing that the gate has a rule for. */
static int read_ip(struct look *l)
{
    if (l->skb->protocol == bpf_htons(ETH_P_IP)) {
        if (bpf_skb_load_bytes(l->skb, ETH_HLEN, &l->ip.v4, sizeof l->ip.v4) < 0 ||
            l->ip.v4.frag_off & bpf_htons(0x3fff))
            return 0;
        l->ip_len = l->ip.v4.ihl * 4u;
        l->protocol = l->ip.v4.protocol;
        return 1;
    }
    if (l->skb->protocol != bpf_htons(ETH_P_IPV6) ||
        bpf_skb_load_bytes(l->skb, ETH_HLEN, &l->ip.v6, sizeof l->ip.v6) < 0)
        return 0;
    l->is_v6 = 1;
    l->ip_len = sizeof l->ip.v6;
    l->protocol = l->ip.v6.nexthdr;
    return 1;
}

static struct bpf_sock *find_socket(struct look *l)
{
    struct bpf_sock_tuple t;
    if (l->is_v6) {
        __builtin_memcpy(t.ipv6.saddr, &l->ip.v6.saddr, sizeof t.ipv6.saddr);
        __builtin_memcpy(t.ipv6.daddr, &l->ip.v6.daddr, sizeof t.ipv6.daddr);
        t.ipv6.sport = l->tcp.source;
        t.ipv6.dport = l->tcp.dest;
        return bpf_skc_lookup_tcp(l->skb, &t, sizeof t.ipv6, BPF_F_CURRENT_NETNS, 0);
    }
    t.ipv4.saddr = l->ip.v4.saddr;
    t.ipv4.daddr = l->ip.v4.daddr;
    t.ipv4.sport = l->tcp.source;
    t.ipv4.dport = l->tcp.dest;
    return bpf_skc_lookup_tcp(l->skb, &t, sizeof t.ipv4, BPF_F_CURRENT_NETNS, 0);
}

/* A listener takes what opens a connection: a SYN, or the ACK that brings a SYN cookie back. */
static int opens(struct look *l, struct bpf_sock *listener)
{
    if (l->tcp.syn && !l->tcp.ack)
        return 1;
    if (l->is_v6)
        return bpf_tcp_check_syncookie(listener, &l->ip.v6, sizeof l->ip.v6, &l->tcp,
                                       sizeof l->tcp) == 0;
    return bpf_tcp_check_syncookie(listener, &l->ip.v4, sizeof l->ip.v4, &l->tcp, sizeof l->tcp) ==
           0;
}

static int is_wanted(struct look *l)
{
    struct bpf_sock *sk = find_socket(l);
    if (!sk)
        return 0;
    int wanted = 1;
    if (sk->state == BPF_TCP_LISTEN) {
        wanted = opens(l, sk);
    } else {
        struct bpf_sock *full = bpf_sk_fullsock(sk);
        if (full && full->mark == CAPY_GATE_STOPPED)
            wanted = 0;
    }
    bpf_sk_release(sk);
    return wanted;
}

/* Repair mode keeps a socket from sending only while its send queue is being looked at: its timers, and
 * the pacing of its congestion control, send as ever. What the target does not know of must not leave. */
SEC("tc")
int capy_gate_out(struct __sk_buff *skb)
{
    return skb->mark == CAPY_GATE_STOPPED ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tc")
int capy_gate(struct __sk_buff *skb)
{
    struct look l = {.skb = skb};
    struct udphdr udp;
    if (skb->pkt_type != PACKET_HOST || !read_ip(&l))
        return TC_ACT_OK;
    if (l.protocol == IPPROTO_UDP) {
        if (bpf_skb_load_bytes(skb, ETH_HLEN + l.ip_len, &udp, sizeof udp) < 0 ||
            udp.dest != bpf_htons(rules.tcpmig_port))
            return TC_ACT_OK;
        return set_aside(skb);
    }
    if (l.protocol != IPPROTO_TCP ||
        bpf_skb_load_bytes(skb, ETH_HLEN + l.ip_len, &l.tcp, sizeof l.tcp) < 0 ||
        !is_ours(bpf_ntohs(l.tcp.dest)) || is_wanted(&l))
        return TC_ACT_OK;
    return set_aside(skb);
}
