/* Frames that the program set aside: echo requests and neighbour solicitations for the switch's own
 * addresses. The user-space switch's own code answers them, over the program's maps; it looks at servers'
 * leases only and touches no entry, so it needs no lock. */
#include "switch/xdp/program.h"

#include "switch/core/one.h"
#include "switch/xdp/skeleton.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The answer, or whatever else user space would do with it, into x->answer. */
static void think(struct capy_xdp *x, const struct capy_xdp_aside *a)
{
    struct capy_switch sw = x->sw;
    struct capy_view view;
    struct capy_job j = {.sw = &sw,
                         .now = x->now,
                         .port = (uint16_t)a->port,
                         .frame = x->frame,
                         .end = x->frame + a->len,
                         .view = &view,
                         .out = &x->answer};
    sw.count = x->asided;
    x->answer.cnt = 0;
    memcpy(x->frame, a->frame, a->len);
    capy_view_parse(j.frame, j.end, &view);
    capy_switch_icmp(&j);
}

static void send_out(const struct capy_xdp *x, uint32_t port, const uint8_t *data, size_t len)
{
    if (port < x->cfg.port_cnt && x->out[port] >= 0)
        (void)!send(x->out[port], data, len, MSG_DONTWAIT);
}

static int on_frame(void *context, void *data, size_t len)
{
    struct capy_xdp *x = context;
    const struct capy_xdp_aside *a = data;
    if (len < sizeof *a || a->len > sizeof a->frame)
        return 0; /* never */
    think(x, a);
    for (unsigned i = 0; i < x->answer.cnt && !x->testing; i++) {
        uint16_t port = x->answer.frame[i].port;
        if (port != CAPY_PORT_FLOOD)
            send_out(x, port, x->answer.frame[i].data, x->answer.frame[i].len);
        for (uint32_t to = 0; port == CAPY_PORT_FLOOD && to < x->cfg.port_cnt; to++)
            if (to != a->port)
                send_out(x, to, x->answer.frame[i].data, x->answer.frame[i].len);
    }
    return 0;
}

int capy_xdp_aside_open(struct capy_xdp *x)
{
    x->ring = ring_buffer__new(bpf_map__fd(x->bpf->maps.aside), on_frame, x, NULL);
    return x->ring ? CAPY_OK : CAPY_E_SYS;
}

int capy_xdp_aside_socket(unsigned ifindex)
{
    const struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_ifindex = (int)ifindex};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* protocol 0: receives nothing */
    if (fd >= 0 && bind(fd, (const void *)&at, sizeof at) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int capy_xdp_fd(const struct capy_xdp *x)
{
    return ring_buffer__epoll_fd(x->ring);
}

void capy_xdp_answer(struct capy_xdp *x, uint64_t now)
{
    x->now = now;
    ring_buffer__consume(x->ring);
}

void capy_xdp_answer_to(struct capy_xdp *x, uint64_t now, struct capy_switch_out *out)
{
    x->answer.cnt = 0;
    capy_xdp_answer(x, now);
    out->cnt = x->answer.cnt;
    for (unsigned i = 0; i < out->cnt; i++) {
        memcpy(out->extra, x->answer.frame[i].data, x->answer.frame[i].len);
        out->frame[i] = x->answer.frame[i];
        out->frame[i].data = out->extra;
    }
}
