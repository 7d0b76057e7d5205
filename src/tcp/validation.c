/* Congestion window validation (tcp/validation.h). */
#include "tcp/validation.h"
#include "tcp/congestion.h"

static uint32_t clock_ms(const struct capy_tcp_env *env)
{
    return (uint32_t)(env->now / CAPY_MS(1));
}

void capy_tcp_validation_start(struct capy_tcp *tcb, const struct capy_tcp_env *env)
{
    tcb->validated_ms = clock_ms(env);
}

void capy_tcp_validate(struct capy_tcp *tcb, const struct capy_tcp_env *env, uint32_t flight)
{
    uint32_t now_ms = clock_ms(env);
    bool used = flight >= tcb->cc.cwnd / 2; /* §4.3 */
    if (!used && now_ms - tcb->validated_ms < CAPY_TCP_NON_VALIDATED_MS)
        return;
    if (!used)
        capy_tcp_cc_unused(tcb);
    tcb->validated_ms = now_ms;
}
