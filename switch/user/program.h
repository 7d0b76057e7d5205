/* The switch program's state, shared by its files: switch.c sets up and takes down, ports.c moves
 * frames, loop.c decides when, kernel.c is all of that for a plane in the kernel, wire.c is a rack's cables instead,
 * control.c speaks on the socket, commands.c answers, record.c records. Private. */
#ifndef CAPY_SWITCH_PROGRAM_H
#define CAPY_SWITCH_PROGRAM_H

#include "capy/rack.h"
#include "drv/drv.h"
#include "record/record.h"
#include "switch/core/plane.h"
#include "switch/user/control.h"
#include "switch/user/switch.h"
#include "switch/xdp/xdp.h"

#define PORT_PENDING_MAX 4096u /* frames a port's faults may hold: 40 ms at 100,000 frames/s */

struct port {
    struct capy_drv *drv;
    enum capy_port_role role;
    /* Frames reserved ahead: filled ones first .. used - 1, empty ones up to have. */
    struct capy_frame tx[CAPY_DRV_BURST];
    unsigned tx_first, tx_used, tx_have;
    bool unflushed;           /* the kernel was not told of every frame yet */
    uint64_t tx_full;         /* lost because the driver had no frame free */
    struct capy_fault *fault; /* of frames that come in; NULL until first set */
    struct capy_fault *line;  /* of frames that go out: a narrow line; NULL likewise */
};

struct program {
    struct capy_rack rack;
    struct capy_switch_cfg cfg;
    struct capy_switch *plane; /* record.h changes it; whoever only looks calls it */
    struct capy_xdp *xdp;      /* the plane is the kernel's, and `plane` a view of it; NULL: ours */
    struct capy_record *record; /* NULL: none */
    struct capy_switch_out out; /* of the frame in hand */
    struct port port[CAPY_SWITCH_PORT_MAX];
    uint16_t port_cnt;
    /* Not 0: no plane, and port i and port i + cable_cnt are a cable's ends (wire.c). */
    uint16_t cable_cnt;
    struct control control;
    int signal_fd;
    uint64_t now, started_at; /* now: read once per round of the loop */
};

/* switch.c: opens the device as the next port. Errors as capy_switch_main_run's. */
int program_add_port(struct program *p, const struct capy_switch_run *run, const char *device,
                     enum capy_port_role role, char *err, size_t err_len);

/* ports.c. All of them act at p->now. */
/* Takes up to a burst from the port and the frames its faults let go of, through the plane, to the
 * egress ports' bursts. How many frames moved. */
unsigned port_receive(struct program *p, uint16_t idx);
/* Hands every port's burst to its driver, and the kernel. */
void ports_flush(struct program *p);
/* Those that people know: of a cable, one. */
uint16_t ports_named(const struct program *p);
/* The earliest frame that waits in a fault queue, or CAPY_NEVER. */
uint64_t ports_due_at(const struct program *p);
/* Sets the faults of the port with that device, or that leads to the server of that name; NULL or
 * "all": of every port. CAPY_OK, or CAPY_E_CONFIG or CAPY_E_NOMEM with one line in err. */
int ports_set_fault(struct program *p, const char *name, const struct capy_fault_cfg *cfg,
                    char *err, size_t err_len);
void port_close(struct port *port);

/* loop.c: monotonic ns; and whether SIGINT or SIGTERM has come. */
uint64_t program_clock(void);
bool program_told_to_stop(const struct program *p);
/* Runs until SIGINT or SIGTERM. CAPY_OK or CAPY_E_SYS. */
int program_loop(struct program *p);

/* kernel.c: the plane in the kernel. Errors as capy_switch_main_run's. */
int kernel_open(struct program *p, const struct capy_switch_run *run, char *err, size_t err_len);
int kernel_loop(struct program *p); /* as program_loop */
void kernel_close(struct program *p);
int kernel_remove(const struct capy_rack *rack, char *err, size_t err_len);

/* wire.c: ports without a plane. Errors as capy_switch_main_run's. */
int wire_open(struct program *p, const struct capy_switch_run *run, char *err, size_t err_len);

/* commands.c: the answer to one request line: a malloc'd line ending in a newline, or NULL when out
 * of memory. */
char *program_answer(struct program *p, const char *request, size_t len);

#endif
