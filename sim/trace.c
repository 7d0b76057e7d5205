/* See trace.h. */
#include "sim/trace.h"

enum { HEARTBEAT = 7, HEARTBEAT_ACK = 8 };

struct sim_record *sim_trace_add(struct sim_trace *t, uint64_t at, unsigned host)
{
    struct sim_record *r = &t->record[t->cnt++ % SIM_TRACE_MAX];
    r->at = at;
    r->host = (uint16_t)host;
    r->moment = SIM_TRACE_NOTE;
    return r;
}

void sim_trace_frame(struct sim_trace *t, uint64_t at, enum sim_moment moment, unsigned host,
                     bool to_switch, bool corrupted, const struct sim_view *v)
{
    if (v->kind == SIM_MIG && (v->type == HEARTBEAT || v->type == HEARTBEAT_ACK))
        return;
    struct sim_record *r = sim_trace_add(t, at, host);
    r->moment = (uint8_t)moment;
    r->to_switch = to_switch;
    r->corrupted = corrupted;
    r->view = *v;
}

static void name_host(const struct sim_trace *t, unsigned host, char out[8])
{
    if (host == SIM_HOSTS_MAX)
        snprintf(out, 8, "rack");
    else
        snprintf(out, 8, "%c%u", host < t->server_cnt ? 's' : 'c',
                 host < t->server_cnt ? host + 1 : host - t->server_cnt + 1);
}

void sim_trace_print_one(const struct sim_trace *t, const struct sim_record *r, FILE *out)
{
    static const char *const moments[] = {"sends",   "gets from the switch", "receives", "lost",
                                          "cut off", "dropped by the switch"};
    char text[SIM_VIEW_TEXT_MAX], who[8];
    name_host(t, r->host, who);
    fprintf(out, "%10llu.%03u us  %-4s ", (unsigned long long)(r->at / 1000),
            (unsigned)(r->at % 1000), who);
    if (r->moment == SIM_TRACE_NOTE) {
        fprintf(out, "%s\n", r->note);
        return;
    }
    const char *way = r->moment == SIM_LOST || r->moment == SIM_CUT
                          ? (r->to_switch ? " towards the switch" : " from the switch")
                          : "";
    fprintf(out, "%s%s: %s%s\n", moments[r->moment], way, sim_view_text(&r->view, text),
            r->corrupted ? " (corrupted)" : "");
}

void sim_trace_print(const struct sim_trace *t, uint32_t max, FILE *out)
{
    uint64_t had = t->cnt < SIM_TRACE_MAX ? t->cnt : SIM_TRACE_MAX;
    for (uint64_t i = had > max ? t->cnt - max : t->cnt - had; i < t->cnt; i++)
        sim_trace_print_one(t, &t->record[i % SIM_TRACE_MAX], out);
}
