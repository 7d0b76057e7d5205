/* When requests are due, from the command line. See schedule.h. */
#include "apps/load/schedule.h"

#include "apps/common/arguments.h"
#include "apps/load/quantity.h"
#include "apps/load/skew.h"
#include <string.h>

#define MILLI 1000u
#define FACTOR_MAX 1000u /* of bursts, and of shifts */
#define ZIPF_MAX_MILLI (10 * MILLI)
#define SWEEP_MAX 1000u /* runs */

static int wrong(const char *text, const char *remedy)
{
    (void)capy_arguments_wrong("load", text, remedy);
    return -1;
}

/* "zipf:1.2" after "zipf:". NULL: text does not begin so. */
static const char *behind(const char *text, const char *begin)
{
    size_t len = strlen(begin);
    return strncmp(text, begin, len) == 0 ? text + len : NULL;
}

static bool read_rate(const char *text, size_t len, uint64_t *out)
{
    return load_quantity_count(text, len, LOAD_RATE_MAX, out);
}

void load_schedule_begin(struct load_options *opt)
{
    opt->phase_cnt = 1;
    opt->phase[0] = (struct load_phase){.factor_milli = MILLI};
}

void load_options_set_rate(struct load_options *opt, uint64_t rate)
{
    for (unsigned i = 0; i < opt->phase_cnt; i++) {
        struct load_phase *p = &opt->phase[i];
        if (p->factor_milli > 0)
            p->rate = rate * p->factor_milli / MILLI;
    }
}

int load_schedule_rate(struct load_options *opt, const char *text)
{
    if (!read_rate(text, strlen(text), &opt->phase[0].rate) || opt->phase[0].rate == 0)
        return wrong(text, " is no rate; write 5000, 10k or 1.5M requests/s, up to 100M, or leave "
                           "--rate out to ask again as soon as answered");
    opt->open_loop = true;
    return 0;
}

/* bursty:PERIOD:FACTOR, from the period on. */
static bool read_bursts(const char *text, struct load_process *out)
{
    const char *colon = strchr(text, ':');
    uint64_t period, factor;
    if (!colon ||
        !load_quantity_time(text, (size_t)(colon - text), LOAD_DURATION_MAX_NS, &period) ||
        !load_quantity_count(colon + 1, strlen(colon + 1), FACTOR_MAX, &factor) || factor < 2 ||
        period < factor)
        return false;
    *out = (struct load_process){
        .poisson = true, .burst_period_ns = period, .burst_factor = (uint32_t)factor};
    return true;
}

int load_schedule_arrivals(struct load_options *opt, const char *text)
{
    const char *bursts = behind(text, "bursty:");
    opt->arrivals_given = true;
    if (strcmp(text, "poisson") == 0)
        opt->process = (struct load_process){.poisson = true};
    else if (strcmp(text, "constant") == 0)
        opt->process = (struct load_process){.poisson = false};
    else if (!bursts || !read_bursts(bursts, &opt->process))
        return wrong(text, ": --arrivals are poisson, constant, or bursty:PERIOD:FACTOR, as in "
                           "bursty:10ms:5");
    return 0;
}

int load_schedule_skew(struct load_options *opt, const char *text)
{
    const char *zipf = behind(text, "zipf:");
    uint64_t s = 0;
    opt->spread = LOAD_SPREAD_WEIGHTS;
    if (strcmp(text, "free") == 0)
        opt->spread = LOAD_SPREAD_FREE;
    else if (strcmp(text, "uniform") != 0 &&
             (!zipf || !load_quantity_milli(zipf, strlen(zipf), ZIPF_MAX_MILLI, &s) || s == 0))
        return wrong(text, ": --skew is free, uniform, or zipf:S, as in zipf:1.2");
    opt->zipf_milli = (uint32_t)s;
    return 0;
}

/* A,B,... */
static bool read_weights(const char *text, struct load_phase *p)
{
    p->weights_cnt = 0;
    for (;;) {
        size_t len = strcspn(text, ",");
        uint64_t weight;
        if (p->weights_cnt == LOAD_TARGET_MAX ||
            !load_quantity_count(text, len, LOAD_WEIGHT_MAX, &weight))
            return false;
        p->weights[p->weights_cnt++] = (uint16_t)weight;
        if (text[len] == '\0')
            return true;
        text += len + 1;
    }
}

int load_schedule_weights(struct load_options *opt, const char *text)
{
    return read_weights(text, &opt->phase[0])
               ? 0
               : wrong(text, ": --weights are numbers up to 1000, one per target, as in 8,1,1");
}

/* What changes: rate=2x, rate=50k, weights=8,1,1, rotate=N. */
static bool read_change(const char *text, struct load_phase *p)
{
    const char *rate = behind(text, "rate="), *weights = behind(text, "weights="),
               *rotate = behind(text, "rotate=");
    uint64_t n;
    if (weights)
        return read_weights(weights, p);
    if (rotate) {
        if (!load_quantity_count(rotate, strlen(rotate), LOAD_CONNECTION_MAX, &n))
            return false;
        p->rotate += (uint32_t)n;
        return true;
    }
    size_t len = rate ? strlen(rate) : 0;
    if (len > 1 && rate[len - 1] == 'x')
        return load_quantity_milli(rate, len - 1, FACTOR_MAX * MILLI, &p->factor_milli) &&
               p->factor_milli > 0;
    p->factor_milli = 0;
    return read_rate(rate ? rate : "", len, &p->rate);
}

int load_schedule_shift(struct load_options *opt, const char *text)
{
    const char *colon = strchr(text, ':');
    struct load_phase next = opt->phase[opt->phase_cnt - 1];
    if (!colon ||
        !load_quantity_time(text, (size_t)(colon - text), LOAD_DURATION_MAX_NS, &next.at_ns) ||
        !read_change(colon + 1, &next))
        return wrong(text, ": --shift is TIME:rate=2x, :rate=50k, :weights=8,1,1 or :rotate=N, as "
                           "in 2s:rate=2x");
    uint64_t last = opt->phase[opt->phase_cnt - 1].at_ns;
    if (next.at_ns < last || next.at_ns == 0)
        return wrong(text, ": shifts come in the order of their times, the first after 0s");
    if (next.at_ns > last && opt->phase_cnt == LOAD_PHASE_MAX)
        return wrong(text, ": more than 32 --shift");
    opt->phase_cnt += next.at_ns > last;
    opt->phase[opt->phase_cnt - 1] = next;
    return 0;
}

int load_schedule_sweep(struct load_options *opt, const char *text)
{
    const char *dots = strstr(text, ".."), *slash = strchr(text, '/');
    if (!dots || !slash || slash < dots ||
        !read_rate(text, (size_t)(dots - text), &opt->sweep_from) ||
        !read_rate(dots + 2, (size_t)(slash - dots) - 2, &opt->sweep_to) ||
        !read_rate(slash + 1, strlen(slash + 1), &opt->sweep_step) || opt->sweep_from == 0 ||
        opt->sweep_step == 0 || opt->sweep_to < opt->sweep_from)
        return wrong(text, ": --sweep is FROM..TO/STEP, as in 10k..100k/10k");
    if ((opt->sweep_to - opt->sweep_from) / opt->sweep_step >= SWEEP_MAX)
        return wrong(text, ": more than 1000 runs; a larger STEP");
    return 0;
}

static int check_weights(struct load_options *opt)
{
    for (unsigned i = 0; i < opt->phase_cnt; i++) {
        struct load_phase *p = &opt->phase[i];
        if (p->weights_cnt > 0 && p->weights_cnt != opt->target_cnt)
            return wrong("weights", ": as many as there are targets");
        if (p->weights_cnt > 0)
            opt->spread = LOAD_SPREAD_WEIGHTS;
        for (; p->weights_cnt < opt->target_cnt; p->weights_cnt++)
            p->weights[p->weights_cnt] = 1;
    }
    return 0;
}

int load_schedule_check(struct load_options *opt)
{
    uint64_t most = opt->sweep_step > 0 ? opt->sweep_to : opt->phase[0].rate;
    if (opt->sweep_step > 0 && opt->open_loop)
        return wrong("--sweep and --rate", " exclude each other");
    if (opt->sweep_step > 0)
        opt->open_loop = true;
    if (check_weights(opt) < 0)
        return -1;
    if (!opt->open_loop &&
        (opt->phase_cnt > 1 || opt->spread != LOAD_SPREAD_FREE || opt->arrivals_given))
        return wrong("arrivals, skew, weights and shifts", " are of an open loop: add --rate N");
    if (opt->sweep_step > 0 && opt->duration_ns == 0)
        return wrong("--sweep", " needs --seconds, of each run");
    if (opt->duration_ns > 0 && opt->phase[opt->phase_cnt - 1].at_ns >= opt->duration_ns)
        return wrong("--shift", ": the run is over before the last one; more --seconds");
    load_options_set_rate(opt, most);
    for (unsigned i = 0; i < opt->phase_cnt; i++) {
        uint64_t factor = opt->process.burst_period_ns > 0 ? opt->process.burst_factor : 1;
        if (opt->phase[i].rate > LOAD_RATE_MAX / factor)
            return wrong("the rate at its highest", " is above 100M requests/s");
    }
    return 0;
}
