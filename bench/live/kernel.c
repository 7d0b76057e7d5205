/* The kernel's side of the live comparison: a web server and a client on ordinary blocking sockets,
 * as plain as can be, with the congestion control that is asked for. What `capy httpd` and `capy get`
 * do over our stack this does over the kernel's.
 *
 *   bench-kernel serve PORT CC                    /synthetic?bytes=N&seed=S, and PUT; IPv4 and IPv6
 *   bench-kernel get|put IP PORT CC BYTES         one transfer
 *   bench-kernel ask IP PORT CC COUNT             64 byte answers, one request outstanding
 *   bench-kernel trace IP PORT CC SECONDS         as ask, each request's time and duration
 *   bench-kernel watch IP PORT CC SECONDS         an endless answer: bytes that came, by intervals
 *
 * CC: cubic, bbr ...; "default" leaves the kernel's. The client prints one JSON object. */
#include "apps/common/pattern.h"
#include "apps/common/series.h"
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sodium/crypto_hash_sha256.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECE 65536u
#define HEAD_MAX 2048u
#define ASKED_BYTES 64u
#define WATCH_S 0.1  /* interval of `watch` */
#define WARM_UP 200u /* first requests, of which no time is taken */

static uint8_t piece[PIECE];

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "bench-kernel: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static double now_s(void)
{
    return (double)now_ns() / 1e9;
}

static void tune(int fd, const char *cc)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (strcmp(cc, "default") != 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, cc, (socklen_t)strlen(cc)) < 0)
        die(cc);
}

static bool send_all(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool send_pattern(int fd, uint64_t seed, uint64_t len)
{
    for (uint64_t at = 0; at < len;) {
        size_t n = len - at < PIECE ? (size_t)(len - at) : PIECE;
        capy_pattern_fill(seed, at, piece, n);
        if (!send_all(fd, piece, n))
            return false;
        at += n;
    }
    return true;
}

/* sha256 NULL: nobody wants to know what came. */
static bool receive_all(int fd, uint64_t len, crypto_hash_sha256_state *sha256)
{
    while (len > 0) {
        ssize_t n = recv(fd, piece, len < PIECE ? (size_t)len : PIECE, 0);
        if (n <= 0)
            return false;
        if (sha256)
            crypto_hash_sha256_update(sha256, piece, (uint64_t)n);
        len -= (uint64_t)n;
    }
    return true;
}

/* Reads up to the blank line; what lies behind it is told in *more, at head + the result. */
static ssize_t receive_head(int fd, char head[HEAD_MAX], size_t *more)
{
    size_t len = 0;
    while (len < HEAD_MAX - 1) {
        ssize_t n = recv(fd, head + len, HEAD_MAX - 1 - len, 0);
        if (n <= 0)
            return -1;
        len += (size_t)n;
        head[len] = 0;
        const char *blank = strstr(head, "\r\n\r\n");
        if (blank) {
            *more = len - (size_t)(blank + 4 - head);
            return blank + 4 - head;
        }
    }
    return -1;
}

static uint64_t number_behind(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* ---- server ---- */

static bool answer_one(int fd)
{
    char head[HEAD_MAX], reply[256];
    size_t more = 0;
    if (receive_head(fd, head, &more) < 0)
        return false;
    bool put = strncmp(head, "PUT", 3) == 0;
    uint64_t length = put ? number_behind(head, "Content-Length: ") : 0;
    uint64_t bytes = put ? 2 : number_behind(head, "bytes=");
    uint64_t seed = number_behind(head, "seed=");
    crypto_hash_sha256_state sha256; /* as httpd's /upload does, so that both pay for it */
    crypto_hash_sha256_init(&sha256);
    if (length < more || !receive_all(fd, length - more, &sha256))
        return false;
    size_t len = (size_t)snprintf(reply, sizeof reply,
                                  "HTTP/1.1 200 OK\r\nX-Capy-Server: kernel\r\n"
                                  "Content-Length: %" PRIu64 "\r\n\r\n",
                                  bytes);
    if (bytes > ASKED_BYTES)
        return send_all(fd, reply, len) && send_pattern(fd, seed, bytes);
    capy_pattern_fill(seed, 0, (uint8_t *)reply + len, (size_t)bytes); /* one segment, as httpd */
    return len + bytes <= sizeof reply && send_all(fd, reply, len + (size_t)bytes);
}

static int serve(const char *port, const char *cc)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
    int one = 1, zero = 0, listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    signal(SIGCHLD, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    tune(listener, cc);
    if (bind(listener, (struct sockaddr *)&any, sizeof any) < 0 || listen(listener, 128) < 0)
        die("listening");
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0 && fork() == 0) {
            tune(fd, cc);
            while (answer_one(fd))
                ;
            _exit(0);
        }
        close(fd);
    }
}

/* ---- client ---- */

static int dial(const char *ip, const char *port, const char *cc)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    struct addrinfo *to;
    if (getaddrinfo(ip, port, &hints, &to) != 0) {
        errno = EINVAL;
        die(ip);
    }
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    tune(fd, cc);
    if (connect(fd, to->ai_addr, to->ai_addrlen) < 0)
        die(ip);
    freeaddrinfo(to);
    return fd;
}

/* One request and its whole answer; put: a body of so many bytes goes along. */
static void request(int fd, const char *ip, bool put, uint64_t bytes, uint64_t seed)
{
    char head[HEAD_MAX], what[128];
    size_t more = 0;
    if (put)
        snprintf(what, sizeof what, "PUT /upload HTTP/1.1\r\nContent-Length: %" PRIu64, bytes);
    else
        snprintf(what, sizeof what,
                 "GET /synthetic?us=0&bytes=%" PRIu64 "&seed=%" PRIu64 " HTTP/1.1", bytes, seed);
    int len = snprintf(head, sizeof head, "%s\r\nHost: %s\r\n\r\n", what, ip);
    if (!send_all(fd, head, (size_t)len) || (put && !send_pattern(fd, 1, bytes)) ||
        receive_head(fd, head, &more) < 0)
        die("no answer");
    uint64_t length = number_behind(head, "Content-Length: ");
    if (strncmp(head, "HTTP/1.1 200", 12) != 0 || length < more ||
        !receive_all(fd, length - more, NULL)) {
        errno = EPROTO;
        die("the answer");
    }
}

static uint32_t retransmits(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
    return info.tcpi_total_retrans;
}

static int transfer(int fd, const char *ip, bool put, uint64_t bytes)
{
    double begun = now_s();
    request(fd, ip, put, bytes, 1);
    double took = now_s() - begun;
    printf("{\"bytes\":%" PRIu64 ",\"seconds\":%.6f,\"bytes_per_second\":%.0f,"
           "\"retransmits\":%u}\n",
           bytes, took, (double)bytes / took, retransmits(fd));
    return 0;
}

static int ask(int fd, const char *ip, uint64_t count)
{
    struct capy_series latency = {0};
    for (uint64_t i = 0; i < WARM_UP + count; i++) {
        double begun = now_s();
        request(fd, ip, false, ASKED_BYTES, i);
        if (i >= WARM_UP)
            capy_series_add(&latency, (uint64_t)((now_s() - begun) * 1e9));
    }
    printf("{\"answers\":%" PRIu64 ",\"latency_us\":{\"p50\":%.1f,\"p99\":%.1f}}\n", count,
           (double)capy_series_quantile(&latency, 500) / 1e3,
           (double)capy_series_quantile(&latency, 990) / 1e3);
    capy_series_free(&latency);
    return 0;
}

/* Times are CLOCK_MONOTONIC's, as those of the servers' samples are. */
static int trace(int fd, const char *ip, uint64_t seconds)
{
    for (unsigned i = 0; i < WARM_UP; i++)
        request(fd, ip, false, ASKED_BYTES, i);
    uint64_t first = now_ns(), begun = first;
    printf("{\"first_ns\":%" PRIu64 ",\"begun_and_took_ns\":[", first);
    for (uint64_t i = 0; begun < first + seconds * UINT64_C(1000000000); i++) {
        begun = now_ns();
        request(fd, ip, false, ASKED_BYTES, i);
        printf("%s%" PRIu64 ",%" PRIu64, i ? "," : "", begun - first, now_ns() - begun);
    }
    printf("],\"retransmits\":%u}\n", retransmits(fd));
    return 0;
}

static int watch(int fd, const char *ip, uint64_t seconds)
{
    char head[HEAD_MAX];
    double begun = now_s(), next = begun + WATCH_S;
    uint64_t bytes = 0;
    int len = snprintf(head, sizeof head,
                       "GET /synthetic?us=0&bytes=%" PRIu64 " HTTP/1.1\r\n"
                       "Host: %s\r\n\r\n",
                       UINT64_C(1) << 39, ip);
    if (!send_all(fd, head, (size_t)len))
        die("no answer");
    printf("{\"begun\":%.6f,\"interval\":%.2f,\"bytes\":[", begun, WATCH_S);
    while (next < begun + (double)seconds) {
        ssize_t n = recv(fd, piece, PIECE, 0);
        if (n <= 0)
            die("the answer");
        bytes += (uint64_t)n;
        for (double now = now_s(); now >= next && next < begun + (double)seconds; next += WATCH_S) {
            printf("%s%" PRIu64, next > begun + 1.5 * WATCH_S ? "," : "", bytes);
            bytes = 0;
        }
    }
    puts("]}");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "serve") == 0)
        return serve(argv[2], argv[3]);
    if (argc != 6) {
        fputs("usage: bench-kernel serve PORT CC\n"
              "       bench-kernel get|put IP PORT CC BYTES\n"
              "       bench-kernel ask IP PORT CC COUNT\n"
              "       bench-kernel trace IP PORT CC SECONDS\n"
              "       bench-kernel watch IP PORT CC SECONDS\n",
              stderr);
        return 2;
    }
    int fd = dial(argv[2], argv[3], argv[4]);
    uint64_t n = strtoull(argv[5], NULL, 10);
    if (strcmp(argv[1], "ask") == 0)
        return ask(fd, argv[2], n);
    if (strcmp(argv[1], "trace") == 0)
        return trace(fd, argv[2], n);
    if (strcmp(argv[1], "watch") == 0)
        return watch(fd, argv[2], n);
    return transfer(fd, argv[2], strcmp(argv[1], "put") == 0, n);
}
