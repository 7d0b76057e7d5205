/* lwIP (Debian's liblwip-dev) as a server (served.h): its raw API on one thread, with an Ethernet
 * interface whose link is the bench's. Compiled only where lwIP is installed. */
#include "served.h"

#include "lwip/etharp.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/tcp.h"
#include "lwip/timeouts.h"
#include "netif/ethernet.h"

static struct netif port;
static struct served_out *sending; /* of the turn that runs: lwIP sends inside its input */

static err_t link_output(struct netif *netif, struct pbuf *p)
{
    (void)netif;
    if (!sending || sending->cnt == SERVED_FRAMES || p->tot_len > CAPY_FRAME_MAX)
        return ERR_BUF;
    sending->frame[sending->cnt].len =
        pbuf_copy_partial(p, sending->frame[sending->cnt].data, p->tot_len, 0);
    sending->cnt++;
    return ERR_OK;
}

static err_t link_init(struct netif *netif)
{
    const struct capy_mac mac = served_mac(SERVED_IP);
    netif->name[0] = 'b';
    netif->name[1] = 'w';
    netif->output = etharp_output;
    netif->linkoutput = link_output;
    netif->mtu = 1500;
    netif->hwaddr_len = sizeof mac.b;
    for (unsigned i = 0; i < sizeof mac.b; i++)
        netif->hwaddr[i] = mac.b[i];
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

static err_t received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    static const uint8_t bytes[65535];
    const struct served *served = arg;
    (void)err;
    if (!p)
        return tcp_close(pcb);
    u16_t len = p->tot_len;
    tcp_recved(pcb, len);
    pbuf_free(p);
    if (served->role == SERVED_ECHO) { /* a request is one segment, like ours */
        tcp_write(pcb, bytes, len, TCP_WRITE_FLAG_COPY);
        tcp_output(pcb);
    }
    return ERR_OK;
}

static err_t accepted(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)err;
    tcp_arg(pcb, arg);
    tcp_recv(pcb, received);
    tcp_nagle_disable(pcb);
    return ERR_OK;
}

static void turn(struct served *served, const uint8_t *frame, size_t len, struct served_out *out)
{
    (void)served;
    /* Not PBUF_POOL: Debian's library then writes behind its own buffers, of frames above 1000 bytes. */
    struct pbuf *p = frame ? pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_RAM) : NULL;
    if (!p)
        return;
    sending = out;
    pbuf_take(p, frame, (u16_t)len);
    if (port.input(p, &port) != ERR_OK)
        pbuf_free(p);
    sending = NULL;
}

bool served_by_lwip(struct served *served)
{
    ip4_addr_t ip, mask, none;
    ip4_addr_set_u32(&ip, lwip_htonl(SERVED_IP));
    ip4_addr_set_u32(&mask, lwip_htonl(0xffffff00u));
    ip4_addr_set_zero(&none);
    *served = (struct served){.name = "lwip", .turn = turn};
    lwip_init();
    netif_add(&port, &ip, &mask, &none, NULL, link_init, ethernet_input);
    netif_set_default(&port);
    netif_set_up(&port);
    struct tcp_pcb *l = tcp_new();
    if (!l || tcp_bind(l, IP_ADDR_ANY, SERVED_PORT) != ERR_OK || !(l = tcp_listen(l)))
        return false;
    tcp_arg(l, served);
    tcp_accept(l, accepted);
    return true;
}
