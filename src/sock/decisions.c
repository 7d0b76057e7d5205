/* The trigger's state and its decisions as JSON, for the control socket. */
#include "sock/os.h"
#include "sock/trigger.h"
#include <stdio.h>

#define DECISION_PAGE 256u /* per answer */

static void set_count(json_t *to, const char *name, uint64_t n)
{
    (void)json_object_set_new(to, name, json_integer((json_int_t)n));
}

/* To two digits: more would promise what an average does not have. */
static void set_part(json_t *to, const char *name, uint64_t n, uint32_t one)
{
    uint64_t hundredths = n * 100 / one;
    (void)json_object_set_new(to, name, json_real((double)hundredths / 100));
}

static void set_load(json_t *to, const char *name, uint32_t load)
{
    json_t *value = load == UINT32_MAX ? json_null() : json_integer(load);
    (void)json_object_set_new(to, name, value);
}

static void set_client(json_t *to, const struct capy_decision *d)
{
    char ip[CAPY_IP_TEXT_MAX], text[CAPY_IP_TEXT_MAX + 8];
    if (d->client_port == 0)
        return;
    capy_ip_format(&d->client, ip);
    (void)snprintf(text, sizeof text, capy_ip_is_v4(&d->client) ? "%s:%u" : "[%s]:%u", ip,
                   d->client_port);
    (void)json_object_set_new(to, "client", json_string(text));
    set_part(to, "share", d->share, CAPY_WORK_SHARE_ONE);
}

static json_t *decision(const struct capy_decision *d)
{
    json_t *at = json_object();
    set_count(at, "at_ns", d->at_ns);
    (void)json_object_set_new(at, "why", json_string(capy_why_name((enum capy_why)d->why)));
    set_count(at, "times", d->times);
    set_count(at, "last_ns", d->last_ns);
    set_part(at, "load", d->load, CAPY_LOAD_ONE);
    if (d->least != UINT32_MAX)
        set_part(at, "least_load", d->least, CAPY_LOAD_ONE);
    set_client(at, d);
    if (d->reason != CAPY_REASON_NONE)
        (void)json_object_set_new(at, "reason", json_string(capy_mig_reason_name(d->reason)));
    if (d->verdict != CAPY_VERDICT_NONE)
        (void)json_object_set_new(at, "verdict", json_string(capy_mig_verdict_name(d->verdict)));
    return at;
}

static const char *state_name(const struct capy *os)
{
    if (os->rack.load_threshold == 0)
        return "off";
    return os->trigger.over ? "over" : "calm";
}

json_t *capy_trigger_json(const struct capy *os)
{
    const struct capy_trigger *t = &os->trigger;
    struct capy_stack_status st;
    capy_stack_status(os->stack, &st);
    json_t *at = json_object(), *why = json_object();
    (void)json_object_set_new(at, "state", json_string(state_name(os)));
    (void)json_object_set_new(at, "why", json_string(capy_why_name(t->why)));
    set_part(at, "load", capy_load_own(os), CAPY_LOAD_ONE);
    set_load(at, "least_load", st.least_load);
    set_count(at, "load_threshold", os->rack.load_threshold);
    set_count(at, "load_low", os->rack.load_low);
    set_count(at, "in_flight", t->in_flight);
    set_count(at, "moved", t->moved_cnt);
    set_count(at, "refused", t->refused_cnt);
    for (unsigned i = 0; i < CAPY_WHY_CNT; i++)
        if (t->why_cnt[i] > 0)
            set_count(why, capy_why_name((enum capy_why)i), t->why_cnt[i]);
    (void)json_object_set_new(at, "decisions", why);
    return at;
}

json_t *capy_decisions_json(const struct capy *os, uint64_t since)
{
    const struct capy_trigger *t = &os->trigger;
    uint64_t cnt = t->decision_cnt;
    uint64_t oldest = cnt > CAPY_DECISION_MAX ? cnt - CAPY_DECISION_MAX : 0;
    uint64_t at = capy_max64(since, oldest),
             end = capy_min64(at + DECISION_PAGE, capy_max64(at, cnt));
    json_t *list = json_array(), *reply = json_object();
    set_count(reply, "first", at);
    for (; at < end; at++)
        (void)json_array_append_new(list, decision(&t->log[at % CAPY_DECISION_MAX]));
    (void)json_object_set_new(reply, "decisions", list);
    set_count(reply, "next", at);
    (void)json_object_set_new(reply, "more", json_boolean(at < cnt));
    return reply;
}
