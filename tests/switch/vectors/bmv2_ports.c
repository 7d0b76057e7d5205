/* Frames to and from simple_switch through veth pairs; contract in plane_bmv2.h. */
#define _GNU_SOURCE
#include "plane_bmv2.h"

#include "base/bits.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLOCK_LEN = 8, ANSWER_MS = 20000, FRAME_ROOM = 2304 };

static void give_up(const char *what)
{
    printf("bmv2: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void run(const char *command)
{
    if (system(command) != 0)
        give_up(command);
}

static void near_name(unsigned i, char out[16])
{
    snprintf(out, 16, "near%u", i);
}

static int open_device(unsigned i)
{
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    struct packet_mreq promiscuous = {.mr_type = PACKET_MR_PROMISC};
    char name[16];
    int one = 1, room = 1 << 22;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    near_name(i, name);
    at.sll_ifindex = (int)if_nametoindex(name);
    promiscuous.mr_ifindex = at.sll_ifindex;
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof one) < 0)
        give_up("a packet socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    return fd;
}

/* With GRO on, a veth has a queue of its own, which keeps the order in which we send. Without, frames go
 * through the queue of the CPU that sends: that is shared with all devices of the machine, drops where it is
 * full, and two of one sender that was moved between them can arrive in either order. */
void bmv2_ports_open(struct bmv2_ports *p)
{
    char command[256];
    run("ip link set lo up && sysctl -qw net.ipv6.conf.all.disable_ipv6=1 "
        "net.ipv6.conf.default.disable_ipv6=1");
    for (unsigned i = 0; i <= PORTS; i++) {
        snprintf(command, sizeof command,
                 "ip link add near%u mtu 9000 numtxqueues 1 numrxqueues 1 type veth "
                 "peer name far%u mtu 9000 numtxqueues 1 numrxqueues 1 && "
                 "ip link set near%u up && ip link set far%u up",
                 i, i, i, i);
        run(command);
        snprintf(command, sizeof command,
                 "ethtool -K near%u gro off && ethtool -K near%u gro on && "
                 "ethtool -K far%u gro off && ethtool -K far%u gro on",
                 i, i, i, i);
        run(command);
        p->fd[i] = open_device(i);
    }
}

void bmv2_ports_send(struct bmv2_ports *p, uint16_t port, uint64_t now_us, const uint8_t *frame,
                     size_t len)
{
    uint8_t bytes[CLOCK_LEN + FRAME_ROOM] = {0};
    const unsigned i = port == BMV2_CONTROL_PORT ? PORTS : port;
    if (i > PORTS || len > FRAME_ROOM)
        return; /* a port that is not there takes nothing */
    p->fed = port;
    capy_store64(bytes, now_us);
    memcpy(bytes + CLOCK_LEN, frame, len);
    if (send(p->fd[i], bytes, CLOCK_LEN + len, 0) < 0)
        give_up("send");
}

/* The kernel takes a VLAN tag out of a frame and tells it beside. */
static size_t put_tag_back(struct msghdr *m, uint8_t *data, size_t len)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        struct tpacket_auxdata aux;
        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
            continue;
        memcpy(&aux, CMSG_DATA(c), sizeof aux);
        if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
            continue;
        memmove(data + 16, data + 12, len - 12);
        capy_store16(data + 12, aux.tp_vlan_tpid);
        capy_store16(data + 14, aux.tp_vlan_tci);
        return len + 4;
    }
    return len;
}

static size_t receive(int fd, uint8_t *data)
{
    union {
        char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {data, FRAME_ROOM - 4};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof control};
    ssize_t len = recvmsg(fd, &m, 0);
    if (len < 14)
        give_up("receive");
    return put_tag_back(&m, data, (size_t)len);
}

static bool is_mark(const uint8_t *data, size_t len, uint32_t number)
{
    return len >= 18 && capy_load16(data + 12) == 0x88b7 && capy_load32(data + 14) == number;
}

/* A mark goes in behind the frames before it, at their port (simple_switch looks at its ports in no order of
 * arrival), and comes out of each port behind what they made. */
void bmv2_ports_collect(struct bmv2_ports *p, struct plane_out *out)
{
    static uint32_t number;
    static uint8_t data[FRAME_ROOM];
    uint8_t mark[60] = {0};
    memset(mark, 0xff, 6);
    capy_store16(mark + 12, 0x88b7);
    capy_store32(mark + 14, ++number);
    bmv2_ports_send(p, p->fed, UINT64_MAX, mark, sizeof mark);
    out->cnt = 0;
    for (unsigned i = 0; i <= PORTS; i++) {
        for (;;) {
            struct pollfd pfd = {.fd = p->fd[i], .events = POLLIN};
            if (poll(&pfd, 1, ANSWER_MS) != 1)
                give_up("simple_switch does not answer");
            size_t len = receive(p->fd[i], data);
            if (is_mark(data, len, number))
                break;
            if (i == PORTS || out->cnt == PLANE_OUT_MAX || len > CAPY_FRAME_MAX)
                continue; /* nothing of the contract */
            out->frame[out->cnt].port = (uint16_t)i;
            out->frame[out->cnt].len = len;
            memcpy(out->frame[out->cnt].data, data, len);
            out->cnt++;
        }
    }
}
