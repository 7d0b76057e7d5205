/* The requests of an open loop. See supply.h. */
#include "apps/load/supply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WAITING_MAX                                                                                \
    (1u << 20) /* beyond it they are drawn when there is room, as late as that may be */

/* A phase begins the given time behind the warm-up's end; the first holds during the warm-up, too. */
static uint64_t phase_begin(const struct load_options *opt, unsigned i)
{
    return i == 0 ? 0 : opt->warm_up_ns + opt->phase[i].at_ns;
}

static int make_tables(struct load_supply *s, char *err, size_t err_len)
{
    for (unsigned i = 0; i < s->opt->phase_cnt; i++) {
        const struct load_phase *p = &s->opt->phase[i];
        struct load_skew_options skew = {
            .zipf_milli = s->opt->zipf_milli, .rotate = p->rotate, .weights = p->weights};
        if (load_skew_make(&s->skew[i], &skew, s->opt->connection_cnt, s->opt->target_cnt) < 0) {
            snprintf(err, err_len, "%s",
                     errno == EINVAL ? "no connection has any weight: more --connections, or other "
                                       "weights"
                                     : strerror(errno));
            return -1;
        }
    }
    return 0;
}

int load_supply_init(struct load_supply *s, const struct load_options *opt, char *err,
                     size_t err_len)
{
    struct load_rate rate[LOAD_PHASE_MAX];
    *s = (struct load_supply){.opt = opt, .end_at = LOAD_NEVER, .next_at = LOAD_NEVER};
    if (!opt->open_loop)
        return 0;
    for (unsigned i = 0; i < opt->phase_cnt; i++)
        rate[i] = (struct load_rate){phase_begin(opt, i), opt->phase[i].rate};
    load_arrivals_init(&s->arrivals, opt->process, rate, opt->phase_cnt, opt->seed);
    capy_prng_seed(&s->rng, ~opt->seed);
    if (opt->duration_ns > 0)
        s->end_at = opt->warm_up_ns + opt->duration_ns;
    if (!load_backlog_init(&s->backlog, opt->connection_cnt + 1, WAITING_MAX)) {
        snprintf(err, err_len, "out of memory for requests that wait");
        return -1;
    }
    if (opt->spread == LOAD_SPREAD_WEIGHTS && make_tables(s, err, err_len) < 0) {
        load_supply_free(s);
        return -1;
    }
    s->next_at = load_arrivals_next(&s->arrivals);
    return 0;
}

bool load_supply_all_drawn(const struct load_supply *s)
{
    if (s->opt->request_max > 0 && s->due_cnt >= s->opt->request_max)
        return true;
    return s->opt->duration_ns == 0 && s->next_at == LOAD_NEVER;
}

uint64_t load_supply_next_at(const struct load_supply *s)
{
    return s->next_at >= s->end_at || load_supply_all_drawn(s) ? LOAD_NEVER : s->next_at;
}

bool load_supply_draw(struct load_supply *s, uint64_t now, uint64_t *at_ns, uint32_t *conn)
{
    uint64_t at = load_supply_next_at(s);
    if (at > now || at == LOAD_NEVER)
        return false;
    while (s->phase + 1 < s->opt->phase_cnt && phase_begin(s->opt, s->phase + 1) <= at)
        s->phase++;
    *at_ns = at;
    *conn = s->opt->spread == LOAD_SPREAD_FREE ? LOAD_ANYBODY
                                               : load_skew_draw(&s->skew[s->phase], &s->rng);
    s->due_cnt++;
    s->next_at = load_arrivals_next(&s->arrivals);
    return true;
}

bool load_supply_due(struct load_supply *s, uint64_t now, uint64_t *at_ns, uint32_t *conn)
{
    return s->backlog.cnt < s->backlog.room && load_supply_draw(s, now, at_ns, conn);
}

uint64_t load_supply_pass(struct load_supply *s, uint64_t now)
{
    uint64_t to = now < s->end_at ? now : s->end_at, max = s->opt->request_max;
    if (load_supply_next_at(s) > to)
        return 0;
    uint64_t cnt = 1 + load_arrivals_pass(&s->arrivals, to); /* the next is drawn already */
    if (max > 0 && cnt > max - s->due_cnt)
        cnt = max - s->due_cnt;
    s->due_cnt += cnt;
    s->next_at = load_arrivals_next(&s->arrivals);
    return cnt;
}

/* The queue behind those of the connections is anybody's. */
static uint32_t queue_of(const struct load_supply *s, uint32_t conn)
{
    return s->opt->spread == LOAD_SPREAD_FREE ? s->opt->connection_cnt : conn;
}

void load_supply_keep(struct load_supply *s, uint64_t at_ns, uint32_t conn)
{
    (void)load_backlog_put(&s->backlog, queue_of(s, conn), at_ns);
}

bool load_supply_waiting(struct load_supply *s, uint32_t conn, uint64_t *at_ns)
{
    return s->opt->open_loop && load_backlog_take(&s->backlog, queue_of(s, conn), at_ns);
}

void load_supply_free(struct load_supply *s)
{
    load_backlog_free(&s->backlog);
    for (unsigned i = 0; i < LOAD_PHASE_MAX; i++)
        load_skew_free(&s->skew[i]);
}
