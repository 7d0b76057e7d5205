/* What happened in a run, how often: faults, extremes of configuration, what applications did, how
 * migrations ended, why connections ended. One list, so that whoever adds one sees it printed, and a
 * run of many seeds can say what never occurred. Plain values; may be added up over seeds. */
#ifndef CAPY_SIM_TALLY_H
#define CAPY_SIM_TALLY_H

#include <stdint.h>

/* X(group, name): the group is printed as a heading. "expected": a thousand seeds have it. */
#define SIM_TALLY(X)                                                                               \
    X(faults, lost)                                                                                \
    X(faults, repeated)                                                                            \
    X(faults, jittered) /* frames under jitter */                                                  \
    X(faults, spiked)                                                                              \
    X(faults, corrupted)                                                                           \
    X(faults, cut) /* frames onto a cut link, or to a host that is down or stalled */              \
    X(faults, partitions)                                                                          \
    X(faults, partitions_one_way)                                                                  \
    X(faults, crashes)                                                                             \
    X(faults, crashes_in_a_move)                                                                   \
    X(faults, reboots)                                                                             \
    X(faults, stalls)                                                                              \
    X(faults, stalls_with_ring)                                                                    \
    X(faults, drifting_clocks)                                                                     \
    X(faults, pools_exhausted) /* servers that dropped bytes for want of a block */                \
    X(extremes, ipv4_alone)                                                                        \
    X(extremes, ipv6_alone)                                                                        \
    X(extremes, one_server)                                                                        \
    X(extremes, eight_servers)                                                                     \
    X(extremes, deaf_server)                                                                       \
    X(extremes, service_address)                                                                   \
    X(extremes, calm)                                                                              \
    X(extremes, tiny_pool)                                                                         \
    X(extremes, tiny_hold)                                                                         \
    X(extremes, tiny_hold_bytes)                                                                   \
    X(extremes, tiny_directory)                                                                    \
    X(extremes, one_level)                                                                         \
    X(extremes, few_migration_slots)                                                               \
    X(extremes, little_memory)                                                                     \
    X(extremes, few_connections)                                                                   \
    X(extremes, small_buffers)                                                                     \
    X(extremes, small_mtu)                                                                         \
    X(extremes, small_states)                                                                      \
    X(extremes, encrypted)                                                                         \
    X(extremes, cookies)                                                                           \
    X(extremes, no_cookies)                                                                        \
    X(extremes, newreno)                                                                           \
    X(extremes, dctcp)                                                                             \
    X(extremes, ecn_off)                                                                           \
    X(extremes, ecn_offered)                                                                       \
    X(extremes, no_timestamps)                                                                     \
    X(extremes, no_sack)                                                                           \
    X(extremes, no_window_scale)                                                                   \
    X(extremes, no_nagle)                                                                          \
    X(extremes, keepalive)                                                                         \
    X(extremes, user_timeout)                                                                      \
    X(policies, random)                                                                            \
    X(policies, drain)                                                                             \
    X(policies, least_loaded)                                                                      \
    X(policies, ping_pong)                                                                         \
    X(policies, storm)                                                                             \
    X(applications, streams)                                                                       \
    X(applications, requests)                                                                      \
    X(applications, idle)                                                                          \
    X(applications, short_lives)                                                                   \
    X(applications, opened_by_servers)                                                             \
    X(applications, to_the_service_address)                                                        \
    X(applications, ports_used_again)                                                              \
    X(applications, stalled)                                                                       \
    X(applications, reset_by_client)                                                               \
    X(applications, reset_by_server)                                                               \
    X(applications, asked)                                                                         \
    X(applications, let_go_late)                                                                   \
    X(applications, never_let_go)                                                                  \
    X(applications, vetoed)                                                                        \
    X(applications, closed_when_asked)                                                             \
    X(applications, reset_when_asked)                                                              \
    X(applications, large_state)                                                                   \
    X(migrations, begun)                                                                           \
    X(migrations, not_begun) /* capy_migrate said no */                                            \
    X(migrations, moved)                                                                           \
    X(migrations, kept)                                                                            \
    X(migrations, reclaimed) /* from a target that had imported, and died unseen */                \
    X(migrations, kept_draining)                                                                   \
    X(migrations, kept_full)                                                                       \
    X(migrations, kept_clash)                                                                      \
    X(migrations, kept_hold_expired)                                                               \
    X(migrations, kept_bad_state)                                                                  \
    X(migrations, kept_unknown_flow)                                                               \
    X(migrations, kept_no_service)                                                                 \
    X(migrations, kept_app_veto)                                                                   \
    X(migrations, kept_app_late)                                                                   \
    X(migrations, kept_no_answer)                                                                  \
    X(migrations, kept_state_late)                                                                 \
    X(migrations, kept_version)                                                                    \
    X(migrations, verdict_no_target)                                                               \
    X(migrations, verdict_full)                                                                    \
    X(migrations, verdict_stale)                                                                   \
    X(migrations, verdict_learning)                                                                \
    X(migrations, hold_drops)                                                                      \
    X(migrations, put_back)                                                                        \
    X(migrations, relayed)                                                                         \
    X(connections, opened)                                                                         \
    X(connections, whole) /* ended in order, every byte there */                                   \
    X(connections, ended_by_application)                                                           \
    X(connections, ended_by_crash)                                                                 \
    X(connections, ended_by_silence) /* its server was silent until taken for dead */              \
    X(connections, ended_by_pressure)                                                              \
    X(connections, ended_by_patience) /* user timeout, keep-alive */

enum sim_tally_name {
#define X(group, name) SIM_##group##_##name,
    SIM_TALLY(X)
#undef X
        SIM_TALLY_CNT
};

struct sim_tally {
    uint64_t n[SIM_TALLY_CNT];
};

const char *sim_tally_group(unsigned i);
const char *sim_tally_text(unsigned i); /* "kept full" */

#endif
