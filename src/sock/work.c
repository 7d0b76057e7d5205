/* What each connection costs; see work.h. */
#include "sock/work.h"
#include "sock/os.h"

#define EPOCH_SHIFT 26u /* 67 ms: everybody's account is halved at the same instants */
#define UNIT_SHIFT 6u   /* 64 ns */
#define WORK_MAX ((1u << CAPY_WORK_BITS) - 1u)
#define EPOCH_MASK ((1u << CAPY_WORK_EPOCH_BITS) - 1u)
/* What the stack itself spends on a request, about (bench/stack); so that an application that takes
 * no time to speak of is charged by the number of its requests. */
#define STACK_NS 400u

static uint64_t epoch_now(const struct capy *os)
{
    return os->now >> EPOCH_SHIFT;
}

static uint32_t halved(uint64_t work, uint64_t epochs)
{
    return epochs < CAPY_WORK_BITS ? (uint32_t)(work >> epochs) : 0;
}

/* After 137 seconds of rest a queue's epoch comes round, and what it did then would count; it only
 * counts once the queue works again, and is then soon outweighed. */
static uint32_t work_of(const struct capy_queue *q, uint64_t epoch)
{
    return halved(q->work, (epoch - q->work_epoch) & EPOCH_MASK);
}

void capy_work_note(struct capy *os, uint32_t queue)
{
    struct capy_work *w = &os->work;
    if (!w->on || (w->turn_cnt > 0 && w->recent[(w->recent_next - 1) % CAPY_WORK_RECENT] == queue))
        return;
    w->recent[w->recent_next++ % CAPY_WORK_RECENT] = queue;
    w->turn_cnt++;
}

void capy_work_charge(struct capy *os, uint64_t ns)
{
    struct capy_work *w = &os->work;
    if (w->turn_cnt == 0)
        return;
    uint64_t epoch = epoch_now(os), epochs = epoch - w->epoch;
    uint64_t each = (ns / w->turn_cnt + STACK_NS) >> UNIT_SHIFT;
    uint32_t cnt = capy_min32(w->turn_cnt, CAPY_WORK_RECENT);
    w->total = epochs < 64 ? w->total >> epochs : 0;
    w->epoch = epoch;
    for (uint32_t i = 1; i <= cnt; i++) {
        struct capy_queue *q = &os->queues[w->recent[(w->recent_next - i) % CAPY_WORK_RECENT]];
        uint32_t old = work_of(q, epoch), new = (uint32_t)capy_min64(old + each, WORK_MAX);
        q->work = new &WORK_MAX;
        q->work_epoch = (uint32_t)epoch & EPOCH_MASK;
        w->total += new - old;
    }
    w->turn_cnt = 0;
}

uint32_t capy_work_share(const struct capy *os, uint32_t queue)
{
    const struct capy_work *w = &os->work;
    uint64_t epoch = epoch_now(os), epochs = epoch - w->epoch;
    uint64_t total = epochs < 64 ? w->total >> epochs : 0;
    uint64_t work = work_of(&os->queues[queue], epoch);
    return total == 0 ? 0 : (uint32_t)(capy_min64(work, total) * CAPY_WORK_SHARE_ONE / total);
}
