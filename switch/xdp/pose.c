/* The program measured: loaded as for devices, on none of them, and fed by BPF_PROG_TEST_RUN. The kernel
 * says there that a frame came from the loopback device; so that is what every port is. And its memory. */
#include "switch/xdp/program.h"

#include "switch/xdp/skeleton.h"

#include <bpf/bpf.h>
#include <inttypes.h>
#include <stdio.h>

int capy_xdp_pose(struct capy_xdp *x, uint16_t port)
{
    const uint32_t device = x->ifindex[0], value = port + 1u;
    for (uint32_t to = 0; to < x->cfg.port_cnt; to++)
        if (bpf_map_update_elem(bpf_map__fd(x->bpf->maps.ports), &to, &device, BPF_ANY) != 0)
            return CAPY_E_SYS;
    return bpf_map_update_elem(bpf_map__fd(x->bpf->maps.port_of), &device, &value, BPF_ANY) == 0
               ? CAPY_OK
               : CAPY_E_SYS;
}

int capy_xdp_program(const struct capy_xdp *x)
{
    return bpf_program__fd(x->bpf->progs.capy_plane);
}

/* As the kernel accounts for it. */
static uint64_t memory_of(int map)
{
    char path[64], line[128];
    uint64_t bytes = 0;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", map);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "memlock: %" SCNu64, &bytes) == 1)
            break;
    if (f)
        fclose(f);
    return bytes;
}

uint64_t capy_xdp_memory(const struct capy_xdp *x)
{
    uint64_t bytes = 0;
    const struct bpf_map *map;
    bpf_object__for_each_map(map, x->bpf->obj) bytes += memory_of(bpf_map__fd(map));
    return bytes;
}
