/* Loads and attaches the redirect program (redirect.h). Six instructions, written out, so that no
 * object file has to be found at run time. */
#include "drv/redirect.h"

#include "capy/error.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <stddef.h>
#include <unistd.h>

#define QUEUE_CNT 1u /* entries of the socket map: queue 0 */

static int load_program(int map_fd)
{
    /* return bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_PASS); */
    const struct bpf_insn program[] = {
        {.code = BPF_LDX | BPF_MEM | BPF_W,
         .dst_reg = BPF_REG_2,
         .src_reg = BPF_REG_1,
         .off = offsetof(struct xdp_md, rx_queue_index)},
        /* NOLINTNEXTLINE(misc-redundant-expression): names of the kernel's for 0 */
        {.code = BPF_LD | BPF_DW | BPF_IMM,
         .dst_reg = BPF_REG_1,
         .src_reg = BPF_PSEUDO_MAP_FD,
         .imm = map_fd},
        {.code = 0}, /* second half of the 64-bit load */
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_PASS},
        {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map},
        {.code = BPF_JMP | BPF_EXIT},
    };
    return bpf_prog_load(BPF_PROG_TYPE_XDP, "capy_redirect", "Dual BSD/GPL", program,
                         sizeof program / sizeof program[0], NULL);
}

int capy_redirect_load(struct capy_redirect *r, int xsk_fd)
{
    *r = (struct capy_redirect){.map_fd = -1, .prog_fd = -1, .link_fd = -1};
    const unsigned queue = 0;
    r->map_fd = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "capy_sockets", sizeof queue, sizeof xsk_fd,
                               QUEUE_CNT, NULL);
    if (r->map_fd < 0)
        return CAPY_E_SYS;
    if (bpf_map_update_elem(r->map_fd, &queue, &xsk_fd, BPF_ANY) < 0)
        return CAPY_E_SYS;
    r->prog_fd = load_program(r->map_fd);
    return r->prog_fd < 0 ? CAPY_E_SYS : CAPY_OK;
}

static int attach_mode(const struct capy_redirect *r, unsigned ifindex, unsigned flags)
{
    struct bpf_link_create_opts opts = {.sz = sizeof opts, .flags = flags};
    return bpf_link_create(r->prog_fd, (int)ifindex, BPF_XDP, &opts);
}

int capy_redirect_attach(struct capy_redirect *r, unsigned ifindex, bool generic_too)
{
    r->generic = false;
    r->link_fd = attach_mode(r, ifindex, XDP_FLAGS_DRV_MODE);
    /* EBUSY is another program's, and would be so in generic mode too. */
    if (r->link_fd < 0 && generic_too && errno != EBUSY && errno != EPERM) {
        r->link_fd = attach_mode(r, ifindex, XDP_FLAGS_SKB_MODE);
        r->generic = r->link_fd >= 0;
    }
    return r->link_fd < 0 ? CAPY_E_SYS : CAPY_OK;
}

static bool is_link_of(uint32_t link_id, uint32_t prog_id)
{
    struct bpf_link_info info = {0};
    uint32_t len = sizeof info;
    int fd = bpf_link_get_fd_by_id(link_id);
    bool is = fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
              info.type == BPF_LINK_TYPE_XDP && info.prog_id == prog_id;
    if (fd >= 0)
        close(fd);
    return is;
}

bool capy_redirect_is_held(unsigned ifindex)
{
    struct bpf_xdp_query_opts on = {.sz = sizeof on};
    if (bpf_xdp_query((int)ifindex, 0, &on) != 0 || on.prog_id == 0)
        return false;
    uint32_t id = 0;
    while (bpf_link_get_next_id(id, &id) == 0)
        if (is_link_of(id, on.prog_id))
            return true;
    return errno != ENOENT;
}

void capy_redirect_close(struct capy_redirect *r)
{
    int *fds[] = {&r->link_fd, &r->prog_fd, &r->map_fd};
    for (unsigned i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}
