/* A server at the end of an in-memory link, as bench/stack measures it: one frame in, everything it
 * answers out. The same for our stack and for lwIP, so that one client asks both. */
#ifndef CAPY_BENCH_SERVED_H
#define CAPY_BENCH_SERVED_H

#include "wire/addr.h"
#include "wire/ether.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SERVED_PORT = 80, SERVED_FRAMES = 64 };

/* What the server's application does with a connection. */
enum served_role {
    SERVED_ECHO,   /* answers every `size` bytes with as many */
    SERVED_SINK,   /* reads */
    SERVED_SOURCE, /* writes whenever there is room */
};

struct served_out {
    unsigned cnt;
    struct {
        size_t len;
        uint8_t data[CAPY_FRAME_MAX];
    } frame[SERVED_FRAMES];
};

struct served {
    const char *name;
    enum served_role role;
    uint32_t size;
    uint64_t now;
    /* frame NULL: only sends. Appends to *out. */
    void (*turn)(struct served *s, const uint8_t *frame, size_t len, struct served_out *out);
    void *state;
};

#define SERVED_IP 0x0a630001u
#define SERVED_CLIENT_IP 0x0a630002u

static inline struct capy_mac served_mac(uint32_t ip)
{
    return (struct capy_mac){{2, 0xca, 0, 0, 0, (uint8_t)ip}};
}

/* Our stack, in no rack; conn_max connections. */
void served_by_capy(struct served *s, uint32_t conn_max);
/* The same as a member of a rack of two, whose connections could move: it has a switch, which is
 * never heard, and announces itself to it. */
void served_by_member(struct served *s, uint32_t conn_max);
void served_by_capy_end(struct served *s);
/* lwIP; false when the bench was built without it. Once per process. */
bool served_by_lwip(struct served *s);

#endif
