/* The control socket of a server, <run_dir>/<server>.sock: one JSON object per line in, one per
 * line out (docs/operating.md lists the words). Served by the run loop between bursts; nonblocking,
 * a bounded number of clients with bounded lines, one request of a client at a time. */
#ifndef CAPY_SOCK_CONTROL_H
#define CAPY_SOCK_CONTROL_H

#include "capy/capy.h"
#include <jansson.h>
#include <poll.h>

#define CAPY_CONTROL_CLIENT_MAX 8u
#define CAPY_CONTROL_FD_MAX (1u + CAPY_CONTROL_CLIENT_MAX)

struct capy_control;

/* False, with one line in err, when a program answers at the server's socket already. */
bool capy_control_is_free(const struct capy_rack *rack, int self, char *err, size_t err_len);
/* Listens; sets os->control. CAPY_OK, or a negative code and one line in err. */
int capy_control_open(struct capy *os, char *err, size_t err_len);
void capy_control_close(struct capy *os);

/* What to poll for; how many, at most CAPY_CONTROL_FD_MAX. control NULL: 0. */
unsigned capy_control_fds(const struct capy_control *control, struct pollfd *fds);
/* Serves what is ready of the same descriptors. */
void capy_control_serve(struct capy *os, const struct pollfd *fds, unsigned cnt);

/* command.c: the answer to one request; a new reference, never NULL but out of memory. */
json_t *capy_command(struct capy *os, const json_t *request);

#endif
