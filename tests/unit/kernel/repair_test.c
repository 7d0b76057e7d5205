/* A socket of the kernel as a value: told, dropped and made again, while its peer notices nothing. */
#include "rig.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#define ROOM (4u << 20)

static uint8_t room[ROOM], more[ROOM];

/* The two ends of a connection over the loopback device. */
struct pair {
    int client, server;
    struct capy_tuple name; /* as the server sees it */
};

static struct pair open_pair(const char *address)
{
    const struct capy_ip ip = rig_ip(address);
    union capy_sockaddr at;
    socklen_t len = capy_sockaddr_make(&ip, RIG_PORT, &at);
    int one = 1, listener = socket(at.any.sa_family, SOCK_STREAM, 0);
    assert_true(listener >= 0);
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    assert_int_equal(bind(listener, &at.any, len), 0);
    assert_int_equal(listen(listener, 8), 0);
    struct pair p = {.client = socket(at.any.sa_family, SOCK_STREAM, 0)};
    assert_int_equal(connect(p.client, &at.any, len), 0);
    p.server = accept(listener, &at.any, &len);
    assert_true(p.server >= 0);
    close(listener);
    rig_patience(p.client);
    rig_patience(p.server);
    p.name.local = ip;
    p.name.local_port = RIG_PORT;
    capy_sockaddr_take(&at, &p.name.remote, &p.name.remote_port);
    return p;
}

static void close_pair(struct pair *p)
{
    close(p->client);
    close(p->server);
}

/* Room for all that a full send queue of another socket held. */
static bool give_room(int fd, void *ctx)
{
    const int bytes = ROOM;
    (void)ctx;
    return setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) == 0;
}

/* The server's end goes away without a word, and comes back. */
static struct capy_tcp_foreign move(struct pair *p)
{
    struct capy_tcp_foreign f = {0};
    assert_int_equal(capy_repair_begin(p->server), CAPY_OK);
    assert_int_equal(capy_repair_tell(p->server, &f, room, ROOM), CAPY_OK);
    capy_repair_drop(p->server);
    p->server = capy_repair_make(&f, &p->name, room, give_room, NULL);
    assert_true(p->server >= 0);
    assert_int_equal(capy_repair_end(p->server), CAPY_OK);
    if (f.snd_unsent > 0)
        assert_int_equal(capy_repair_rest(p->server, &f, room), CAPY_OK);
    int flags = 0;
    assert_int_equal(ioctl(p->server, FIONBIO, &flags), 0);
    rig_patience(p->server);
    return f;
}

static void say(int from, int to, uint32_t at, uint32_t len)
{
    rig_pattern(more, len, at);
    assert_int_equal(send(from, more, len, 0), len);
    rig_read_pattern(to, at, len);
}

static void it_goes_on(const char *address)
{
    struct pair p = open_pair(address);
    uint32_t at = 0;
    for (unsigned i = 0; i < 5; i++) {
        say(p.client, p.server, at, 1000);
        say(p.server, p.client, at, 3000);
        at += 3000;
        struct capy_tcp_foreign f = move(&p); /* its last bytes not acknowledged yet */
        assert_true(f.wscale && f.sack && f.timestamps);
    }
    /* Its end as well: the client's FIN, and ours. */
    shutdown(p.client, SHUT_WR);
    uint8_t byte;
    assert_int_equal(recv(p.server, &byte, 1, 0), 0);
    close(p.server);
    assert_int_equal(recv(p.client, &byte, 1, 0), 0);
    close(p.client);
}

static void a_connection_goes_on_in_a_socket_made_anew(void **state)
{
    (void)state;
    rig_loopback();
    it_goes_on("127.0.0.1");
    it_goes_on("::1");
}

/* What is told of one that was made is what was told of the first. */
static void what_is_made_tells_the_same(void **state)
{
    (void)state;
    rig_loopback();
    struct pair p = open_pair("127.0.0.1");
    say(p.server, p.client, 0, 2000);
    struct capy_tcp_foreign a = move(&p), b = {0};
    assert_int_equal(capy_repair_begin(p.server), CAPY_OK);
    assert_int_equal(capy_repair_tell(p.server, &b, room, ROOM), CAPY_OK);
    assert_int_equal(b.snd_end.v, a.snd_end.v);
    assert_int_equal(b.rcv_nxt.v, a.rcv_nxt.v);
    assert_int_equal(b.rcv_wup.v, a.rcv_wup.v);
    assert_int_equal(b.snd_wl1.v, a.snd_wl1.v);
    assert_int_equal(b.snd_wnd, a.snd_wnd);
    assert_int_equal(b.snd_wnd_max, a.snd_wnd_max);
    assert_int_equal(b.rcv_wnd, a.rcv_wnd);
    assert_int_equal(b.snd_wscale, a.snd_wscale);
    assert_int_equal(b.rcv_wscale, a.rcv_wscale);
    assert_int_equal(b.mss, a.mss);
    assert_true((int32_t)(b.ts_now - a.ts_now) >= 0); /* its clock never goes back */
    assert_true(b.wscale == a.wscale && b.sack == a.sack && b.timestamps == a.timestamps);
    close_pair(&p);
}

/* Of a peer that does not read: bytes that it did not acknowledge, and bytes that never left. */
static void queued_bytes_move_sent_or_not(void **state)
{
    (void)state;
    rig_loopback();
    struct pair p = open_pair("127.0.0.1");
    uint32_t queued = 0;
    rig_pattern(more, ROOM, 0);
    for (;;) {
        ssize_t n = send(p.server, more + queued, 65536, MSG_DONTWAIT);
        if (n <= 0)
            break;
        queued += (uint32_t)n;
        assert_true(queued < ROOM - 65536);
    }
    struct capy_tcp_foreign f = {0};
    assert_int_equal(capy_repair_begin(p.server), CAPY_OK);
    assert_int_equal(capy_repair_tell(p.server, &f, room, f.snd_queued), CAPY_E_NOMEM);
    assert_int_equal(capy_repair_end(p.server), CAPY_OK);
    f = move(&p);
    assert_true(f.snd_unsent > 0 && f.snd_queued >= f.snd_unsent);
    rig_read_pattern(p.client, 0, queued);
    say(p.server, p.client, queued, 100);
    close_pair(&p);
}

static bool no_socket_is_good_enough(int fd, void *ctx)
{
    (void)fd;
    *(unsigned *)ctx += 1;
    errno = EXDEV;
    return false;
}

static void what_cannot_move_is_refused_by_name(void **state)
{
    (void)state;
    rig_loopback();
    struct pair p = open_pair("127.0.0.1");
    struct capy_tcp_foreign f = {0};
    unsigned asked = 0;
    /* Unread bytes. */
    assert_int_equal(send(p.client, "x", 1, 0), 1);
    struct pollfd there = {.fd = p.server, .events = POLLIN};
    assert_int_equal(poll(&there, 1, WAIT_MS), 1);
    assert_int_equal(capy_repair_begin(p.server), CAPY_OK);
    assert_int_equal(capy_repair_tell(p.server, &f, room, ROOM), CAPY_E_STATE);
    assert_int_equal(capy_repair_end(p.server), CAPY_OK);
    char byte;
    assert_int_equal(recv(p.server, &byte, 1, 0), 1);
    /* The name is in use: by the connection itself. */
    assert_int_equal(capy_repair_begin(p.server), CAPY_OK);
    assert_int_equal(capy_repair_tell(p.server, &f, room, ROOM), CAPY_OK);
    assert_int_equal(capy_repair_make(&f, &p.name, room, NULL, NULL), CAPY_E_SYS);
    assert_true(errno == EADDRNOTAVAIL || errno == EADDRINUSE);
    /* The caller's own conditions. */
    assert_int_equal(capy_repair_make(&f, &p.name, room, no_socket_is_good_enough, &asked),
                     CAPY_E_SYS);
    assert_int_equal(errno, EXDEV);
    assert_int_equal(asked, 1);
    assert_int_equal(capy_repair_end(p.server), CAPY_OK);
    /* Half closed. */
    shutdown(p.client, SHUT_WR);
    assert_int_equal(recv(p.server, &byte, 1, 0), 0);
    assert_int_equal(capy_repair_begin(p.server), CAPY_OK);
    assert_int_equal(capy_repair_tell(p.server, &f, room, ROOM), CAPY_E_STATE);
    close_pair(&p);
}

static void what_is_no_such_socket_is_an_error(void **state)
{
    (void)state;
    rig_loopback();
    struct capy_tcp_foreign f = {.snd_queued = 1, .snd_unsent = 1};
    assert_int_equal(capy_repair_begin(-1), CAPY_E_SYS);
    assert_int_equal(capy_repair_end(-1), CAPY_E_SYS);
    assert_int_equal(capy_repair_tell(-1, &f, room, ROOM), CAPY_E_SYS);
    assert_int_equal(capy_repair_rest(-1, &f, room), CAPY_E_SYS);
}

static void without_the_right_one_line_says_so(void **state)
{
    (void)state;
    rig_loopback();
    const char *why = NULL;
    rig_powerless();
    bool allowed = capy_repair_allowed(&why);
    rig_powerful();
    assert_false(allowed);
    assert_non_null(strstr(why, "CAP_NET_ADMIN"));
    assert_non_null(strstr(why, "root"));
}

static void addresses_of_both_versions_come_back(void **state)
{
    (void)state;
    const char *text[] = {"10.99.0.11", "fd99::11"};
    for (unsigned i = 0; i < 2; i++) {
        struct capy_ip ip = rig_ip(text[i]), back;
        union capy_sockaddr at;
        uint16_t port = 0;
        assert_int_equal(capy_sockaddr_make(&ip, 4711, &at), i == 0 ? sizeof at.v4 : sizeof at.v6);
        capy_sockaddr_take(&at, &back, &port);
        assert_true(capy_ip_eq(&ip, &back));
        assert_int_equal(port, 4711);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_both_versions_come_back),
        cmocka_unit_test(a_connection_goes_on_in_a_socket_made_anew),
        cmocka_unit_test(what_is_made_tells_the_same),
        cmocka_unit_test(queued_bytes_move_sent_or_not),
        cmocka_unit_test(what_cannot_move_is_refused_by_name),
        cmocka_unit_test(what_is_no_such_socket_is_an_error),
        cmocka_unit_test(without_the_right_one_line_says_so),
    };
    return cmocka_run_group_tests_name("kernel/repair", tests, NULL, NULL);
}
