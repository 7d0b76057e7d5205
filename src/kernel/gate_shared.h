/* What the gate's program in the kernel and its loader agree on. */
#ifndef CAPY_KERNEL_GATE_SHARED_H
#define CAPY_KERNEL_GATE_SHARED_H

/* SO_MARK of a socket whose connection is stopped: its frames are set aside, too. */
#define CAPY_GATE_STOPPED 0xca9b0001u
#define CAPY_GATE_SERVICES_MAX 16u

struct capy_gate_rules {
    unsigned short tcpmig_port;
    unsigned short first,
        last; /* ports of connections that live away from home, from last on none */
    unsigned short service_cnt;
    unsigned short service[CAPY_GATE_SERVICES_MAX];
};

#endif
