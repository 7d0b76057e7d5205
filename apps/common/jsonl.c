/* One JSON object per line over a Unix stream socket. See jsonl.h. */
#include "apps/common/jsonl.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

int capy_jsonl_connect(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof addr.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(addr.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0) {
        int err = errno;
        close(fd);
        errno = err;
        return -1;
    }
    return fd;
}

int capy_jsonl_write(int fd, const json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);
    if (!text) {
        errno = ENOMEM;
        return -1;
    }
    size_t len = strlen(text);
    text[len] = '\n'; /* where the terminator was: a line, not a string, from here on */
    int result = 0;
    for (size_t at = 0; at <= len;) {
        ssize_t n = send(fd, text + at, len + 1 - at, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            result = -1;
            break;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    free(text);
    return result;
}

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Looks at what has come (MSG_PEEK) and takes it only up to the end of the line, so that the next
 * line, and a descriptor that travels with it, stay in the socket. -1, or bytes taken. */
static ssize_t take(int fd, char *to, size_t room, int *pass)
{
    ssize_t seen = recv(fd, to, room, MSG_PEEK);
    if (seen <= 0) {
        errno = seen == 0 ? EPIPE : errno;
        return -1;
    }
    const char *end = memchr(to, '\n', (size_t)seen);
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = to, .iov_len = end ? (size_t)(end - to) + 1 : (size_t)seen};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (pass) {
        msg.msg_control = control.room;
        msg.msg_controllen = sizeof control;
    }
    ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = n > 0 && pass ? CMSG_FIRSTHDR(&msg) : NULL;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
        memcpy(pass, CMSG_DATA(c), sizeof *pass);
    }
    return n;
}

/* Waits until fd has bytes. 0, or -1 with errno. */
static int await(int fd, int64_t until_ms)
{
    for (;;) {
        int64_t left = until_ms - now_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n = poll(&p, 1, left > 0 ? (int)left : 0);
        if (n > 0) {
            return 0;
        }
        if (n == 0) {
            errno = ETIMEDOUT;
            return -1;
        }
        if (errno != EINTR) {
            return -1;
        }
    }
}

json_t *capy_jsonl_read(int fd, int timeout_ms, int *pass)
{
    int64_t until = now_ms() + timeout_ms;
    size_t len = 0, room = 4096;
    char *line = malloc(room);
    json_t *object = NULL;
    if (pass) {
        *pass = -1;
    }
    while (line) {
        if (await(fd, until) < 0) {
            break;
        }
        ssize_t n = take(fd, line + len, room - len, pass);
        if (n < 0) {
            break;
        }
        len += (size_t)n;
        if (line[len - 1] == '\n') {
            object = json_loadb(line, len, 0, NULL);
            errno = object ? 0 : EBADMSG;
            break;
        }
        if (len == room) {
            char *more = realloc(line, room *= 2);
            if (!more) {
                break;
            }
            line = more;
        }
    }
    int err = errno;
    free(line);
    if (!object && pass && *pass >= 0) {
        close(*pass);
        *pass = -1;
    }
    errno = err;
    return object;
}

json_t *capy_jsonl_ask(const char *path, json_t *question, int timeout_ms)
{
    json_t *answer = NULL;
    int fd = capy_jsonl_connect(path);
    if (fd >= 0) {
        if (capy_jsonl_write(fd, question) == 0) {
            answer = capy_jsonl_read(fd, timeout_ms, NULL);
        }
        int err = errno;
        close(fd);
        errno = err;
    }
    json_decref(question);
    return answer;
}
