/* Frames by the thousand, through ordinary UDP sockets: how many a switch lets through.
 *
 *   bench-frames receive PORT SECONDS            counts datagrams; prints one JSON object
 *   bench-frames send IP PORT SECONDS BYTES      as fast as they go, 64 per call; BYTES: of payload
 *
 * The receiver counts from the first datagram on. */
#define _GNU_SOURCE /* recvmmsg */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BURST = 64, BYTES_MAX = 1472 };

static uint8_t bytes[BURST][BYTES_MAX];
static struct iovec piece[BURST];
static struct mmsghdr message[BURST];

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "bench-frames: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void lay_out(size_t len)
{
    for (unsigned i = 0; i < BURST; i++) {
        piece[i] = (struct iovec){bytes[i], len};
        message[i].msg_hdr = (struct msghdr){.msg_iov = &piece[i], .msg_iovlen = 1};
    }
}

static int receive(uint16_t port, double seconds)
{
    const struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    const struct timeval patience = {.tv_usec = 100000};
    const int room = 4 << 20;
    uint64_t cnt = 0;
    double start = 0, last = 0;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || bind(fd, (const void *)&at, sizeof at) < 0)
        die("bind");
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    puts("ready");
    fflush(stdout);
    lay_out(BYTES_MAX);
    for (double end = now_s() + seconds + 5; now_s() < end;) {
        int n = recvmmsg(fd, message, BURST, MSG_WAITFORONE, NULL);
        double now = now_s();
        if (n > 0 && start == 0) {
            start = now;
            end = now + seconds;
        }
        cnt += n > 0 ? (uint64_t)n : 0;
        last = n > 0 ? now : last;
    }
    printf("{\"frames\": %" PRIu64 ", \"seconds\": %.6f}\n", cnt, last - start);
    return cnt > 0 ? 0 : 1;
}

static int send_all(const char *ip, uint16_t port, double seconds, size_t len)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    uint64_t cnt = 0;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || inet_pton(AF_INET, ip, &to.sin_addr) != 1 ||
        connect(fd, (const void *)&to, sizeof to) < 0)
        die(ip);
    lay_out(len);
    double start = now_s();
    while (now_s() < start + seconds) {
        int n = sendmmsg(fd, message, BURST, 0);
        if (n < 0 && errno != ENOBUFS && errno != ECONNREFUSED)
            die("send");
        cnt += n > 0 ? (uint64_t)n : 0;
    }
    printf("{\"frames\": %" PRIu64 ", \"seconds\": %.6f}\n", cnt, now_s() - start);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "receive") == 0)
        return receive((uint16_t)atoi(argv[2]), atof(argv[3]));
    if (argc == 6 && strcmp(argv[1], "send") == 0 && atoi(argv[5]) >= 1 &&
        atoi(argv[5]) <= BYTES_MAX)
        return send_all(argv[2], (uint16_t)atoi(argv[3]), atof(argv[4]), (size_t)atoi(argv[5]));
    fputs("usage: bench-frames receive PORT SECONDS | send IP PORT SECONDS BYTES\n", stderr);
    return 2;
}
