/* Connections that the application opens (RFC 9293 §3.10.1), and addresses as text. Public calls;
 * the outcome comes as an event (event.c). */
#include "sock/host.h"
#include "sock/os.h"
#include <string.h>

int capy_connect(struct capy *os, const struct capy_address *to)
{
    uint32_t idx = capy_queue_take(os, CAPY_QUEUE_CONN | CAPY_QUEUE_OPENED | CAPY_QUEUE_OPENING);
    if (idx == CAPY_NONE)
        return CAPY_E_NOMEM;
    struct capy_ip ip;
    memcpy(ip.b, to->ip, sizeof ip.b);
    int qd = capy_queue_number(os, idx);
    int rc = capy_host_connect(os, &ip, to->port, 0, (uint64_t)qd, &os->queues[idx].conn, os->now);
    if (rc != CAPY_OK) {
        capy_queue_give(os, idx);
        return rc;
    }
    return qd;
}

static int look_at(const struct capy *os, int qd, struct capy_stack_conn_info *out)
{
    uint32_t idx = capy_queue_find(os, qd, CAPY_QUEUE_CONN);
    if (idx == CAPY_NONE || (os->queues[idx].flags & CAPY_QUEUE_DEAD))
        return CAPY_E_BADQD;
    return capy_stack_conn_info(os->stack, os->queues[idx].conn, out);
}

int capy_peer(const struct capy *os, int qd, struct capy_address *out)
{
    struct capy_stack_conn_info info;
    if (look_at(os, qd, &info) != CAPY_OK)
        return CAPY_E_BADQD;
    memcpy(out->ip, info.key.client.b, sizeof out->ip);
    out->port = info.key.client_port;
    return CAPY_OK;
}

int capy_traffic(const struct capy *os, int qd, struct capy_traffic *out)
{
    struct capy_stack_conn_info info;
    if (look_at(os, qd, &info) != CAPY_OK)
        return CAPY_E_BADQD;
    memcpy(out->own.ip, info.local.b, sizeof out->own.ip);
    out->own.port = info.local_port;
    out->bytes_in = info.bytes_in;
    out->bytes_out = info.bytes_out;
    out->retransmissions = info.tcp.retrans_segs;
    out->rtt_ns = info.tcp.srtt_ns;
    return CAPY_OK;
}

/* The port behind the last colon; false when it is no number of a port. */
static bool read_port(const char *text, uint16_t *out)
{
    unsigned v = 0;
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || v > UINT16_MAX / 10)
            return false;
        v = v * 10 + (unsigned)(text[i] - '0');
    }
    *out = (uint16_t)v;
    return len > 0 && v <= UINT16_MAX;
}

/* Where the address ends: NULL when brackets do not match. *behind: what follows it. */
static const char *end_of_ip(const char **ip, const char **behind)
{
    const char *text = *ip, *end;
    if (*text == '[') {
        *ip = text + 1;
        end = strchr(text, ']');
        *behind = end ? end + 1 : NULL;
        return end;
    }
    const char *first = strchr(text, ':'), *last = strrchr(text, ':');
    end = first && first == last ? first : text + strlen(text); /* two colons: bare IPv6 */
    *behind = end;
    return end;
}

int capy_address_parse(const char *text, uint16_t port, struct capy_address *out)
{
    char ip_text[CAPY_IP_TEXT_MAX];
    const char *ip = text, *behind;
    const char *end = end_of_ip(&ip, &behind);
    if (!end || (size_t)(end - ip) >= sizeof ip_text)
        return CAPY_E_FORMAT;
    memcpy(ip_text, ip, (size_t)(end - ip));
    ip_text[end - ip] = 0;
    struct capy_ip parsed;
    struct capy_address address = {.port = port};
    if (*behind && (*behind != ':' || !read_port(behind + 1, &address.port)))
        return CAPY_E_FORMAT;
    if (capy_ip_parse(ip_text, &parsed) != CAPY_OK)
        return CAPY_E_FORMAT;
    memcpy(address.ip, parsed.b, sizeof address.ip);
    *out = address;
    return CAPY_OK;
}
