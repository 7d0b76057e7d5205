/* Processes beside the vectors: simple_switch, and the helper that speaks with it; contract in
 * plane_bmv2.h. They end with this process. */
#define _GNU_SOURCE
#include "plane_bmv2.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static void give_up(const char *what)
{
    printf("bmv2: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void become(char *const argv[])
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(argv[0], argv);
    _exit(127);
}

static void start_switch(void)
{
    static char port[PORTS + 1][32];
    char *argv[2 * (PORTS + 1) + 8] = {"simple_switch"};
    unsigned at = 1;
    for (unsigned i = 0; i <= PORTS; i++) {
        snprintf(port[i], sizeof port[i], "%u@far%u", i < PORTS ? i : BMV2_CONTROL_PORT, i);
        argv[at++] = "-i";
        argv[at++] = port[i];
    }
    argv[at++] = "--thrift-port";
    argv[at++] = "9090";
    argv[at] = CAPY_P4_JSON;
    pid_t pid = fork();
    if (pid < 0)
        give_up("fork");
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1);
        dup2(null, 2);
        become(argv);
    }
}

void bmv2_helper_start(struct bmv2_helper *h, const struct bmv2_ports *ports)
{
    int to[2], from[2];
    (void)ports;
    start_switch();
    if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
        give_up("pipe");
    pid_t pid = fork();
    if (pid < 0)
        give_up("fork");
    if (pid == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        become((char *[]){"python3", CAPY_BMV2_HELPER, NULL});
    }
    close(to[0]);
    close(from[1]);
    *h = (struct bmv2_helper){.to = fdopen(to[1], "w"), .from = fdopen(from[0], "r")};
    const char *answer = bmv2_hear(h);
    if (strcmp(answer, "ready") != 0) {
        printf("bmv2: %s\n", answer);
        exit(1);
    }
}

void bmv2_say(struct bmv2_helper *h, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(h->to, format, args);
    va_end(args);
    fflush(h->to);
}

void bmv2_say_bytes(struct bmv2_helper *h, const uint8_t *p, size_t len)
{
    bmv2_say(h, "0x");
    for (size_t i = 0; i < len; i++)
        bmv2_say(h, "%02x", p[i]);
}

const char *bmv2_hear(struct bmv2_helper *h)
{
    ssize_t len = getline(&h->line, &h->room, h->from);
    if (len <= 0)
        give_up("the helper ended; its words are above");
    h->line[strcspn(h->line, "\n")] = 0;
    return h->line;
}

bool bmv2_read_hex(const char *text, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (sscanf(text + 2 * i, "%2hhx", &out[i]) != 1)
            return false;
    return true;
}
