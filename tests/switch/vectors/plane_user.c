/* The user-space plane: switch/core by direct call. */
#include "plane.h"
#include <stdlib.h>
#include <string.h>

static void *user_open(const struct capy_switch_cfg *cfg, uint64_t now, const char **why)
{
    size_t size = capy_switch_size(cfg);
    if (size == 0) {
        *why = "the configuration is out of range";
        return NULL;
    }
    void *mem = aligned_alloc(64, (size + 63u) & ~(size_t)63u);
    if (!mem) {
        *why = "no memory";
        return NULL;
    }
    return capy_switch_init(mem, cfg, now);
}

static void user_input(void *self, uint16_t port, uint8_t *frame, size_t len, uint64_t now,
                       struct plane_out *out)
{
    static struct capy_switch_out sent;
    capy_switch_input(self, port, frame, len, now, &sent);
    out->cnt = sent.cnt;
    for (unsigned i = 0; i < sent.cnt; i++) {
        out->frame[i].port = sent.frame[i].port;
        out->frame[i].len = sent.frame[i].len;
        memcpy(out->frame[i].data, sent.frame[i].data, sent.frame[i].len);
    }
}

/* A call ages 1/64 of the directory or 64 slots, whichever is more; and it stops when empty. */
static void user_expire(void *self, uint64_t now)
{
    for (int i = 0; i < 65; i++)
        (void)capy_switch_expire(self, now);
}

static bool user_directory(void *self, uint32_t *cursor, struct capy_switch_entry_info *out)
{
    return capy_switch_next_entry(self, cursor, out);
}

static const char *user_counter(void *self, unsigned i, uint64_t *value)
{
    return capy_switch_counter(self, i, value);
}

const struct plane plane_user = {
    .name = "user",
    .open = user_open,
    .close = free,
    .input = user_input,
    .expire = user_expire,
    .directory = user_directory,
    .counter = user_counter,
};
