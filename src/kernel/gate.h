/* The gate before the kernel's TCP on one device (gate.bpf.c), loaded and attached. It goes with
 * capy_gate_close; after a crash it stays and goes on setting aside, until the next one takes its place
 * (or `tc qdisc del dev DEVICE clsact`). */
#ifndef CAPY_KERNEL_GATE_H
#define CAPY_KERNEL_GATE_H

#include "kernel/gate_shared.h"

#include <stddef.h>
#include <stdint.h>

struct capy_gate;

/* NULL with one line in err that names the remedy. */
struct capy_gate *capy_gate_open(unsigned ifindex, const struct capy_gate_rules *rules, char *err,
                                 size_t err_len);
/* From now on segments to port are its business. Beyond CAPY_GATE_SERVICES_MAX: nothing happens. */
void capy_gate_serve(struct capy_gate *g, uint16_t port);
void capy_gate_close(struct capy_gate *g);

#endif
