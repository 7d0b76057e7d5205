/* The plane in the kernel, where it was not built. */
#include "plane.h"

#include <stdio.h>

static bool open_plane(struct plane *p, char *err, size_t err_len)
{
    (void)p;
    snprintf(err, err_len, "built without the XDP plane; install clang and bpftool");
    return false;
}

const struct plane_kind plane_xdp = {.name = "xdp", .open = open_plane};
