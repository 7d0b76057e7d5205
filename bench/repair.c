/* See repair.h. */
#include "repair.h"
#include "base/assert.h"
#include "kernel/repair.h"
#include "wire.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { QUEUE_MAX = 65536, MESSAGE = 64 };

static void must(int rc)
{
    CAPY_ASSERT(rc >= 0);
}

/* The name of the server's end. */
static struct capy_tuple name_of(int fd)
{
    struct capy_tuple name = {0};
    union capy_sockaddr local, peer;
    socklen_t len = sizeof local;
    must(getsockname(fd, &local.any, &len));
    len = sizeof peer;
    must(getpeername(fd, &peer.any, &len));
    capy_sockaddr_take(&local, &name.local, &name.local_port);
    capy_sockaddr_take(&peer, &name.remote, &name.remote_port);
    return name;
}

bool repair_open(struct repair *r, const char **why)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    r->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(listener);
    must(bind(listener, (struct sockaddr *)&at, len));
    must(listen(listener, 1));
    must(getsockname(listener, (struct sockaddr *)&at, &len));
    must(connect(r->client, (struct sockaddr *)&at, len));
    r->server = accept(listener, NULL, NULL);
    must(r->server);
    close(listener);
    if (!capy_repair_allowed(why)) {
        repair_close(r);
        return false;
    }
    return true;
}

void repair_close(struct repair *r)
{
    close(r->client);
    close(r->server);
}

static void say(int from, int to)
{
    uint8_t bytes[MESSAGE] = {0};
    CAPY_ASSERT(send(from, bytes, sizeof bytes, 0) == sizeof bytes);
    CAPY_ASSERT(recv(to, bytes, sizeof bytes, MSG_WAITALL) == sizeof bytes);
}

void repair_once(struct repair *r, uint64_t ticks[REPAIR_STEP_CNT])
{
    static uint8_t snd[QUEUE_MAX];
    struct capy_tcp_foreign f;
    uint64_t t0 = wire_ticks();
    const struct capy_tuple name = name_of(r->server);
    must(capy_repair_begin(r->server));
    must(capy_repair_tell(r->server, &f, snd, sizeof snd));
    uint64_t t1 = wire_ticks();
    must(close(r->server));
    uint64_t t2 = wire_ticks();
    r->server = capy_repair_make(&f, &name, snd, NULL, NULL);
    must(r->server);
    must(capy_repair_end(r->server));
    ticks[REPAIR_IMPORT] = wire_ticks() - t2;
    ticks[REPAIR_CLOSE] = t2 - t1;
    ticks[REPAIR_EXPORT] = t1 - t0;
    must(fcntl(r->server, F_SETFL, 0)); /* it waits, as the old one did */
    say(r->client, r->server);
    say(r->server, r->client);
}
