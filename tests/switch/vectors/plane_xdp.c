/* The XDP plane: the BPF program, fed by BPF_PROG_TEST_RUN. Loading it takes the verifier a while, so a
 * program is kept for as long as vectors ask for the same configuration, its memory cleared. */
#include "plane.h"
#include "switch/xdp/xdp.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT_MAX 24u

static struct kept {
    struct capy_switch_cfg cfg;
    struct capy_xdp *xdp;
} kept[KEPT_MAX];
static unsigned kept_cnt, kept_next;

static char why_not[256];

static struct kept *find(const struct capy_switch_cfg *cfg)
{
    for (unsigned i = 0; i < kept_cnt; i++)
        if (memcmp(&kept[i].cfg, cfg, sizeof *cfg) == 0)
            return &kept[i];
    return NULL;
}

static struct kept *load(const struct capy_switch_cfg *cfg, uint64_t now)
{
    const struct capy_xdp_options options = {.device = NULL};
    struct capy_switch_cfg own = *cfg;
    bool taken_over;
    struct capy_xdp *xdp = capy_xdp_open(&own, &options, now, &taken_over, why_not, sizeof why_not);
    if (!xdp)
        return NULL;
    struct kept *k = &kept[kept_next++ % KEPT_MAX];
    if (kept_cnt == KEPT_MAX)
        capy_xdp_close(k->xdp);
    else
        kept_cnt++;
    *k = (struct kept){.cfg = *cfg, .xdp = xdp};
    return k;
}

static void *xdp_open(const struct capy_switch_cfg *cfg, uint64_t now, const char **why)
{
    if (!capy_xdp_is_built() || geteuid() != 0) {
        *why = capy_xdp_is_built() ? "needs root, to load a BPF program" : "built without it";
        return NULL;
    }
    struct kept *k = find(cfg);
    if (!k)
        k = load(cfg, now);
    if (!k) { /* that is no reason to be left out */
        printf("%s\n", why_not);
        exit(1);
    }
    capy_xdp_reset(k->xdp, now);
    return k->xdp;
}

static void xdp_close(void *self)
{
    (void)self; /* kept */
}

static void xdp_input(void *self, uint16_t port, uint8_t *frame, size_t len, uint64_t now,
                      struct plane_out *out)
{
    static struct capy_switch_out sent;
    capy_xdp_input(self, port, frame, len, now, &sent);
    out->cnt = sent.cnt;
    for (unsigned i = 0; i < sent.cnt; i++) {
        out->frame[i].port = sent.frame[i].port;
        out->frame[i].len = sent.frame[i].len;
        memcpy(out->frame[i].data, sent.frame[i].data, sent.frame[i].len);
    }
}

static void xdp_expire(void *self, uint64_t now)
{
    capy_xdp_expire_all(self, now);
}

static bool xdp_directory(void *self, uint32_t *cursor, struct capy_switch_entry_info *out)
{
    return capy_switch_next_entry(capy_xdp_plane(self), cursor, out);
}

static const char *xdp_counter(void *self, unsigned i, uint64_t *value)
{
    if (i == 0)
        capy_xdp_count(self);
    return capy_switch_counter(capy_xdp_plane(self), i, value);
}

const struct plane plane_xdp = {
    .name = "xdp",
    .len_min = 14, /* an Ethernet header; no device delivers less */
    .open = xdp_open,
    .close = xdp_close,
    .input = xdp_input,
    .expire = xdp_expire,
    .directory = xdp_directory,
    .counter = xdp_counter,
};
