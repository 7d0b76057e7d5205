/* drive_migrate: every connection out of the stack as bytes, and into a fresh one. Sockets name
 * connections by handles, which are new then; everything else of them stays. */
#include "drive/drive.h"

#include <errno.h>
#include <stdlib.h>

#define RECORD_MIN 65536u /* enough for most at the first try */

struct record {
    uint8_t *bytes;
    uint32_t max;
};

/* The next record of the stack in r: its length, 0 at the end, UINT32_MAX without memory. */
static uint32_t next_record(struct capy_stack *from, uint32_t *cursor, struct record *r)
{
    uint32_t len;
    while ((len = capy_stack_carry_out(from, cursor, r->bytes, r->max)) > r->max) {
        uint8_t *more = realloc(r->bytes, len);
        if (!more)
            return UINT32_MAX;
        *r = (struct record){more, len};
    }
    return len;
}

/* conns: by socket, the handles in the new stack. */
static bool carry_all(struct capy_stack *from, struct capy_stack *to,
                      capy_handle conns[DRIVE_SOCKET_MAX])
{
    struct record r = {malloc(RECORD_MIN), RECORD_MIN};
    uint32_t cursor = 0, len = UINT32_MAX;
    bool ok = r.bytes;
    for (int i = 0; i < DRIVE_SOCKET_MAX; i++)
        conns[i] = CAPY_HANDLE_NONE;
    capy_stack_carry_host(from, to);
    while (ok && (len = next_record(from, &cursor, &r)) > 0) {
        capy_handle conn;
        uint64_t user;
        int rc =
            len == UINT32_MAX ? CAPY_E_NOMEM : capy_stack_carry_in(to, r.bytes, len, &conn, &user);
        CAPY_ASSERT(rc == CAPY_OK || rc == CAPY_E_NOMEM); /* we encoded it ourselves */
        ok = rc == CAPY_OK;
        if (ok && conn != CAPY_HANDLE_NONE)
            conns[user - 1] = conn;
    }
    free(r.bytes);
    return ok;
}

static bool migrate(struct drive *d)
{
    void *mem;
    struct capy_stack *stack;
    capy_handle conns[DRIVE_SOCKET_MAX];
    if (!drive_new_stack(d, &mem, &stack))
        return false;
    if (!carry_all(d->stack, stack, conns)) {
        drive_free_stack(d, mem);
        return false;
    }
    for (int i = 0; i < DRIVE_SOCKET_MAX; i++)
        if (d->socks[i].state == SOCK_CONNECTING || d->socks[i].state == SOCK_CONNECTED)
            d->socks[i].conn = conns[i];
    drive_free_stack(d, d->mem);
    d->mem = mem;
    d->stack = stack;
    drive_settle(d);
    return true;
}

DRIVE_EXPORT int drive_migrate(struct drive *d)
{
    pthread_mutex_lock(&d->lock);
    int rc = migrate(d) ? 0 : drive_fail(ENOMEM);
    pthread_mutex_unlock(&d->lock);
    return rc;
}
