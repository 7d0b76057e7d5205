/* A program for a whole rack: connections that open, to a server or to the service address, talk, move
 * and close, a network whose frames are lost, repeated, delayed and swapped one by one, time that
 * passes, a switch that reboots, servers that drain and crash. The oracles of crowd.h hold in every
 * moment; in the end nothing is left anywhere.
 *
 * Input: one byte for the rack, then the program: an operation and its arguments. */
#include "crowd.h"
#include "target.h"

#define STEPS_MAX 4000u /* of virtual events within a program */
#define REBOOTS_MAX 2u
#define CRASHES_MAX 2u

enum {
    RUN,  /* some events */
    PASS, /* some time */
    LOSE, /* a frame under way */
    REPEAT,
    DELAY,
    CONNECT,
    WRITE,
    READ,
    SHUTDOWN,
    CLOSE,
    ABORT,
    MIGRATE,
    MANNER,
    SET,
    REBOOT,
    DRAIN,
    CRASH,
    OPERATION_CNT,
};

struct run {
    struct crowd crowd;
    unsigned steps, crashes;
};

static struct run run;

static void steps(unsigned cnt, uint64_t until)
{
    while (cnt-- > 0 && run.steps < STEPS_MAX && world_step(&run.crowd.w, until)) {
        run.steps++;
        crowd_check_owners(&run.crowd);
    }
}

static void pass(struct fuzz_bytes *b)
{
    uint64_t ns = UINT64_C(1) << fuzz_below(b, 31); /* up to a second */
    steps(STEPS_MAX, run.crowd.w.now + ns);
}

static void operate_frame(struct fuzz_bytes *b, unsigned op)
{
    struct world *w = &run.crowd.w;
    unsigned which = fuzz_u8(b);
    if (op == LOSE)
        world_lose(w, which);
    else if (op == REPEAT)
        world_repeat(w, which);
    else
        world_delay(w, which, UINT64_C(1) << (10 + fuzz_below(b, 18))); /* up to 134 ms */
}

static void operate_conn(struct fuzz_bytes *b, unsigned op, unsigned i, bool server)
{
    struct crowd *c = &run.crowd;
    if (op == CONNECT) {
        uint8_t how = fuzz_u8(b);
        crowd_connect(c, i, how & 4 ? (unsigned)WORLD_VIP : how & 1, how & 2);
    } else if (op == WRITE) {
        crowd_write(c, i, server, 1u << fuzz_below(b, 15));
    } else if (op == READ) {
        crowd_read(c, i, server, 1u << fuzz_below(b, 17));
    } else if (op == SHUTDOWN) {
        crowd_shutdown(c, i, server);
    } else if (op == CLOSE) {
        crowd_close(c, i, server);
    } else if (op == ABORT) {
        crowd_abort(c, i, server);
    } else if (op == MIGRATE) {
        uint8_t target = fuzz_u8(b) % 3;
        crowd_migrate(c, i, target == 2 ? CAPY_SERVER_ANY : target);
    } else {
        static const uint8_t harmless[] = {
            CAPY_OPTION_NAGLE,         CAPY_OPTION_CORK,       CAPY_OPTION_SEND_BUFFER,
            CAPY_OPTION_MAX_SEGMENT,   CAPY_OPTION_CONGESTION, CAPY_OPTION_RECEIVE_BUFFER,
            CAPY_OPTION_DELAYED_ACK_NS}; /* the others may end a connection */
        uint8_t option = harmless[fuzz_u8(b) % sizeof harmless];
        uint64_t value = fuzz_u8(b);
        crowd_set(c, i, server, (enum capy_option)option, value << fuzz_below(b, 24));
    }
}

static void operate_server(struct fuzz_bytes *b, unsigned op)
{
    uint8_t how = fuzz_u8(b);
    if (op == DRAIN)
        crowd_drain(&run.crowd, how & 1, how & 2);
    else if (run.crashes++ < CRASHES_MAX) /* for up to two seconds: longer than eight leases */
        crowd_crash(&run.crowd, how & 1, UINT64_C(1) << how / 2 % 32);
}

static void operate(struct fuzz_bytes *b)
{
    uint8_t first = fuzz_u8(b);
    unsigned op = first % OPERATION_CNT;
    if (op == RUN) {
        steps(1u << fuzz_below(b, 8), CAPY_NEVER);
    } else if (op == PASS) {
        pass(b);
    } else if (op <= DELAY) {
        operate_frame(b, op);
    } else if (op == MANNER) {
        uint8_t manner = fuzz_u8(b);
        run.crowd.manner = manner % CROWD_MANNER_CNT;
        run.crowd.state_len = manner & 0x80 ? 1u << (manner / 4 % 16) : 0;
    } else if (op == REBOOT) {
        if (run.crowd.reboots < REBOOTS_MAX)
            crowd_reboot_switch(&run.crowd);
    } else if (op == DRAIN || op == CRASH) {
        operate_server(b, op);
    } else {
        uint8_t whose = fuzz_u8(b);
        operate_conn(b, op, whose % CROWD_MAX, whose & 0x80);
    }
    crowd_check_owners(&run.crowd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_bytes b = {data, size, NULL};
    uint8_t how = fuzz_u8(&b);
    run.steps = run.crashes = 0;
    crowd_open(&run.crowd, &(struct crowd_rack){.ipv6_only = how & 1,
                                                .blocks = how & 2 ? 96 : 512,
                                                .vip_by_load = how & 4});
    while (!fuzz_over(&b))
        operate(&b);
    crowd_finish(&run.crowd);
    return 0;
}
