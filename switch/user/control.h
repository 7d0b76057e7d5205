/* The control socket: a few clients at a time, one request line in, one answer line out. Never
 * blocks; a client that does not read its answer only loses itself. Requests are handed to
 * program_answer. */
#ifndef CAPY_SWITCH_CONTROL_H
#define CAPY_SWITCH_CONTROL_H

#include <poll.h>
#include <stddef.h>

#define CONTROL_CLIENT_MAX 8u
#define CONTROL_LINE_MAX 4096u
#define CONTROL_POLL_MAX (1u + CONTROL_CLIENT_MAX)

struct program;

struct control_client {
    int fd; /* -1: free */
    size_t in_len;
    char in[CONTROL_LINE_MAX];
    char *out; /* malloc'd answer still going out; no further request is read meanwhile */
    size_t out_len, out_sent;
};

struct control {
    int listen_fd;  /* -1: not open */
    char path[272]; /* ours to unlink while listen_fd >= 0 */
    struct control_client client[CONTROL_CLIENT_MAX];
};

void control_init(struct control *c);
/* Listens on <run_dir>/<name>.sock, making run_dir. CAPY_OK, CAPY_E_INUSE when somebody answers
 * there, or CAPY_E_SYS; one line in err. A socket that nobody answers on is replaced. */
int control_open(struct control *c, const char *run_dir, const char *name, char *err,
                 size_t err_len);
/* Fills fds for poll; how many. */
unsigned control_poll(const struct control *c, struct pollfd fds[CONTROL_POLL_MAX]);
/* Serves what is ready; not blocking. */
void control_serve(struct program *p);
void control_close(struct control *c);

#endif
