/* The XDP plane, where it was not built: says what to install. */
#include "switch/xdp/xdp.h"

#include "capy/error.h"

#include <stdio.h>

bool capy_xdp_is_built(void)
{
    return false;
}

static int refuse(char *err, size_t err_len)
{
    snprintf(err, err_len,
             "built without the XDP plane; install clang and bpftool, build anew "
             "(make clean release), or use --plane user");
    return CAPY_E_CONFIG;
}

struct capy_xdp *capy_xdp_open(struct capy_switch_cfg *cfg, const struct capy_xdp_options *opt,
                               uint64_t now, bool *kept, char *err, size_t err_len)
{
    (void)cfg, (void)opt, (void)now, (void)kept;
    refuse(err, err_len);
    return NULL;
}

int capy_xdp_attach(struct capy_xdp *x, enum capy_xdp_mode mode, char *err, size_t err_len)
{
    (void)x, (void)mode;
    return refuse(err, err_len);
}

bool capy_xdp_is_generic(const struct capy_xdp *x)
{
    (void)x;
    return false;
}

struct capy_switch *capy_xdp_plane(struct capy_xdp *x)
{
    (void)x;
    return NULL;
}

void capy_xdp_count(struct capy_xdp *x)
{
    (void)x;
}

uint64_t capy_xdp_expire(struct capy_xdp *x, uint64_t now)
{
    (void)x, (void)now;
    return UINT64_MAX;
}

int capy_xdp_fd(const struct capy_xdp *x)
{
    (void)x;
    return -1;
}

void capy_xdp_answer(struct capy_xdp *x, uint64_t now)
{
    (void)x, (void)now;
}

void capy_xdp_close(struct capy_xdp *x)
{
    (void)x;
}

void capy_xdp_input(struct capy_xdp *x, uint16_t port, uint8_t *frame, size_t len, uint64_t now,
                    struct capy_switch_out *out)
{
    (void)x, (void)port, (void)frame, (void)len, (void)now;
    out->cnt = 0;
}

void capy_xdp_expire_all(struct capy_xdp *x, uint64_t now)
{
    (void)x, (void)now;
}

void capy_xdp_reset(struct capy_xdp *x, uint64_t now)
{
    (void)x, (void)now;
}

int capy_xdp_pose(struct capy_xdp *x, uint16_t port)
{
    (void)x, (void)port;
    return CAPY_E_CONFIG;
}

int capy_xdp_program(const struct capy_xdp *x)
{
    (void)x;
    return -1;
}

uint64_t capy_xdp_memory(const struct capy_xdp *x)
{
    (void)x;
    return 0;
}
