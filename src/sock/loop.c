/* capy_wait: one turn after the other until there is something for the application. A turn reads
 * the clock once, takes one burst of frames in, runs what is due, and turns events into
 * completions. What the application pushed since the last turn leaves first, together with the ACKs
 * and window updates that the last burst owed: one frame each, not two. With nothing to do the loop
 * looks again for the rack's spin_us or, while frames come in short pauses, somewhat longer
 * (base/spin.h); each time it offers the core to others first, as programs may be more than cores. Then
 * it sleeps in ppoll. */
#include "kernel/kernel.h"
#include "sock/control.h"
#include "sock/host.h"
#include "sock/os.h"
#include <sched.h>

/* Full bursts in a row after which timers run all the same: about what a receive ring holds. */
#define FULL_BURSTS_MAX 32u

/* Fills empty frames from the top of the spare ones, so that the rest stay reserved. How many. */
static unsigned send_burst(struct capy *os)
{
    const struct capy_drv_ops *ops = os->drv->ops;
    if (os->spare_cnt == 0)
        os->spare_cnt = ops->reserve(os->drv, os->spare, CAPY_DRV_BURST);
    unsigned left = os->spare_cnt;
    while (left > 0) {
        struct capy_frame *f = &os->spare[left - 1];
        f->offload = os->drv->can;
        f->len = (uint32_t)capy_host_output_offloaded(os, f->data, &f->offload, os->now);
        if (f->len == 0)
            break;
        left--;
    }
    unsigned used = os->spare_cnt - left;
    /* Sent in the order they were filled: from the top down. */
    struct capy_frame burst[CAPY_DRV_BURST];
    for (unsigned i = 0; i < used; i++)
        burst[i] = os->spare[os->spare_cnt - 1 - i];
    if (used)
        ops->submit(os->drv, burst, used);
    os->unflushed = os->unflushed || used > 0;
    os->output_waits = left == 0; /* perhaps more */
    os->spare_cnt = left;
    return used;
}

/* How many frames. Within a burst, too, the ACKs that a peer waits for are made one by one; the device
 * hears of them with all the rest. */
static unsigned receive(struct capy *os)
{
    struct capy_frame frames[CAPY_DRV_BURST];
    unsigned cnt = os->drv->ops->receive(os->drv, frames, CAPY_DRV_BURST);
    for (unsigned i = 0; i < cnt; i++) {
        capy_host_input_offloaded(os, frames[i].data, frames[i].len, &frames[i].offload, os->now);
        if (capy_stack_ack_due(os->stack))
            (void)send_burst(os);
    }
    if (cnt)
        os->drv->ops->release(os->drv, frames, cnt);
    return cnt;
}

/* A server that was not run for a while finds timers due and, behind the first burst, the very
 * frames they wait for: an ACK, a grant. What has arrived already is heard first, or all of it
 * would be sent again for nothing. */
static bool timers_may_run(struct capy *os, unsigned received)
{
    os->full_bursts = received == CAPY_DRV_BURST ? (os->full_bursts + 1) % FULL_BURSTS_MAX : 0;
    return os->full_bursts == 0;
}

bool capy_send(struct capy *os)
{
    unsigned used = 0;
    for (unsigned i = 0; i < CAPY_BURST_OUT_MAX; i++) {
        used += send_burst(os);
        if (!os->output_waits)
            break;
    }
    if (os->unflushed)
        os->drv->ops->flush(os->drv);
    os->unflushed = false;
    return used > 0;
}

static bool turn(struct capy *os)
{
    bool worked = os->kernel && capy_kernel_poll(os->kernel, os->now);
    unsigned received = receive(os);
    worked |= received > 0;
    if (timers_may_run(os, received) && capy_stack_next_at(os->stack) <= os->now)
        capy_host_expire(os, os->now);
    capy_take_events(os);
    capy_load_sample(os);
    capy_trigger_step(os);
    capy_mover_step(os);
    if (capy_watch_due(os))
        worked |= capy_watch_poll(os, 0);
    return worked;
}

/* Until when the loop may sleep, should no descriptor wake it. */
static uint64_t wake_at(const struct capy *os, uint64_t deadline)
{
    uint64_t at = capy_min64(deadline, capy_stack_next_at(os->stack));
    at = capy_min64(at, capy_mover_next_at(os));
    if (os->kernel)
        at = capy_min64(at, capy_kernel_next_at(os->kernel));
    return capy_min64(at, capy_trigger_next_at(os));
}

static void rest(struct capy *os, uint64_t deadline)
{
    uint64_t at = wake_at(os, deadline);
    if (os->output_waits || at <= os->now)
        return;
    if (capy_spin_wanted(&os->spin, os->now)) {
        (void)sched_yield();
        return;
    }
    capy_record_rest(os->record, os->now, at);
    (void)capy_watch_poll(os, at == CAPY_NEVER ? CAPY_NEVER : at - os->now);
}

int capy_wait(struct capy *os, struct capy_done *done, int max, int64_t timeout_ns)
{
    if (max <= 0 || !done)
        return CAPY_E_INVAL;
    uint64_t before = os->now;
    os->now = os->clock(os->clock_ctx);
    capy_work_charge(os, os->now - before);
    os->interrupted = false;
    uint64_t deadline = timeout_ns < 0 ? CAPY_NEVER : os->now + (uint64_t)timeout_ns;
    bool worked = capy_send(os);
    for (;;) {
        worked |= turn(os);
        int cnt = capy_deliver(os, done, max);
        if (cnt > 0) {
            capy_spin_worked(&os->spin, os->now);
            return cnt;
        }
        worked |= capy_send(os);
        if (worked)
            capy_spin_worked(&os->spin, os->now);
        if (os->now >= deadline || os->interrupted)
            return 0;
        rest(os, deadline);
        os->now = os->clock(os->clock_ctx);
        capy_spin_back(&os->spin, os->now);
        worked = false;
    }
}
