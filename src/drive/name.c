/* The names of both ends of a connection: socket addresses of the family that the drive's address is
 * of, and their ports. */
#include "drive/drive.h"

#include <errno.h>

int drive_name_read(const struct drive *d, const struct sockaddr *addr, socklen_t len,
                    struct drive_name *out)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (!addr || len < sizeof addr->sa_family)
        return drive_fail(EINVAL);
    if (addr->sa_family != d->family)
        return drive_fail(EAFNOSUPPORT);
    if (len < (d->family == AF_INET ? sizeof v4 : sizeof v6))
        return drive_fail(EINVAL);
    if (d->family == AF_INET) {
        memcpy(&v4, addr, sizeof v4);
        out->ip = capy_ip_from_v4(ntohl(v4.sin_addr.s_addr));
        out->port = ntohs(v4.sin_port);
    } else {
        memcpy(&v6, addr, sizeof v6);
        memcpy(out->ip.b, &v6.sin6_addr, sizeof out->ip.b);
        out->port = ntohs(v6.sin6_port);
    }
    return 0;
}

int drive_name_write(const struct drive *d, const struct drive_name *name, struct sockaddr *addr,
                     socklen_t *len)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(name->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(name->port)};
    if (!addr)
        return 0;
    if (!len)
        return drive_fail(EINVAL);
    v4.sin_addr.s_addr = htonl(capy_ip_v4(&name->ip));
    memcpy(&v6.sin6_addr, name->ip.b, sizeof name->ip.b);
    const void *from = d->family == AF_INET ? (const void *)&v4 : (const void *)&v6;
    socklen_t whole = d->family == AF_INET ? sizeof v4 : sizeof v6;
    memcpy(addr, from, *len < whole ? *len : whole);
    *len = whole;
    return 0;
}

struct capy_ip drive_any(const struct drive *d)
{
    return d->family == AF_INET ? capy_ip_from_v4(INADDR_ANY) : (struct capy_ip){{0}};
}

DRIVE_EXPORT int drive_getsockname(struct drive *d, int fd, struct sockaddr *addr, socklen_t *len)
{
    struct drive_ref r;
    struct capy_stack_conn_info info;
    pthread_mutex_lock(&d->lock);
    int rc = drive_ref_get(d, fd, &r) ? 0 : -1;
    if (rc == 0) {
        struct drive_name name = {.port = r.sock->port};
        name.ip = r.sock->port != 0 ? d->cfg.ip : drive_any(d);
        if (capy_stack_conn_info(d->stack, r.sock->conn, &info) == CAPY_OK)
            name = (struct drive_name){d->cfg.ip, info.local_port};
        rc = drive_name_write(d, &name, addr, len);
    }
    pthread_mutex_unlock(&d->lock);
    return rc;
}

DRIVE_EXPORT int drive_getpeername(struct drive *d, int fd, struct sockaddr *addr, socklen_t *len)
{
    struct drive_ref r;
    pthread_mutex_lock(&d->lock);
    int rc = drive_ref_get(d, fd, &r) ? 0 : -1;
    if (rc == 0 && r.sock->state != SOCK_CONNECTED)
        rc = drive_fail(ENOTCONN);
    if (rc == 0)
        rc = drive_name_write(d, &r.sock->peer, addr, len);
    pthread_mutex_unlock(&d->lock);
    return rc;
}
