/* A plane: one implementation of the switch contract, behind the one interface that the vectors
 * drive. A plane that cannot run here says why: open returns NULL and *why tells.
 *
 * A plane forwards; what it sends is collected in struct plane_out, a frame per egress port, a flood
 * either as one frame to PLANE_FLOOD or as one per port. now counts in ns from whatever it likes. */
#ifndef CAPY_TESTS_VECTORS_PLANE_H
#define CAPY_TESTS_VECTORS_PLANE_H

#include "switch/core/plane.h"

#define PLANE_FLOOD CAPY_PORT_FLOOD
#define PLANE_OUT_MAX 8u

struct plane_out {
    unsigned cnt;
    struct {
        uint16_t port;
        size_t len;
        uint8_t data[CAPY_FRAME_MAX];
    } frame[PLANE_OUT_MAX];
};

struct plane {
    const char *name;
    size_t
        len_min; /* of a frame that can be fed; a vector with a shorter one is left out by name */
    void *(*open)(const struct capy_switch_cfg *cfg, uint64_t now, const char **why);
    void (*close)(void *self);
    /* frame: len bytes, which the plane may overwrite; len up to CAPY_FRAME_MAX, or too long. */
    void (*input)(void *self, uint16_t port, uint8_t *frame, size_t len, uint64_t now,
                  struct plane_out *out);
    /* Ages the whole directory at once. */
    void (*expire)(void *self, uint64_t now);
    /* Entries one by one, from *cursor == 0 on. */
    bool (*directory)(void *self, uint32_t *cursor, struct capy_switch_entry_info *out);
    /* Counter i, NULL past the end. */
    const char *(*counter)(void *self, unsigned i, uint64_t *value);
};

extern const struct plane plane_user; /* switch/core, called directly */
extern const struct plane plane_xdp;  /* switch/xdp, by BPF_PROG_TEST_RUN */
extern const struct plane plane_bmv2; /* switch/p4, on bmv2's simple_switch */

#endif
