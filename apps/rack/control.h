/* The supervisor's control socket, <dir>/rack.sock: one JSON object per line each way.
 *   {"cmd":"status"}                     who runs where
 *   {"cmd":"start|stop|kill|restart","name":"s1"}   answered when done
 *   {"cmd":"enter","name":"c1"}          the namespace's descriptor comes with the answer
 * An answer has "ok"; when false, "error" says why in one line. */
#ifndef CAPY_APPS_RACK_CONTROL_H
#define CAPY_APPS_RACK_CONTROL_H

#include "apps/rack/supervisor.h"
#include <poll.h>

#define RACK_CONTROL_MAX 16u /* callers at once; more wait in the backlog */

struct rack_control {
    struct rack_supervisor *sup;
    int listener;
    unsigned cnt;
    int caller[RACK_CONTROL_MAX];
};

/* 0, or -1 with one line in err. */
int rack_control_open(struct rack_control *c, struct rack_supervisor *sup, char *err,
                      size_t err_len);
/* What to poll for: fills p (room: RACK_CONTROL_MAX + 1), returns how many. */
unsigned rack_control_polls(const struct rack_control *c, struct pollfd *p);
/* Acts on what poll found. */
void rack_control_serve(struct rack_control *c, const struct pollfd *p);
void rack_control_close(struct rack_control *c);

#endif
