/* See gate.h. */
#include "kernel/gate.h"
#include "kernel/gate_skeleton.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HANDLE 1u /* a fixed name: the next one takes this one's place */
#define PRIORITY 1u

struct capy_gate {
    struct capy_gate_bpf *bpf;
    struct bpf_tc_hook hook;
    bool made_hook; /* by us: nobody else uses it */
};

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
    (void)level, (void)format, (void)args;
    return 0;
}

/* The library wants zeros behind the last field, too, where an initializer leaves what was there. */
static void name_program(struct bpf_tc_opts *opts)
{
    memset(opts, 0, sizeof *opts);
    opts->sz = sizeof *opts;
    opts->handle = HANDLE;
    opts->priority = PRIORITY;
}

static int attach_at(struct capy_gate *g, enum bpf_tc_attach_point point,
                     const struct bpf_program *program)
{
    struct bpf_tc_opts opts;
    name_program(&opts);
    opts.prog_fd = bpf_program__fd(program);
    opts.flags = BPF_TC_F_REPLACE;
    g->hook.attach_point = point;
    return bpf_tc_attach(&g->hook, &opts);
}

static int attach(struct capy_gate *g, unsigned ifindex)
{
    g->hook.sz = sizeof g->hook; /* zeros behind its last field as well */
    g->hook.ifindex = (int)ifindex;
    g->hook.attach_point = BPF_TC_INGRESS;
    int rc = bpf_tc_hook_create(&g->hook);
    g->made_hook = rc == 0;
    if (rc != 0 && rc != -EEXIST)
        return rc;
    rc = attach_at(g, BPF_TC_EGRESS, g->bpf->progs.capy_gate_out);
    return rc == 0 ? attach_at(g, BPF_TC_INGRESS, g->bpf->progs.capy_gate) : rc;
}

static void remove_hook(struct capy_gate *g)
{
    g->hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS; /* clsact, as a whole */
    if (g->made_hook)
        (void)bpf_tc_hook_destroy(&g->hook);
}

struct capy_gate *capy_gate_open(unsigned ifindex, const struct capy_gate_rules *rules, char *err,
                                 size_t err_len)
{
    struct capy_gate *g = calloc(1, sizeof *g);
    libbpf_print_fn_t before = libbpf_set_print(quiet);
    int rc = -ENOMEM;
    if (g && (g->bpf = capy_gate_bpf__open())) {
        g->bpf->bss->rules = *rules;
        rc = capy_gate_bpf__load(g->bpf);
        rc = rc == 0 ? attach(g, ifindex) : rc;
    }
    if (g && rc != 0)
        remove_hook(g);
    libbpf_set_print(before);
    if (rc == 0)
        return g;
    snprintf(err, err_len, "the gate before the kernel's TCP (tc, BPF): %s; %s", strerror(-rc),
             rc == -EPERM ? "run it as root (CAP_NET_ADMIN, CAP_BPF)"
                          : "the kernel needs CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF");
    if (g)
        capy_gate_bpf__destroy(g->bpf);
    free(g);
    return NULL;
}

void capy_gate_serve(struct capy_gate *g, uint16_t port)
{
    volatile struct capy_gate_rules *rules = &g->bpf->bss->rules;
    for (unsigned i = 0; i < rules->service_cnt; i++)
        if (rules->service[i] == port)
            return;
    if (rules->service_cnt < CAPY_GATE_SERVICES_MAX) {
        rules->service[rules->service_cnt] = port; /* before it counts */
        rules->service_cnt = (unsigned short)(rules->service_cnt + 1u);
    }
}

void capy_gate_close(struct capy_gate *g)
{
    if (!g)
        return;
    const enum bpf_tc_attach_point points[] = {BPF_TC_INGRESS, BPF_TC_EGRESS};
    libbpf_print_fn_t before = libbpf_set_print(quiet);
    for (unsigned i = 0; i < 2; i++) {
        struct bpf_tc_opts opts;
        name_program(&opts);
        g->hook.attach_point = points[i];
        (void)bpf_tc_detach(&g->hook, &opts);
    }
    remove_hook(g);
    libbpf_set_print(before);
    capy_gate_bpf__destroy(g->bpf);
    free(g);
}
