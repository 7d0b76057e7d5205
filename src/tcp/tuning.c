/* Settings (tcp/tuning.h): ranges, rounding, and what a change to a running connection sets off. One
 * table of ranges serves all ways to set. */
#include "tcp/tuning.h"
#include "tcp/open.h"
#include "tcp/pacing.h"
#include "tcp/position.h"
#include "tcp/timers.h"

#define SECONDS_MAX 32767u         /* of keep-alive times: what sockets elsewhere allow */
#define KEEP_CNT_MAX 127u          /* likewise */
#define BUFFER_MIN 2048u           /* one block: less is used up by one segment */
#define MSS_MAX 65495u             /* the longest IPv4 packet less its headers */
#define DELACK_MAX_NS CAPY_MS(500) /* RFC 9293 MUST-40 */
#define INITIAL_WINDOW_MAX 64u     /* beyond any that was ever proposed */

/* Whole units, rounded up. */
static uint64_t units(uint64_t ns, uint64_t unit_ns)
{
    return ns / unit_ns + (ns % unit_ns != 0);
}

void capy_tcp_tuning_default(struct capy_tcp_tuning *t, const struct capy_tcp_cfg *cfg)
{
    *t = (struct capy_tcp_tuning){
        .snd_buf = cfg->snd_buf_max,
        .rcv_buf = cfg->rcv_buf_max,
        .keep_idle_s = (uint16_t)units(cfg->keep_idle_ns, CAPY_SEC(1)),
        .keep_interval_s = (uint16_t)units(cfg->keep_interval_ns, CAPY_SEC(1)),
        .mss_max = cfg->mss_max,
        .delack_ms = (uint16_t)units(cfg->delack_ns, CAPY_MS(1)),
        .keep_cnt = cfg->keep_cnt,
        .initial_window = cfg->initial_window,
        .congestion = cfg->congestion,
        .nagle = cfg->nagle,
        .timestamps = cfg->timestamps,
        .sack = cfg->sack,
        .window_scale = cfg->window_scale,
        .ecn = cfg->ecn & 3u,
    };
}

/* Values that the option takes: least and most. */
struct range {
    uint64_t min, max;
};

static inline struct range range_of(enum capy_option option, const struct capy_tcp_cfg *cfg)
{
    switch (option) {
    case CAPY_OPTION_NAGLE:
    case CAPY_OPTION_CORK:
    case CAPY_OPTION_KEEPALIVE:
    case CAPY_OPTION_TIMESTAMPS:
    case CAPY_OPTION_SACK:
    case CAPY_OPTION_WINDOW_SCALE:
        return (struct range){0, 1};
    case CAPY_OPTION_KEEP_IDLE_NS:
    case CAPY_OPTION_KEEP_INTERVAL_NS:
        return (struct range){1, CAPY_SEC(SECONDS_MAX)};
    case CAPY_OPTION_KEEP_COUNT:
        return (struct range){1, KEEP_CNT_MAX};
    case CAPY_OPTION_USER_TIMEOUT_NS:
        return (struct range){0, CAPY_MS(UINT32_MAX)};
    case CAPY_OPTION_SEND_BUFFER:
        return (struct range){BUFFER_MIN, cfg->snd_buf_max};
    case CAPY_OPTION_RECEIVE_BUFFER:
        return (struct range){BUFFER_MIN, cfg->rcv_buf_max};
    case CAPY_OPTION_MAX_SEGMENT:
        return (struct range){CAPY_TCP_MSS_MIN, cfg->mss_max};
    case CAPY_OPTION_CONGESTION:
        return (struct range){0, CAPY_TCP_CONGESTION_CNT - 1};
    case CAPY_OPTION_DELAYED_ACK_NS:
        return (struct range){0, DELACK_MAX_NS};
    case CAPY_OPTION_MAX_PACING_RATE:
        return (struct range){0, UINT32_MAX};
    case CAPY_OPTION_INITIAL_WINDOW:
        return (struct range){1, INITIAL_WINDOW_MAX};
    case CAPY_OPTION_ECN:
        return (struct range){CAPY_TCP_ECN_OFF, CAPY_TCP_ECN_OFFER};
    case CAPY_OPTION_CNT:
        break;
    }
    return (struct range){1, 0}; /* no option: nothing fits */
}

/* value is in the option's range. */
static void put(struct capy_tcp_tuning *t, enum capy_option option, uint64_t value)
{
    switch (option) {
    case CAPY_OPTION_NAGLE:
        t->nagle = value;
        break;
    case CAPY_OPTION_CORK:
        t->cork = value;
        break;
    case CAPY_OPTION_KEEPALIVE:
        t->keepalive = value;
        break;
    case CAPY_OPTION_KEEP_IDLE_NS:
        t->keep_idle_s = (uint16_t)units(value, CAPY_SEC(1));
        break;
    case CAPY_OPTION_KEEP_INTERVAL_NS:
        t->keep_interval_s = (uint16_t)units(value, CAPY_SEC(1));
        break;
    case CAPY_OPTION_KEEP_COUNT:
        t->keep_cnt = (uint8_t)value;
        break;
    case CAPY_OPTION_USER_TIMEOUT_NS:
        t->user_timeout_ms = (uint32_t)units(value, CAPY_MS(1));
        break;
    case CAPY_OPTION_SEND_BUFFER:
        t->snd_buf = (uint32_t)value;
        break;
    case CAPY_OPTION_RECEIVE_BUFFER:
        t->rcv_buf = (uint32_t)value;
        break;
    case CAPY_OPTION_MAX_SEGMENT:
        t->mss_max = (uint16_t)value;
        break;
    case CAPY_OPTION_CONGESTION:
        t->congestion = (uint8_t)value;
        break;
    case CAPY_OPTION_DELAYED_ACK_NS:
        t->delack_ms = (uint16_t)units(value, CAPY_MS(1));
        break;
    case CAPY_OPTION_MAX_PACING_RATE:
        t->pacing = (uint32_t)value;
        break;
    case CAPY_OPTION_TIMESTAMPS:
        t->timestamps = value;
        break;
    case CAPY_OPTION_SACK:
        t->sack = value;
        break;
    case CAPY_OPTION_WINDOW_SCALE:
        t->window_scale = value;
        break;
    case CAPY_OPTION_INITIAL_WINDOW:
        t->initial_window = (uint8_t)value;
        break;
    case CAPY_OPTION_ECN:
        t->ecn = value & 3u;
        break;
    case CAPY_OPTION_CNT:
        break;
    }
}

int capy_tcp_tuning_set(struct capy_tcp_tuning *t, const struct capy_tcp_cfg *cfg,
                        enum capy_option option, uint64_t value)
{
    struct range range = range_of(option, cfg);
    if (value < range.min || value > range.max)
        return CAPY_E_INVAL;
    put(t, option, value);
    return CAPY_OK;
}

static inline uint64_t value_of(const struct capy_tcp_tuning *t, enum capy_option option)
{
    switch (option) {
    case CAPY_OPTION_NAGLE:
        return t->nagle;
    case CAPY_OPTION_CORK:
        return t->cork;
    case CAPY_OPTION_KEEPALIVE:
        return t->keepalive;
    case CAPY_OPTION_KEEP_IDLE_NS:
        return CAPY_SEC(t->keep_idle_s);
    case CAPY_OPTION_KEEP_INTERVAL_NS:
        return CAPY_SEC(t->keep_interval_s);
    case CAPY_OPTION_KEEP_COUNT:
        return t->keep_cnt;
    case CAPY_OPTION_USER_TIMEOUT_NS:
        return CAPY_MS(t->user_timeout_ms);
    case CAPY_OPTION_SEND_BUFFER:
        return t->snd_buf;
    case CAPY_OPTION_RECEIVE_BUFFER:
        return t->rcv_buf;
    case CAPY_OPTION_MAX_SEGMENT:
        return t->mss_max;
    case CAPY_OPTION_CONGESTION:
        return t->congestion;
    case CAPY_OPTION_DELAYED_ACK_NS:
        return CAPY_MS(t->delack_ms);
    case CAPY_OPTION_MAX_PACING_RATE:
        return t->pacing;
    case CAPY_OPTION_TIMESTAMPS:
        return t->timestamps;
    case CAPY_OPTION_SACK:
        return t->sack;
    case CAPY_OPTION_WINDOW_SCALE:
        return t->window_scale;
    case CAPY_OPTION_INITIAL_WINDOW:
        return t->initial_window;
    case CAPY_OPTION_ECN:
        return t->ecn;
    case CAPY_OPTION_CNT:
        break;
    }
    return 0;
}

uint64_t capy_tcp_tuning_get(const struct capy_tcp_tuning *t, enum capy_option option)
{
    return value_of(t, option);
}

/* Where the buffers end is the configuration's business, and differs between hosts. */
bool capy_tcp_tuning_ok(const struct capy_tcp_tuning *t)
{
    const struct capy_tcp_cfg widest = {
        .snd_buf_max = 1u << 30, .rcv_buf_max = 1u << 30, .mss_max = MSS_MAX};
#pragma GCC unroll 32 /* then each option is two comparisons */
    for (unsigned i = 0; i < CAPY_OPTION_CNT; i++) {
        enum capy_option option = (enum capy_option)i;
        struct range range = range_of(option, &widest);
        uint64_t value = value_of(t, option);
        bool buffer = option == CAPY_OPTION_SEND_BUFFER || option == CAPY_OPTION_RECEIVE_BUFFER;
        if (value > range.max || (value < range.min && !(buffer && value > 0)))
            return false;
    }
    return true;
}

/* ---- a connection ---- */

static bool only_in_handshake(enum capy_option option)
{
    return option == CAPY_OPTION_TIMESTAMPS || option == CAPY_OPTION_SACK ||
           option == CAPY_OPTION_WINDOW_SCALE || option == CAPY_OPTION_INITIAL_WINDOW ||
           option == CAPY_OPTION_ECN;
}

/* What is sent from now on; what both ends agreed on is the limit. */
static int set_segment(struct capy_tcp *tcb, uint64_t value)
{
    if (value < CAPY_TCP_MSS_MIN || value > tcb->tune.mss_max)
        return CAPY_E_INVAL;
    tcb->tune.mss_max = (uint16_t)value;
    capy_tcp_limit_mss(tcb);
    return CAPY_OK;
}

int capy_tcp_set(struct capy_tcp *tcb, const struct capy_tcp_env *env, enum capy_option option,
                 uint64_t value)
{
    bool opened = tcb->snd.nxt > CAPY_TCP_POS_SYN;
    if (tcb->state == CAPY_TCP_CLOSED || (opened && only_in_handshake(option)))
        return CAPY_E_STATE;
    if (option == CAPY_OPTION_MAX_SEGMENT && opened)
        return set_segment(tcb, value);
    struct capy_tcp_tuning wish = tcb->tune;
    int rc = capy_tcp_tuning_set(&wish, env->cfg, option, value);
    if (rc != CAPY_OK)
        return rc;
    capy_tcp_timers_patience(tcb, env, wish.user_timeout_ms);
    tcb->tune = wish;
    if (option == CAPY_OPTION_CONGESTION)
        capy_tcp_set_congestion(tcb, env, (enum capy_tcp_congestion)value);
    if (option == CAPY_OPTION_MAX_PACING_RATE)
        capy_tcp_pacing_start(tcb);
    if (option == CAPY_OPTION_RECEIVE_BUFFER)
        tcb->rcv.buf_kib = 0; /* who says how much wants just that */
    if (option == CAPY_OPTION_KEEP_IDLE_NS || option == CAPY_OPTION_KEEP_INTERVAL_NS)
        capy_tcp_timers_heard(tcb, env); /* the new time runs from now */
    capy_tcp_timers_changed(tcb, env);
    return CAPY_OK;
}

uint64_t capy_tcp_get(const struct capy_tcp *tcb, enum capy_option option)
{
    if (tcb->state >= CAPY_TCP_ESTABLISHED) {
        if (option == CAPY_OPTION_TIMESTAMPS)
            return tcb->ts_ok;
        if (option == CAPY_OPTION_SACK)
            return tcb->sack_ok;
        if (option == CAPY_OPTION_WINDOW_SCALE)
            return tcb->wscale_ok;
        if (option == CAPY_OPTION_ECN)
            return tcb->ecn_snd;
        if (option == CAPY_OPTION_MAX_SEGMENT)
            return tcb->snd.mss;
    }
    return capy_tcp_tuning_get(&tcb->tune, option);
}
