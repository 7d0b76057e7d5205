/* Counters -> JSON by tables; see counters.h. */
#include "sock/counters.h"
#include "sock/os.h"
#include <stdio.h>
#include <string.h>

struct row {
    const char *name;
    size_t offset; /* of a uint64_t in the struct at hand */
};

#define CNT(a) (sizeof(a) / sizeof(a)[0])
#define FRAME(field)                                                                               \
    {                                                                                              \
#field, offsetof(struct capy_stack_counters, field)                                        \
    }
#define TCP(field)                                                                                 \
    {                                                                                              \
#field, offsetof(struct capy_tcp_counters, field)                                          \
    }
#define DRIVER(field)                                                                              \
    {                                                                                              \
#field, offsetof(struct capy_drv, field)                                                   \
    }

static const struct row driver_rows[] = {DRIVER(rx_frames), DRIVER(tx_frames), DRIVER(rx_drops),
                                         DRIVER(tx_drops)};

static const struct row frame_rows[] = {
    FRAME(frames_in),         FRAME(frames_out),      FRAME(arp_in),
    FRAME(icmp_in),           FRAME(udp_in),          FRAME(tcp_in),
    FRAME(not_ours),          FRAME(oversize),        FRAME(nd_bad),
    FRAME(address_claims),    FRAME(no_listener),     FRAME(no_slot),
    FRAME(backlog_full),      FRAME(neighbour_full),  FRAME(control_full),
    FRAME(syn_cookies_sent),  FRAME(syn_cookies_ok),  FRAME(syn_cookies_bad),
    FRAME(accept_full),       FRAME(pressure_resets), FRAME(time_wait_recycled),
    FRAME(half_open_evicted), FRAME(orphans_reset),   FRAME(vip_too_early),
};

static const struct row tcp_rows[] = {
    TCP(segs_in),        TCP(segs_out),           TCP(bytes_in),   TCP(bytes_out),
    TCP(retrans_segs),   TCP(fast_retrans),       TCP(rto_fired),  TCP(spurious_losses),
    TCP(dup_acks_in),    TCP(ooo_segs_in),        TCP(bad_seq),    TCP(bad_ack),
    TCP(paws_drops),     TCP(resets_in),          TCP(resets_out), TCP(challenge_acks),
    TCP(no_block_drops), TCP(zero_window_probes), TCP(ecn_opened), TCP(ecn_fallbacks),
    TCP(ce_segs_in),     TCP(ece_segs_in),        TCP(ecn_cuts),   TCP(keepalive_probes),
    TCP(icmp_ignored),   TCP(path_suspected),
};

static const struct row migration_rows[] = {
    FRAME(migrations_out),  FRAME(migrations_in),  FRAME(held_frames),   FRAME(hold_drops),
    FRAME(put_back_frames), FRAME(relayed_frames), FRAME(unknown_flows), FRAME(mig_from_stranger),
};

static json_t *rows_json(const struct row *rows, size_t cnt, const void *base)
{
    json_t *out = json_object();
    for (size_t i = 0; i < cnt; i++) {
        uint64_t n;
        memcpy(&n, (const uint8_t *)base + rows[i].offset, sizeof n);
        (void)json_object_set_new(out, rows[i].name, json_integer((json_int_t)n));
    }
    return out;
}

/* An array indexed by an enum, as an object: names with that prefix, zeros left out. */
static void add_named(json_t *out, const char *prefix, const uint64_t *values, unsigned cnt,
                      const char *(*name)(unsigned))
{
    for (unsigned i = 0; i < cnt; i++) {
        char key[64];
        if (values[i] == 0)
            continue;
        (void)snprintf(key, sizeof key, "%s%s", prefix, name(i));
        (void)json_object_set_new(out, key, json_integer((json_int_t)values[i]));
    }
}

static const char *drop_name(unsigned i)
{
    return capy_drop_name((enum capy_drop)i);
}

static const char *rate_name(unsigned i)
{
    return capy_rate_name((enum capy_rate)i);
}

static const char *why_name(unsigned i)
{
    return capy_why_name((enum capy_why)i);
}

static const char *bad_name(unsigned i)
{
    return capy_mig_bad_name((enum capy_mig_bad)i);
}

static json_t *trigger_counters(const struct capy *os)
{
    json_t *out = json_object();
    (void)json_object_set_new(out, "arrived", json_integer((json_int_t)os->trigger.moved_cnt));
    add_named(out, "", os->trigger.why_cnt, CAPY_WHY_CNT, why_name);
    return out;
}

json_t *capy_counters_json(struct capy *os)
{
    const struct capy_stack_counters *n = capy_stack_counters(os->stack);
    if (os->drv->ops->count)
        os->drv->ops->count(os->drv);
    json_t *drops = json_object();
    add_named(drops, "", n->drop, CAPY_DROP_CNT, drop_name);
    add_named(drops, "rate_", n->rate_limited, CAPY_RATE_CNT, rate_name);
    json_t *mig = rows_json(migration_rows, CNT(migration_rows), n);
    add_named(mig, "in_", n->mig_in, CAPY_MIG_TYPE_END, capy_mig_type_name);
    add_named(mig, "out_", n->mig_out, CAPY_MIG_TYPE_END, capy_mig_type_name);
    add_named(mig, "bad_", n->mig_bad, CAPY_MIG_BAD_CNT, bad_name);
    add_named(mig, "kept_reason_", n->kept_by_reason, CAPY_REASON_CNT, capy_mig_reason_name);
    add_named(mig, "kept_verdict_", n->kept_by_verdict, CAPY_VERDICT_CNT, capy_mig_verdict_name);
    add_named(mig, "refused_", n->refused_by_reason, CAPY_REASON_CNT, capy_mig_reason_name);
    json_t *reply = json_object();
    (void)json_object_set_new(reply, "driver", rows_json(driver_rows, CNT(driver_rows), os->drv));
    (void)json_object_set_new(reply, "frames", rows_json(frame_rows, CNT(frame_rows), n));
    (void)json_object_set_new(reply, "drops", drops);
    (void)json_object_set_new(reply, "tcp", rows_json(tcp_rows, CNT(tcp_rows), &n->tcp));
    (void)json_object_set_new(reply, "migration", mig);
    (void)json_object_set_new(reply, "trigger", trigger_counters(os));
    return reply;
}
