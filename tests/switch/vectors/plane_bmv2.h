/* Parts of the bmv2 plane: the devices to simple_switch, and the helper that speaks with it. Both end the
 * program, and say why, when the other side does not answer: nothing can be judged then. */
#ifndef CAPY_TESTS_VECTORS_PLANE_BMV2_H
#define CAPY_TESTS_VECTORS_PLANE_BMV2_H

#include "places.h"
#include "plane.h"
#include "switch/core/counters.h"
#include <stdio.h>

#define BMV2_CONTROL_PORT 64u /* switch/p4/numbers.p4 */

/* A veth pair per port of the vectors' world, and one for the control port; the near end's socket. */
struct bmv2_ports {
    int fd[PORTS + 1];
    uint16_t fed; /* which got the last frame */
};

void bmv2_ports_open(struct bmv2_ports *p);
/* A frame at a time, in microseconds. */
void bmv2_ports_send(struct bmv2_ports *p, uint16_t port, uint64_t now_us, const uint8_t *frame,
                     size_t len);
/* All that the frames sent to the last port make, once the switch has answered a mark on every port. */
void bmv2_ports_collect(struct bmv2_ports *p, struct plane_out *out);

struct bmv2_helper {
    FILE *to, *from;
    char *line;
    size_t room;
};

/* simple_switch on the devices, and the helper. */
void bmv2_helper_start(struct bmv2_helper *h, const struct bmv2_ports *ports);
void bmv2_say(struct bmv2_helper *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
void bmv2_say_bytes(struct bmv2_helper *h, const uint8_t *p, size_t len); /* as one number */
const char *bmv2_hear(struct bmv2_helper *h); /* a line, until the next one */
bool bmv2_read_hex(const char *text, uint8_t *out, size_t len);

#endif
