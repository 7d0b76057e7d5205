/* Settings that the stack keeps per connection (capy/option.h), under the names that sockets have for
 * them. A socket holds what its connection or listener begins with; once it has one of these, both
 * are set. */
#include "drive/drive.h"

#include <errno.h>

#define BUFFER_MIN 2048 /* bytes; less is taken for it, as Linux does */

/* How a socket option's number becomes the stack's. */
enum unit { FLAG, FLAG_INVERTED, COUNT, BYTES, MILLISECONDS, SECONDS, RATE };

static const struct setting {
    int level, name;
    enum capy_option option;
    enum unit unit;
} settings[] = {
    {SOL_SOCKET, SO_KEEPALIVE, CAPY_OPTION_KEEPALIVE, FLAG},
    {SOL_SOCKET, SO_RCVBUF, CAPY_OPTION_RECEIVE_BUFFER, BYTES},
    {SOL_SOCKET, SO_SNDBUF, CAPY_OPTION_SEND_BUFFER, BYTES},
    {SOL_SOCKET, SO_MAX_PACING_RATE, CAPY_OPTION_MAX_PACING_RATE, RATE},
    {IPPROTO_TCP, TCP_NODELAY, CAPY_OPTION_NAGLE, FLAG_INVERTED},
    {IPPROTO_TCP, TCP_CORK, CAPY_OPTION_CORK, FLAG},
    {IPPROTO_TCP, TCP_MAXSEG, CAPY_OPTION_MAX_SEGMENT, COUNT},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, CAPY_OPTION_USER_TIMEOUT_NS, MILLISECONDS},
    {IPPROTO_TCP, TCP_KEEPIDLE, CAPY_OPTION_KEEP_IDLE_NS, SECONDS},
    {IPPROTO_TCP, TCP_KEEPINTVL, CAPY_OPTION_KEEP_INTERVAL_NS, SECONDS},
    {IPPROTO_TCP, TCP_KEEPCNT, CAPY_OPTION_KEEP_COUNT, COUNT},
};

static const struct setting *setting_of(int level, int name)
{
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (settings[i].level == level && settings[i].name == name)
            return &settings[i];
    return NULL;
}

/* ---- one value, on the socket and on what it has ---- */

static int set_value(struct drive *d, struct drive_sock *s, enum capy_option option, uint64_t value)
{
    int rc = CAPY_OK;
    bool connected = s->state == SOCK_CONNECTING || s->state == SOCK_CONNECTED;
    if (connected)
        rc = capy_stack_set(d->stack, s->conn, option, value, drive_stack_now(d));
    else if (s->state == SOCK_LISTENING)
        rc = capy_stack_listener_set(d->stack, s->port, option, value);
    /* A segment size above what was agreed on changes nothing, and is no error in Linux. */
    if (rc == CAPY_E_INVAL && option == CAPY_OPTION_MAX_SEGMENT && connected)
        rc = CAPY_OK;
    if (rc == CAPY_OK)
        rc = capy_tcp_tuning_set(&s->tuning, &d->cfg.tcp, option, value);
    drive_settle(d);
    return rc == CAPY_OK ? 0 : drive_fail(EINVAL);
}

static uint64_t get_value(struct drive *d, const struct drive_sock *s, enum capy_option option)
{
    uint64_t value;
    if (capy_stack_get(d->stack, s->conn, option, &value) == CAPY_OK)
        return value;
    return capy_tcp_tuning_get(&s->tuning, option);
}

void drive_settings_apply(struct drive *d, const struct drive_sock *s)
{
    for (unsigned i = 0; i < CAPY_OPTION_CNT; i++) {
        enum capy_option option = (enum capy_option)i;
        uint64_t value = capy_tcp_tuning_get(&s->tuning, option);
        int rc = s->state == SOCK_LISTENING
                     ? capy_stack_listener_set(d->stack, s->port, option, value)
                     : capy_stack_set(d->stack, s->conn, option, value, drive_stack_now(d));
        CAPY_ASSERT(rc == CAPY_OK); /* the socket took it before */
    }
}

/* ---- by the names of sockets ---- */

bool drive_setting_known(int level, int name)
{
    return setting_of(level, name) != NULL;
}

int drive_setting_set(struct drive *d, struct drive_sock *s, int level, int name, int value)
{
    const struct setting *setting = setting_of(level, name);
    CAPY_ASSERT(setting);
    uint64_t n = (uint64_t)(value < 0 ? 0 : value), most;
    switch (setting->unit) {
    case FLAG:
        n = value != 0;
        break;
    case FLAG_INVERTED:
        n = value == 0;
        break;
    case BYTES:
        most = name == SO_RCVBUF ? d->cfg.tcp.rcv_buf_max : d->cfg.tcp.snd_buf_max;
        n = capy_min64(capy_max64(n, BUFFER_MIN), most);
        break;
    case MILLISECONDS:
        n = CAPY_MS(n);
        break;
    case SECONDS:
        n = CAPY_SEC(n);
        break;
    case RATE: /* no limit, which Linux writes as ~0, is no pacing */
        n = value == -1 ? 0 : (uint32_t)value;
        break;
    case COUNT:
        break;
    }
    bool negative = value < 0 && (setting->unit == COUNT || setting->unit == MILLISECONDS);
    return negative ? drive_fail(EINVAL) : set_value(d, s, setting->option, n);
}

bool drive_setting_get(struct drive *d, const struct drive_sock *s, int level, int name, int *value)
{
    const struct setting *setting = setting_of(level, name);
    if (!setting)
        return false;
    uint64_t n = get_value(d, s, setting->option);
    switch (setting->unit) {
    case FLAG_INVERTED:
        n = n == 0;
        break;
    case MILLISECONDS:
        n /= CAPY_MS(1);
        break;
    case SECONDS:
        n /= CAPY_SEC(1);
        break;
    case RATE:
        n = n == 0 ? UINT32_MAX : n;
        break;
    case FLAG:
    case COUNT:
    case BYTES:
        break;
    }
    *value = (int)n;
    return true;
}

/* ---- congestion control, by its name ---- */

int drive_congestion(const char *name)
{
    if (strcmp(name, "reno") == 0) /* as Linux calls it */
        return CAPY_TCP_NEWRENO;
    return capy_tcp_congestion_by_name(name);
}

const char *drive_congestion_get(struct drive *d, const struct drive_sock *s)
{
    return capy_tcp_congestion_name(
        (enum capy_tcp_congestion)get_value(d, s, CAPY_OPTION_CONGESTION));
}

int drive_congestion_set(struct drive *d, struct drive_sock *s, const char *name)
{
    int algorithm = drive_congestion(name);
    if (algorithm < 0)
        return drive_fail(ENOENT);
    return set_value(d, s, CAPY_OPTION_CONGESTION, (uint64_t)algorithm);
}
