/* A service under attack: one server, clients that keep asking it, an attacker with a stack of its
 * own and as many made-up addresses as it likes. Virtual time. The line to the server holds a bounded
 * number of frames, and the server takes a microsecond for each that it hears, so that a flood is
 * felt; everything else takes nothing but the delay of the lines. */
#ifndef CAPY_TESTS_STACK_SERVICE_H
#define CAPY_TESTS_STACK_SERVICE_H

#include "base/prng.h"
#include "forge.h"

enum {
    SERVICE_PORT = 80,
    SERVED = 16,
    SERVICE_CONNS = 1024,
    SERVICE_BLOCKS = 1024,
    SERVICE_BACKLOG = 256
};

#define SERVICE_DELAY_NS CAPY_US(250)
#define SERVICE_RTT_NS (2 * SERVICE_DELAY_NS)
#define SERVICE_STEP_NS CAPY_US(10)
#define SERVICE_STEP_FRAMES 10u /* what the server hears in a step: a million frames a second */
#define SERVICE_QUEUE 1024u     /* frames that wait for the server; more are lost */
#define SERVICE_REQUEST 64u     /* bytes, of 'r'; as many come back */
#define SERVICE_BIG 600000u     /* bytes in answer to one 'B' */

enum { SERVER, CLIENTS, EVIL, HOSTS };

struct service_client {
    capy_handle conn;
    bool open, closed;
    uint64_t asked_at; /* 0: not asked yet */
    uint32_t got;
};

/* Of the clients, since the last service_measure. */
struct service_figures {
    uint32_t answers;
    uint64_t sum_ns, worst_ns;
};

struct service_line;

struct service {
    uint64_t now;
    struct capy_stack *host[HOSTS];
    void *mem[HOSTS];
    struct service_line *line[HOSTS]; /* frames on their way to each */
    struct service_client client[SERVED];
    struct service_figures figures;
    uint64_t owed[SERVICE_CONNS];      /* bytes that the server's application has still to write */
    uint64_t strange_bytes;            /* that it read and nobody asked with */
    uint32_t blocks_least;             /* free ones at the server, at the worst moment */
    void (*attack)(struct service *v); /* each step; NULL: peace */
    uint64_t attack_cnt;               /* for its use */
    struct capy_prng random;
};

/* Everybody connected and answered once. tune: changes the server's configuration; or NULL. */
void service_open(struct service *v, void (*tune)(struct capy_stack_cfg *cfg));
void service_close(struct service *v);
void service_run(struct service *v, uint64_t ns);
/* Runs for so long; what the clients got of it. */
struct service_figures service_measure(struct service *v, uint64_t ns);
/* Puts a frame on the line to a host. False: it was lost. */
bool service_put(struct service *v, unsigned host, const uint8_t *frame, size_t len, uint64_t at);
/* A forged segment from anybody to the server, through the line. */
void service_forge(struct service *v, const struct forged *from,
                   const struct capy_tcp_segment *seg);
/* The same straight into the server, as if the line took no time. */
void service_inject(struct service *v, const struct forged *from,
                    const struct capy_tcp_segment *seg);
/* The next of a fixed sequence of numbers. */
uint32_t service_random(struct service *v);
/* A client's end as an attacker on the path would know it: addresses and true numbers. */
struct forged service_client_ends(const struct service *v, unsigned i);
/* The server's control block of that connection. */
const struct capy_tcp *service_server_tcb(const struct service *v, const struct forged *c);

#endif
