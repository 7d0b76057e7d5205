/* Where a replay stands: the connections of a stack, the entries of a directory. */
#include "replay/machine.h"
#include "wire/tcpmig.h"

static const char *endpoint(const struct capy_ip *ip, uint16_t port, char out[64])
{
    char text[CAPY_IP_TEXT_MAX];
    capy_ip_format(ip, text);
    (void)snprintf(out, 64, capy_ip_is_v4(ip) ? "%s:%u" : "[%s]:%u", text, port);
    return out;
}

void replay_print_connections(struct capy_stack *stack, FILE *out)
{
    static const char *const migrating[] = {"no", "asking", "frozen"};
    struct capy_stack_conn_info c;
    char client[64], home[64], local[64];
    fprintf(out,
            "%-24s %-22s %-22s %5s %-12s %7s %8s %8s %9s %9s %8s %7s %7s %7s %7s %9s %6s %10s "
            "%10s %s\n",
            "CLIENT", "HOME", "HERE", "EPOCH", "STATE", "RTT_US", "RTO_US", "CWND", "SSTHRESH",
            "SND_WND", "RCV_WND", "SENDQ", "FLIGHT", "RECVQ", "HOLES", "RETRANS", "MSS", "IN",
            "OUT", "MOVING");
    for (uint32_t cursor = 0; capy_stack_next_conn(stack, &cursor, &c);) {
        struct capy_stack_conn_more more = {0};
        (void)capy_stack_conn_more(stack, c.conn, &more);
        fprintf(
            out,
            "%-24s %-22s %-22s %5u %-12s %7llu %8llu %8u %9u %9u %8u %7u %7u %7u %7u %9llu %6u "
            "%10llu %10llu %s\n",
            endpoint(&c.key.client, c.key.client_port, client),
            endpoint(&c.key.home, c.key.home_port, home), endpoint(&c.local, c.local_port, local),
            c.epoch, capy_tcp_state_name(c.tcp.state), (unsigned long long)c.tcp.srtt_ns / 1000,
            (unsigned long long)c.tcp.rto_ns / 1000, c.tcp.cwnd, c.tcp.ssthresh, c.tcp.snd_wnd,
            c.tcp.rcv_wnd, c.tcp.snd_queued, c.tcp.in_flight, c.tcp.rcv_queued, c.tcp.ooo_queued,
            (unsigned long long)c.tcp.retrans_segs, more.snd_mss, (unsigned long long)c.bytes_in,
            (unsigned long long)c.bytes_out, c.migrating < 3 ? migrating[c.migrating] : "?");
    }
}

static const char *owner_name(const struct replay *p, uint16_t id)
{
    return id < p->rack.server_cnt ? p->rack.server[id].name : "home";
}

void replay_print_entries(const struct replay *p, FILE *out)
{
    static const char *const phase[] = {"NONE", "PENDING", "SETTLED"};
    struct capy_switch_entry_info e;
    char client[64], home[64];
    fprintf(out, "%-24s %-22s %-8s %-8s %-8s %6s %6s %8s\n", "CLIENT", "HOME", "PHASE", "OWNER",
            "PREVIOUS", "EPOCH", "SERVED", "IDLE_MS");
    for (uint32_t cursor = 0; capy_switch_next_entry(p->plane, &cursor, &e);)
        fprintf(out, "%-24s %-22s %-8s %-8s %-8s %6u %6s %8llu\n",
                endpoint(&e.key.client, e.key.client_port, client),
                endpoint(&e.key.home, e.key.home_port, home), phase[e.phase],
                owner_name(p, e.owner), owner_name(p, e.previous), e.epoch, e.served ? "yes" : "no",
                (unsigned long long)(p->now - e.touched_at) / 1000000);
}
