/* See repair.h. */
#include "repair.h"
#include "base/assert.h"
#include "cold.h"
#include "kernel/repair.h"
#include "wire.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

static void talk_open(int talk[2])
{
    struct sockaddr_in at[2];
    socklen_t len = sizeof at[0];
    for (unsigned i = 0; i < 2; i++) {
        at[i] =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        talk[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        must(talk[i]);
        must(bind(talk[i], (struct sockaddr *)&at[i], len));
        must(getsockname(talk[i], (struct sockaddr *)&at[i], &len));
    }
    for (unsigned i = 0; i < 2; i++)
        must(connect(talk[i], (struct sockaddr *)&at[1 - i], len));
}

bool repair_open(struct repair *r, const char **why)
{
    talk_open(r->talk);
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
    close(r->talk[0]);
    close(r->talk[1]);
}

/* The acknowledgement comes at once. One that is delayed would find no socket if it came in the middle
 * of a move, and be answered by a reset: servers keep such a frame, this bench has none that would come. */
static void say(int from, int to)
{
    const int quick = 1;
    uint8_t bytes[MESSAGE] = {0};
    CAPY_ASSERT(send(from, bytes, sizeof bytes, 0) == sizeof bytes);
    CAPY_ASSERT(recv(to, bytes, sizeof bytes, MSG_WAITALL) == sizeof bytes);
    must(setsockopt(to, IPPROTO_TCP, TCP_QUICKACK, &quick, sizeof quick));
}

void repair_once(struct repair *r, uint64_t ticks[REPAIR_STEP_CNT], bool cold)
{
    static uint8_t snd[QUEUE_MAX];
    struct capy_tcp_foreign f;
    if (cold)
        cold_caches();
    uint64_t t0 = wire_ticks();
    const struct capy_tuple name = name_of(r->server);
    must(capy_repair_begin(r->server));
    must(capy_repair_tell(r->server, &f, snd, sizeof snd));
    uint64_t t1 = wire_ticks();
    must(close(r->server));
    ticks[REPAIR_CLOSE] = wire_ticks() - t1;
    if (cold) /* the other server */
        cold_caches();
    uint64_t t2 = wire_ticks();
    r->server = capy_repair_make(&f, &name, snd, NULL, NULL);
    must(r->server);
    must(capy_repair_end(r->server));
    ticks[REPAIR_IMPORT] = wire_ticks() - t2;
    ticks[REPAIR_EXPORT] = t1 - t0;
    must(fcntl(r->server, F_SETFL, 0)); /* it waits, as the old one did */
    say(r->client, r->server);
    say(r->server, r->client);
}

uint64_t repair_messages(struct repair *r, bool cold)
{
    /* PREPARE_MIG, its answer, the state (no queues: the connection is idle), its answer. */
    static const size_t len[] = {96, 96, 96 + sizeof(struct capy_tcp_foreign), 96};
    uint8_t bytes[1024] = {0};
    uint64_t ticks = 0;
    for (unsigned i = 0; i < sizeof len / sizeof len[0]; i++) {
        uint64_t t0 = wire_ticks();
        CAPY_ASSERT(send(r->talk[i % 2], bytes, len[i], 0) == (ssize_t)len[i]);
        uint64_t t1 = wire_ticks();
        if (cold)
            cold_caches();
        uint64_t t2 = wire_ticks();
        CAPY_ASSERT(recv(r->talk[1 - i % 2], bytes, sizeof bytes, 0) == (ssize_t)len[i]);
        ticks += t1 - t0 + (wire_ticks() - t2);
    }
    return ticks;
}
