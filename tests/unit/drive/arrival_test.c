/* RFC 9293 §3.10.7: what becomes of a segment, for every state and every kind of segment. One table
 * per state; each of its rows runs on a connection of its own.
 *
 * Where a connection is synchronized, the peer has sent bytes 1..100 and we have, and all of these
 * are acknowledged; 70000 is beyond the window that we offer. Every FIN is at 101. */
#include "script.h"

enum state {
    LISTEN,
    SYN_SENT,
    SYN_RECEIVED,        /* by a listener */
    SYN_RECEIVED_ACTIVE, /* both sides opened at once */
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    CLOSE_WAIT,
    CLOSING,
    LAST_ACK,
    TIME_WAIT,
    GONE, /* CLOSED */
};

struct row {
    const char *kind, *in;
    const char *out;  /* the answer; NULL: none */
    enum state after; /* the state that follows */
    int error;        /* what the application then reads: errno; 0: nothing wrong */
};

/* ---- reaching a state ---- */

static int established(struct tool *t)
{
    int fd = accepted(t, "");
    in(t, ". 1:101 ack 1");
    out(t, ". 1 ack 101");
    get(t, fd, 100);
    put(t, fd, 100);
    out(t, ". 1:101 ack 101");
    in(t, ". 101 ack 101");
    return fd;
}

static void close_ours(struct tool *t, int fd, const char *fin)
{
    assert_int_equal(drive_shutdown(tool_step(t), fd, SHUT_WR), 0);
    out(t, "%s", fin);
}

static void close_theirs(struct tool *t, const char *fin, const char *ack)
{
    in(t, "%s", fin);
    out(t, "%s", ack);
}

/* The socket; of LISTEN and SYN_RECEIVED the listener. */
static int reach(struct tool *t, enum state state)
{
    int fd = -1;
    switch (state) {
    case LISTEN:
    case SYN_RECEIVED:
        fd = listening(t);
        near_wrap(t, SERVICE_PORT);
        if (state == SYN_RECEIVED)
            close_theirs(t, "S 0 <mss 1000>", "S. 0 ack 1");
        break;
    case SYN_SENT:
    case SYN_RECEIVED_ACTIVE:
        fd = connecting(t);
        if (state == SYN_RECEIVED_ACTIVE)
            close_theirs(t, "S 0 <mss 1000>", "S. 0 ack 1");
        break;
    case ESTABLISHED:
        fd = established(t);
        break;
    case FIN_WAIT_1:
    case FIN_WAIT_2:
    case CLOSING:
    case TIME_WAIT:
        fd = established(t);
        close_ours(t, fd, "F. 101 ack 101");
        if (state == FIN_WAIT_2 || state == TIME_WAIT)
            in(t, ". 101 ack 102");
        if (state == CLOSING)
            close_theirs(t, "F. 101 ack 101", ". 102 ack 102");
        if (state == TIME_WAIT)
            close_theirs(t, "F. 101 ack 102", ". 102 ack 102");
        break;
    case CLOSE_WAIT:
    case LAST_ACK:
        fd = established(t);
        close_theirs(t, "F. 101 ack 101", ". 101 ack 102");
        if (state == LAST_ACK)
            close_ours(t, fd, "F. 101 ack 102");
        break;
    case GONE:
        fd = -1;
        t->port = SERVICE_PORT;
        break;
    }
    silent(t);
    return fd;
}

/* ---- judging one ---- */

static int tcp_number(enum state state)
{
    static const int numbers[] = {
        [LISTEN] = TCP_LISTEN,           [SYN_SENT] = TCP_SYN_SENT,
        [SYN_RECEIVED] = TCP_SYN_RECV,   [SYN_RECEIVED_ACTIVE] = TCP_SYN_RECV,
        [ESTABLISHED] = TCP_ESTABLISHED, [FIN_WAIT_1] = TCP_FIN_WAIT1,
        [FIN_WAIT_2] = TCP_FIN_WAIT2,    [CLOSE_WAIT] = TCP_CLOSE_WAIT,
        [CLOSING] = TCP_CLOSING,         [LAST_ACK] = TCP_LAST_ACK,
        [TIME_WAIT] = TCP_TIME_WAIT,     [GONE] = TCP_CLOSE,
    };
    return numbers[state];
}

/* A connection that nobody accepted shows by what it answers to the handshake's last ACK. */
static void check_listener(struct tool *t, int l, enum state after)
{
    if (after == SYN_RECEIVED) {
        in(t, ". 1 ack 1");
        silent(t);
    } else if (after == LISTEN) {
        in(t, ". 1 ack 1");
        out(t, "R 1");
    }
    int fd = drive_accept(tool_step(t), l, NULL, NULL);
    assert_int_equal(fd >= 0, after != LISTEN);
    if (fd >= 0)
        assert_int_equal(state_of(t, fd), tcp_number(after == SYN_RECEIVED ? ESTABLISHED : after));
}

static void judge(struct tool *t, enum state state, const struct row *row)
{
    int fd = reach(t, state);
    in(t, "%s", row->in);
    if (row->out)
        out(t, "%s", row->out);
    silent(t);
    if (state == LISTEN || state == SYN_RECEIVED) {
        check_listener(t, fd, row->after);
    } else if (fd >= 0) {
        assert_int_equal(state_of(t, fd), tcp_number(row->after));
        if (row->error)
            get_error(t, fd, row->error);
        else
            assert_int_equal(option_of(t, fd, SOL_SOCKET, SO_ERROR), 0);
    }
}

static enum state judged_state;
static const struct row *judged_row;

static void judged(struct tool *t)
{
    judge(t, judged_state, judged_row);
}

static void judge_rows(enum state state, const struct row *rows, size_t cnt)
{
    struct drive_options o = script_options();
    for (size_t i = 0; i < cnt; i++) {
        judged_state = state;
        judged_row = &rows[i];
        print_message("    %s: %s\n", rows[i].kind, rows[i].in);
        script_run(judged, &o);
    }
}

#define JUDGE(state, rows) judge_rows(state, rows, sizeof(rows) / sizeof *(rows))

/* ---- §3.10.7.1 ---- */

static void in_closed(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ACK", ". 5 ack 7", "R 7", GONE, 0},
        {"data", ". 5:15 ack 7", "R 7", GONE, 0},
        {"SYN", "S 0", "R. 0 ack 1", GONE, 0},
        {"FIN without ACK", "F 5:15", "R. 0 ack 16", GONE, 0},
        {"no flags", "- 5:15", "R. 0 ack 15", GONE, 0},
        {"RST", "R 5", NULL, GONE, 0},
        {"RST, ACK", "R. 5 ack 7", NULL, GONE, 0},
    };
    JUDGE(GONE, rows);
}

/* ---- §3.10.7.2 ---- */

static void in_listen(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"SYN", "S 0 <mss 1000>", "S. 0 ack 1", SYN_RECEIVED, 0},
        {"RST", "R 0", NULL, LISTEN, 0},
        {"RST, ACK", "R. 0 ack 5", NULL, LISTEN, 0},
        {"SYN, RST", "SR 0", NULL, LISTEN, 0},
        {"ACK", ". 0 ack 5", "R 5", LISTEN, 0},
        {"SYN, ACK", "S. 0 ack 5", "R 5", LISTEN, 0},
        {"FIN", "F 0", NULL, LISTEN, 0},
        {"SYN, FIN", "SF 0", NULL, LISTEN, 0}, /* nobody means that; dropped as by kernels */
        {"no flags", "- 0:10", NULL, LISTEN, 0},
    };
    JUDGE(LISTEN, rows);
}

/* ---- §3.10.7.3 ---- */

static void in_syn_sent(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"SYN, ACK", "S. 0 ack 1 <mss 1000>", ". 1 ack 1", ESTABLISHED, 0},
        {"SYN", "S 0 <mss 1000>", "S. 0 ack 1", SYN_RECEIVED_ACTIVE, 0},
        {"ACK too low", "S. 0 ack 0", "R 0", SYN_SENT, 0},
        {"ACK too high", "S. 0 ack 2", "R 2", SYN_SENT, 0},
        {"ACK too high, no SYN", ". 0 ack 2", "R 2", SYN_SENT, 0},
        {"ACK, no SYN", ". 0 ack 1", NULL, SYN_SENT, 0},
        {"RST, ACK", "R. 0 ack 1", NULL, GONE, ECONNREFUSED},
        {"RST, ACK too low", "R. 0 ack 0", NULL, SYN_SENT, 0},
        {"RST, ACK too high", "R. 0 ack 2", NULL, SYN_SENT, 0},
        {"RST", "R 0", NULL, SYN_SENT, 0},
        {"FIN", "F 0", NULL, SYN_SENT, 0},
        {"no flags", "- 0:10", NULL, SYN_SENT, 0},
        {"SYN, ACK with data, which comes again", "S. 0:10 ack 1", ". 1 ack 1", ESTABLISHED, 0},
    };
    JUDGE(SYN_SENT, rows);
}

/* ---- §3.10.7.4 ---- */

/* DEVIATION(RFC 9293 §3.10.7.4, fourth step): a SYN in the window is challenged here as everywhere
 * (RFC 5961 §4), instead of sending the connection back to LISTEN. */
static void in_syn_received(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ACK", ". 1 ack 1", NULL, ESTABLISHED, 0},
        {"ACK with data", ". 1:101 ack 1", ". 1 ack 101", ESTABLISHED, 0},
        {"ACK with FIN", "F. 1 ack 1", ". 1 ack 2", CLOSE_WAIT, 0},
        {"ACK too low", ". 1 ack 0", "R 0", SYN_RECEIVED, 0},
        {"ACK too high", ". 1:11 ack 2", "R 2", SYN_RECEIVED, 0},
        {"the SYN again", "S 0", "S. 0 ack 1", SYN_RECEIVED, 0},
        {"SYN in the window", "S 11", ". 1 ack 1", SYN_RECEIVED, 0},
        {"SYN out of the window", "S 70000", ". 1 ack 1", SYN_RECEIVED, 0},
        {"RST exact", "R 1", NULL, LISTEN, 0},
        {"RST in the window", "R 11", ". 1 ack 1", SYN_RECEIVED, 0},
        {"RST out of the window", "R 70000", NULL, SYN_RECEIVED, 0},
        {"RST old", "R 0", NULL, SYN_RECEIVED, 0},
        {"data out of the window", ". 70000:70010 ack 1", ". 1 ack 1", SYN_RECEIVED, 0},
        {"no ACK", "- 1:11", NULL, SYN_RECEIVED, 0},
        {"FIN without ACK", "F 1", NULL, SYN_RECEIVED, 0},
    };
    JUDGE(SYN_RECEIVED, rows);
}

static void in_syn_received_after_both_opened(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ACK", ". 1 ack 1", NULL, ESTABLISHED, 0},
        {"SYN, ACK: Figure 8", "S. 0 ack 1", ". 1 ack 1", ESTABLISHED, 0},
        {"ACK too high", ". 1 ack 2", "R 2", SYN_RECEIVED_ACTIVE, 0},
        {"the SYN again", "S 0", "S. 0 ack 1", SYN_RECEIVED_ACTIVE, 0},
        {"SYN in the window", "S 11", ". 1 ack 1", SYN_RECEIVED_ACTIVE, 0},
        {"RST exact", "R 1", NULL, GONE, ECONNREFUSED},
        {"RST in the window", "R 11", ". 1 ack 1", SYN_RECEIVED_ACTIVE, 0},
        {"RST out of the window", "R 70000", NULL, SYN_RECEIVED_ACTIVE, 0},
        {"FIN", "F. 1 ack 1", ". 1 ack 2", CLOSE_WAIT, 0},
        {"no ACK", "- 1:11", NULL, SYN_RECEIVED_ACTIVE, 0},
    };
    JUDGE(SYN_RECEIVED_ACTIVE, rows);
}

static void in_established(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"data", ". 101:201 ack 101", ". 101 ack 201", ESTABLISHED, 0},
        {"urgent data", "PU. 101:201 ack 101 urg 50", ". 101 ack 201", ESTABLISHED, 0},
        {"old data", ". 1:101 ack 101", ". 101 ack 101", ESTABLISHED, 0},
        {"old and new data", ". 51:201 ack 101", ". 101 ack 201", ESTABLISHED, 0},
        {"data ahead", ". 111:211 ack 101", ". 101 ack 101", ESTABLISHED, 0},
        {"data out of the window", ". 70000:70100 ack 101", ". 101 ack 101", ESTABLISHED, 0},
        {"ACK", ". 101 ack 101", NULL, ESTABLISHED, 0},
        {"ACK out of the window", ". 70000 ack 101", ". 101 ack 101", ESTABLISHED, 0},
        {"ACK old", ". 101:201 ack 51", ". 101 ack 201", ESTABLISHED, 0},
        {"ACK too old", ". 101:201 ack -40000", ". 101 ack 101", ESTABLISHED, 0},
        {"ACK too high", ". 101:201 ack 102", ". 101 ack 101", ESTABLISHED, 0},
        {"no ACK", "- 101:201", NULL, ESTABLISHED, 0},
        {"RST exact", "R 101", NULL, GONE, ECONNRESET},
        {"RST exact, with ACK and data", "R. 101:111 ack 101", NULL, GONE, ECONNRESET},
        {"RST in the window", "R 111", ". 101 ack 101", ESTABLISHED, 0},
        {"RST out of the window", "R 70000", NULL, ESTABLISHED, 0},
        {"RST old", "R 100", NULL, ESTABLISHED, 0},
        {"SYN at the edge", "S 101", ". 101 ack 101", ESTABLISHED, 0},
        {"SYN in the window", "S 111", ". 101 ack 101", ESTABLISHED, 0},
        {"SYN out of the window", "S 70000", ". 101 ack 101", ESTABLISHED, 0},
        {"the SYN again", "S 0", ". 101 ack 101", ESTABLISHED, 0},
        {"SYN, ACK", "S. 0 ack 1", ". 101 ack 101", ESTABLISHED, 0},
        {"FIN", "F. 101 ack 101", ". 101 ack 102", CLOSE_WAIT, 0},
        {"FIN with data", "F. 101:201 ack 101", ". 101 ack 202", CLOSE_WAIT, 0},
        {"FIN ahead", "F. 111 ack 101", ". 101 ack 101", ESTABLISHED, 0},
        {"FIN out of the window", "F. 70000 ack 101", ". 101 ack 101", ESTABLISHED, 0},
        {"FIN without ACK", "F 101", NULL, ESTABLISHED, 0},
    };
    JUDGE(ESTABLISHED, rows);
}

static void in_fin_wait_1(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ACK of our FIN", ". 101 ack 102", NULL, FIN_WAIT_2, 0},
        {"data", ". 101:201 ack 101", ". 102 ack 201", FIN_WAIT_1, 0},
        {"data, ACK of our FIN", ". 101:201 ack 102", ". 102 ack 201", FIN_WAIT_2, 0},
        {"urgent data", "U. 101:201 ack 101 urg 50", ". 102 ack 201", FIN_WAIT_1, 0},
        {"old data", ". 1:101 ack 101", ". 102 ack 101", FIN_WAIT_1, 0},
        {"data out of the window", ". 70000:70100 ack 101", ". 102 ack 101", FIN_WAIT_1, 0},
        {"ACK too old", ". 101:201 ack -40000", ". 102 ack 101", FIN_WAIT_1, 0},
        {"ACK too high", ". 101:201 ack 103", ". 102 ack 101", FIN_WAIT_1, 0},
        {"no ACK", "- 101:201", NULL, FIN_WAIT_1, 0},
        {"RST exact", "R 101", NULL, GONE, ECONNRESET},
        {"RST in the window", "R 111", ". 102 ack 101", FIN_WAIT_1, 0},
        {"RST out of the window", "R 70000", NULL, FIN_WAIT_1, 0},
        {"SYN in the window", "S 111", ". 102 ack 101", FIN_WAIT_1, 0},
        {"SYN out of the window", "S 70000", ". 102 ack 101", FIN_WAIT_1, 0},
        {"FIN", "F. 101 ack 101", ". 102 ack 102", CLOSING, 0},
        {"FIN, ACK of our FIN", "F. 101 ack 102", ". 102 ack 102", TIME_WAIT, 0},
        {"FIN with data", "F. 101:201 ack 101", ". 102 ack 202", CLOSING, 0},
    };
    JUDGE(FIN_WAIT_1, rows);
}

static void in_fin_wait_2(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"data", ". 101:201 ack 102", ". 102 ack 201", FIN_WAIT_2, 0},
        {"urgent data", "U. 101:201 ack 102 urg 50", ". 102 ack 201", FIN_WAIT_2, 0},
        {"old data", ". 1:101 ack 102", ". 102 ack 101", FIN_WAIT_2, 0},
        {"data out of the window", ". 70000:70100 ack 102", ". 102 ack 101", FIN_WAIT_2, 0},
        {"ACK too old", ". 101:201 ack -40000", ". 102 ack 101", FIN_WAIT_2, 0},
        {"ACK too high", ". 101:201 ack 103", ". 102 ack 101", FIN_WAIT_2, 0},
        {"no ACK", "- 101:201", NULL, FIN_WAIT_2, 0},
        {"RST exact", "R 101", NULL, GONE, ECONNRESET},
        {"RST in the window", "R 111", ". 102 ack 101", FIN_WAIT_2, 0},
        {"RST out of the window", "R 70000", NULL, FIN_WAIT_2, 0},
        {"SYN in the window", "S 111", ". 102 ack 101", FIN_WAIT_2, 0},
        {"SYN out of the window", "S 70000", ". 102 ack 101", FIN_WAIT_2, 0},
        {"FIN", "F. 101 ack 102", ". 102 ack 102", TIME_WAIT, 0},
        {"FIN with data", "F. 101:201 ack 102", ". 102 ack 202", TIME_WAIT, 0},
    };
    JUDGE(FIN_WAIT_2, rows);
}

/* Behind the peer's FIN there is nothing to receive. */
static void in_close_wait(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ACK", ". 102 ack 101", NULL, CLOSE_WAIT, 0},
        {"data", ". 102:202 ack 101", ". 101 ack 102", CLOSE_WAIT, 0},
        {"urgent data", "U. 102:202 ack 101 urg 50", ". 101 ack 102", CLOSE_WAIT, 0},
        {"old data", ". 1:101 ack 101", ". 101 ack 102", CLOSE_WAIT, 0},
        {"data out of the window", ". 70000:70100 ack 101", ". 101 ack 102", CLOSE_WAIT, 0},
        {"ACK too old", ". 102 ack -40000", ". 101 ack 102", CLOSE_WAIT, 0},
        {"ACK too high", ". 102 ack 102", ". 101 ack 102", CLOSE_WAIT, 0},
        {"no ACK", "- 102:202", NULL, CLOSE_WAIT, 0},
        {"RST exact", "R 102", NULL, GONE, ECONNRESET},
        {"RST in the window", "R 112", ". 101 ack 102", CLOSE_WAIT, 0},
        {"RST out of the window", "R 70000", NULL, CLOSE_WAIT, 0},
        {"SYN in the window", "S 112", ". 101 ack 102", CLOSE_WAIT, 0},
        {"SYN out of the window", "S 70000", ". 101 ack 102", CLOSE_WAIT, 0},
        {"the FIN again", "F. 101 ack 101", ". 101 ack 102", CLOSE_WAIT, 0},
        {"another FIN", "F. 102 ack 101", ". 101 ack 102", CLOSE_WAIT, 0},
    };
    JUDGE(CLOSE_WAIT, rows);
}

static void in_closing(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ACK of our FIN", ". 102 ack 102", NULL, TIME_WAIT, 0},
        {"ACK of less", ". 102 ack 101", NULL, CLOSING, 0},
        {"data", ". 102:202 ack 101", ". 102 ack 102", CLOSING, 0},
        {"old data", ". 1:101 ack 101", ". 102 ack 102", CLOSING, 0},
        {"data out of the window", ". 70000:70100 ack 101", ". 102 ack 102", CLOSING, 0},
        {"ACK too old", ". 102 ack -40000", ". 102 ack 102", CLOSING, 0},
        {"ACK too high", ". 102 ack 103", ". 102 ack 102", CLOSING, 0},
        {"no ACK", "- 102:202", NULL, CLOSING, 0},
        {"RST exact", "R 102", NULL, GONE, 0},
        {"RST in the window", "R 112", ". 102 ack 102", CLOSING, 0},
        {"RST out of the window", "R 70000", NULL, CLOSING, 0},
        {"SYN in the window", "S 112", ". 102 ack 102", CLOSING, 0},
        {"SYN out of the window", "S 70000", ". 102 ack 102", CLOSING, 0},
        {"the FIN again", "F. 101 ack 101", ". 102 ack 102", CLOSING, 0},
    };
    JUDGE(CLOSING, rows);
}

static void in_last_ack(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ACK of our FIN", ". 102 ack 102", NULL, GONE, 0},
        {"ACK of less", ". 102 ack 101", NULL, LAST_ACK, 0},
        {"data", ". 102:202 ack 101", ". 102 ack 102", LAST_ACK, 0},
        {"old data", ". 1:101 ack 101", ". 102 ack 102", LAST_ACK, 0},
        {"data out of the window", ". 70000:70100 ack 101", ". 102 ack 102", LAST_ACK, 0},
        {"ACK too old", ". 102 ack -40000", ". 102 ack 102", LAST_ACK, 0},
        {"ACK too high", ". 102 ack 103", ". 102 ack 102", LAST_ACK, 0},
        {"no ACK", "- 102:202", NULL, LAST_ACK, 0},
        {"RST exact", "R 102", NULL, GONE, 0},
        {"RST in the window", "R 112", ". 102 ack 102", LAST_ACK, 0},
        {"RST out of the window", "R 70000", NULL, LAST_ACK, 0},
        {"SYN in the window", "S 112", ". 102 ack 102", LAST_ACK, 0},
        {"SYN out of the window", "S 70000", ". 102 ack 102", LAST_ACK, 0},
        {"the FIN again", "F. 101 ack 101", ". 102 ack 102", LAST_ACK, 0},
    };
    JUDGE(LAST_ACK, rows);
}

static void in_time_wait(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ACK", ". 102 ack 102", NULL, TIME_WAIT, 0},
        {"data", ". 102:202 ack 102", ". 102 ack 102", TIME_WAIT, 0},
        {"old data", ". 1:101 ack 102", ". 102 ack 102", TIME_WAIT, 0},
        {"data out of the window", ". 70000:70100 ack 102", ". 102 ack 102", TIME_WAIT, 0},
        {"ACK too high", ". 102 ack 103", ". 102 ack 102", TIME_WAIT, 0},
        {"no ACK", "- 102:202", NULL, TIME_WAIT, 0},
        {"RST exact", "R 102", NULL, GONE, 0},
        {"RST in the window", "R 112", ". 102 ack 102", TIME_WAIT, 0},
        {"RST out of the window", "R 70000", NULL, TIME_WAIT, 0},
        {"the FIN again", "F. 101 ack 102", ". 102 ack 102", TIME_WAIT, 0},
        {"SYN of before", "S 50", ". 102 ack 102", TIME_WAIT, 0},
        {"SYN beyond all that was sent", "S 200", "S. 0 ack 201", GONE, 0}, /* MAY-2 */
    };
    JUDGE(TIME_WAIT, rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_closed),
        cmocka_unit_test(in_listen),
        cmocka_unit_test(in_syn_sent),
        cmocka_unit_test(in_syn_received),
        cmocka_unit_test(in_syn_received_after_both_opened),
        cmocka_unit_test(in_established),
        cmocka_unit_test(in_fin_wait_1),
        cmocka_unit_test(in_fin_wait_2),
        cmocka_unit_test(in_close_wait),
        cmocka_unit_test(in_closing),
        cmocka_unit_test(in_last_ack),
        cmocka_unit_test(in_time_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
