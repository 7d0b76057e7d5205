/* The loader of the XDP plane: the switch as a BPF program (plane.bpf.c), which the kernel runs on the
 * devices' frames, and the little that user space does for it: setting up, ageing, answers that need a
 * host's parser, and the view for tools. One thread.
 *
 * The maps that hold what the switch knows (entries, stations, leases, counters, locks) and the links to
 * the devices are pinned below pin_dir, so both outlive this process: frames are forwarded while no
 * loader runs, and the next one takes the maps over and puts its own program into the links, each at
 * one instant. Where the layout or the rack differs it begins anew, as after a reboot. */
#ifndef CAPY_XDP_H
#define CAPY_XDP_H

#include "switch/core/plane.h"

enum capy_xdp_mode { CAPY_XDP_AUTO, CAPY_XDP_NATIVE, CAPY_XDP_GENERIC };

struct capy_xdp_options {
    const char *const *device; /* by port; NULL for a test, whose frames come by capy_xdp_input */
    const char *pin_dir;       /* NULL: nothing is pinned, all ends with the process */
};

struct capy_xdp;

bool capy_xdp_is_built(void); /* false: without clang or bpftool; then nothing here works */

/* Loads the program. Takes the memory below pin_dir over if it fits: then *cfg gets its boot_id and
 * hash_key, and *kept is true. NULL with one line in err: no privilege, an old kernel, or built without
 * clang and bpftool. */
struct capy_xdp *capy_xdp_open(struct capy_switch_cfg *cfg, const struct capy_xdp_options *opt,
                               uint64_t now, bool *kept, char *err, size_t err_len);

/* From here on the devices' frames are the program's. AUTO: native if every device can,
 * else generic on all. CAPY_OK, or CAPY_E_SYS with one line in err. */
int capy_xdp_attach(struct capy_xdp *x, enum capy_xdp_mode mode, char *err, size_t err_len);
bool capy_xdp_is_generic(const struct capy_xdp *x);

/* What plane.h asks for people and tools may be asked of this; counters as of capy_xdp_count. */
struct capy_switch *capy_xdp_plane(struct capy_xdp *x);
void capy_xdp_count(struct capy_xdp *x);

/* Ages a piece of the directory. When to call next. */
uint64_t capy_xdp_expire(struct capy_xdp *x, uint64_t now);

/* Readable when frames wait for an answer, which capy_xdp_answer gives. */
int capy_xdp_fd(const struct capy_xdp *x);
void capy_xdp_answer(struct capy_xdp *x, uint64_t now);

/* What is pinned goes on: removing the names below pin_dir ends it. */
void capy_xdp_close(struct capy_xdp *x);

/* For tests: what capy_switch_input and capy_switch_expire are, by BPF_PROG_TEST_RUN. len: 14 and more.
 * Ages the directory whole. */
void capy_xdp_input(struct capy_xdp *x, uint16_t port, uint8_t *frame, size_t len, uint64_t now,
                    struct capy_switch_out *out);
void capy_xdp_expire_all(struct capy_xdp *x, uint64_t now);
/* Forgets everything, as a reboot does; under the same boot id. */
void capy_xdp_reset(struct capy_xdp *x, uint64_t now);

/* For benches: the program as devices have it, fed by capy_xdp_input, of whose answer nothing is true then,
 * or by the caller's own BPF_PROG_TEST_RUN. Open it with "lo" for each device, and do not attach it.
 * Frames come from this port until the next call. CAPY_OK or CAPY_E_SYS. */
int capy_xdp_pose(struct capy_xdp *x, uint16_t port);
int capy_xdp_program(const struct capy_xdp *x); /* its descriptor, lent */
/* Bytes of all its maps, in the kernel. */
uint64_t capy_xdp_memory(const struct capy_xdp *x);

#endif
