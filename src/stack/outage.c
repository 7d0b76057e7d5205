/* What connections do when the switch was gone and is back. Their segments of meanwhile are lost, and their
 * timeouts have doubled: the next one may be as far away as the switch was away, and further. That nobody
 * acknowledged says nothing about the path there is now, so what waits goes at once, as RFC 6069 has it
 * for a path whose routers said that it was cut.
 *
 * A flow that is not at home is first announced, for the new switch drops or misdirects it until then.
 * All others are looked at beat by beat, so that no turn is a long one however many there are. */
#include "stack/host.h"

/* In a beat of 50 ms: a millionth of a second each at most, if no cache has them. */
#define LOOKS_PER_BEAT 4096u

void capy_outage_over(struct capy_stack *s)
{
    s->tor.back_idx = 0;
}

void capy_outage_known(struct capy_stack *s, uint32_t idx)
{
    struct capy_conn *c = &s->conns[idx];
    if (c->mode != CAPY_CONN_RUNNING || s->foreign)
        return;
    struct capy_tcp_env env = capy_env(s);
    capy_tcp_path_is_back(&c->tcb, &env);
    capy_conn_arm(s, idx);
}

void capy_outage_beat(struct capy_stack *s)
{
    uint32_t end =
        (uint32_t)capy_min64((uint64_t)s->tor.back_idx + LOOKS_PER_BEAT, s->cfg.conn_max);
    for (; s->tor.back_idx < end; s->tor.back_idx++)
        if (s->conns[s->tor.back_idx].epoch == 0)
            capy_outage_known(s, s->tor.back_idx);
}
