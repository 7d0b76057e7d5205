/* A rack in memory for tests of the library OS: two servers, the switch's own core between them,
 * and a client that is a plain stack. One thread, one clock that only rig_turn moves. Both servers are
 * recorded, and rig_close replays what they did: it must be the same. */
#ifndef CAPY_TEST_SOCK_RIG_H
#define CAPY_TEST_SOCK_RIG_H

#include "sock/os.h"
#include "switch/core/plane.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define RIG_SERVERS 2u
#define RIG_PORT 80u
#define RIG_DONE_MAX 256u

/* The addresses of the rack; the client's connections go to those that are named. */
enum rig_kind {
    RIG_IPV4,      /* has IPv6 addresses, too */
    RIG_BESIDE,    /* IPv6 beside IPv4: the same rack, used over IPv6 */
    RIG_IPV6_ONLY, /* TCPMig as well */
    RIG_KIND_CNT
};
extern enum rig_kind rig_kind; /* before rig_open; RIG_IPV4 to begin with */

struct rig {
    uint64_t now;
    struct capy_rack rack;
    struct capy *os[RIG_SERVERS];
    int lqd[RIG_SERVERS];
    struct capy_drv *wire[RIG_SERVERS]; /* the switch's ends */
    char recording[RIG_SERVERS][32];
    struct capy_switch *tor;
    bool has_vip;    /* tune gave the rack a service address, and services */
    bool tor_silent; /* every frame to the switch is lost */
    unsigned lose;   /* of the client's frames the lose-th from now is lost; 0: none */
    struct capy_stack *client;
    /* Completions not yet looked at by rig_expect, per server, oldest first. */
    struct capy_done done[RIG_SERVERS][RIG_DONE_MAX];
    unsigned done_cnt[RIG_SERVERS];
    uint32_t client_events; /* all bits that the client's connections saw */
};

/* A rack whose servers listen on RIG_PORT and have one accept outstanding; the switch has heard
 * both. conn_max 64; `tune` may change the rack before it is used. */
void rig_open(struct rig *rig, void (*tune)(struct capy_rack *rack));
void rig_close(struct rig *rig);
/* The same, and the recordings stay: their names are rig->recording, the caller removes them. */
void rig_close_and_keep(struct rig *rig);
/* Time passes and everybody takes a turn. */
void rig_turn(struct rig *rig);
void rig_turns(struct rig *rig, unsigned cnt);
/* The next completion of a server must be this operation: it is returned. Fails after many turns.
 */
struct capy_done rig_expect(struct rig *rig, unsigned server, enum capy_op op);
/* No completion waits at a server, nor comes in some turns. */
void rig_expect_none(struct rig *rig, unsigned server);

/* A server's address, and the client's own, as the client uses them. */
struct capy_ip rig_server_ip(unsigned server);
struct capy_ip rig_client_ip(void);
/* A new connection of the client to a server's service: the server's queue in *qd. */
capy_handle rig_connect(struct rig *rig, unsigned server, int *qd);
void rig_client_send(struct rig *rig, capy_handle conn, const char *text);
/* The client's next bytes must be this text. */
void rig_client_expect(struct rig *rig, capy_handle conn, const char *text);
/* Pops at a server must bring this text; it is consumed. */
void rig_read(struct rig *rig, unsigned server, int qd, const char *text);

#endif
