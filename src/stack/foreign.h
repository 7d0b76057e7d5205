/* A stack whose connections are another TCP's: the host kernel's (src/kernel). The kernel has the
 * segments and the application's bytes; this stack has the names, the epochs, the migrations and all
 * of TCPMig, as on any other server, and of frames only those that no socket of the kernel wants.
 * docs/architecture.md, "Members on kernel sockets".
 *
 * A connection is named by its index, which is free again once the stack has called `gone`. All calls
 * are made by one thread; the stack calls the other TCP, and never the other way from within that. */
#ifndef CAPY_STACK_FOREIGN_H
#define CAPY_STACK_FOREIGN_H

#include "stack/stack.h"
#include "tcp/foreign.h"

/* What the stack asks of the other TCP. */
struct capy_foreign_ops {
    /* Somebody listens on port, or is not to be given more for now, or no longer. CAPY_OK, or
     * CAPY_E_INUSE, CAPY_E_SYS. Connections of the service address begin there only after open_vip,
     * which is called again and again after the quiet time (capy_vip_may_begin). */
    int (*listen)(void *ctx, uint16_t port);
    void (*open_vip)(void *ctx);
    void (*pause)(void *ctx, uint16_t port, bool paused);
    void (*unlisten)(void *ctx, uint16_t port);
    /* Bytes taken, 0..len; capy_foreign_room follows a short count. */
    int64_t (*write)(void *ctx, uint32_t conn, const uint8_t *data, uint32_t len, bool more);
    /* The application has read: there is room for more. */
    void (*consumed)(void *ctx, uint32_t conn);
    void (*set)(void *ctx, uint32_t conn, enum capy_option option, uint64_t value);
    /* The application is gone: closes in order, or by a reset; capy_foreign_ended follows, but not
     * after a reset. */
    void (*close)(void *ctx, uint32_t conn);
    void (*reset)(void *ctx, uint32_t conn);
    /* Ends it without a word to anybody, should it still be there. */
    void (*gone)(void *ctx, uint32_t conn);
    /* From now on it takes nothing in and sends nothing, or goes on as before. What came until then
     * has been given to capy_foreign_received. */
    void (*stop)(void *ctx, uint32_t conn);
    void (*go_on)(void *ctx, uint32_t conn);
    /* Of a stopped one: its state, and in *snd the f->snd_queued bytes that it has to send, valid until
     * the next call. False: in no state to be moved. */
    bool (*tell)(void *ctx, uint32_t conn, struct capy_tcp_foreign *f, const uint8_t **snd);
    /* Begins one that arrived, with the f->snd_queued bytes at snd. */
    bool (*begin)(void *ctx, uint32_t conn, const struct capy_tuple *name,
                  const struct capy_tcp_foreign *f, const uint8_t *snd);
    /* Takes in a frame that came to the stack but is the other TCP's. */
    void (*inject)(void *ctx, const uint8_t *frame, size_t len);
};

/* Right after capy_stack_init, once. room: memory for bytes on their way, as long as the largest send
 * queue; owned by the caller. */
void capy_stack_set_foreign(struct capy_stack *s, const struct capy_foreign_ops *ops, void *ctx,
                            uint8_t *room, uint32_t room_len);

/* ---- what the other TCP tells the stack ---- */
/* The time of what follows, not before any time that the stack was told. */
void capy_foreign_now(struct capy_stack *s, uint64_t now);
/* A client's connection to local_port is open: ACCEPTED follows. Its index; CAPY_NONE: no slot, nobody
 * listens, or its name is taken by one that is about to go. */
uint32_t capy_foreign_opened(struct capy_stack *s, const struct capy_ip *client,
                             uint16_t client_port, uint16_t local_port);
/* How many bytes it may hand over now: what the application may have unread, and what there are blocks
 * for. */
uint32_t capy_foreign_wanted(const struct capy_stack *s, uint32_t conn);
/* Bytes in order, no more than wanted (asserted). */
void capy_foreign_received(struct capy_stack *s, uint32_t conn, const uint8_t *data, uint32_t len);
void capy_foreign_fin(struct capy_stack *s, uint32_t conn);
/* The socket takes bytes again. */
void capy_foreign_room(struct capy_stack *s, uint32_t conn);
/* It is over; bits: how the application learns (CAPY_EV_RESET, _TIMED_OUT, _FINISHED). */
void capy_foreign_ended(struct capy_stack *s, uint32_t conn, uint32_t bits);

#endif
