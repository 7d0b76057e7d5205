/* What the switch counts, by name: every drop, every verdict. `capy ctl counters switch` prints them. Header only. */
#ifndef CAPY_SWITCH_COUNTERS_H
#define CAPY_SWITCH_COUNTERS_H

#define CAPY_SWITCH_COUNTERS(X)                                                                    \
    X(frames_in)                                                                                   \
    X(forwarded) /* by MAC address */                                                              \
    X(flooded)                                                                                     \
    X(routed)               /* sent to the switch's MAC for a server's address */                  \
    X(rewritten_to_owner)   /* client -> owner */                                                  \
    X(rewritten_from_owner) /* owner -> client */                                                  \
    X(errors_to_owner)      /* ICMP about a segment that the owner sent */                         \
    X(to_home_of_tombstone)                                                                        \
    X(entries_installed)                                                                           \
    X(entries_settled)                                                                             \
    X(entries_given_back)                                                                          \
    X(entries_announced)                                                                           \
    X(entries_burned) /* made by CANCEL or NACK only to refuse an epoch */                         \
    X(entries_removed)                                                                             \
    X(entries_aged)                                                                                \
    X(directory_full)                                                                              \
    X(vip_assigned)     /* new connections to the service address */                               \
    X(vip_to_reset)     /* of no connection: sent to a server that will reset it */                \
    X(vip_half_evicted) /* a connection that was not complete gave way */                          \
    X(arp_answered)                                                                                \
    X(arp_proxied)                                                                                 \
    X(nd_answered) /* neighbour solicitations, as ARP requests */                                  \
    X(nd_proxied)                                                                                  \
    X(echo_answered)                                                                               \
    X(heartbeats)                                                                                  \
    X(server_restarts)                                                                             \
    X(mig_passed)                                                                                  \
    X(mig_bounced)                                                                                 \
    X(verdict_ok)                                                                                  \
    X(verdict_no_target)                                                                           \
    X(verdict_full)                                                                                \
    X(verdict_stale)                                                                               \
    X(verdict_settled)                                                                             \
    X(verdict_learning)                                                                            \
    X(drop_bad_port) /* ingress port out of range, or frame too long */                            \
    X(drop_runt)                                                                                   \
    X(drop_mixed_ip)        /* IPv4-mapped address inside IPv6 */                                  \
    X(drop_mac_spoofed)     /* a server's or the switch's MAC as source on another port */         \
    X(drop_ip_spoofed)      /* a server's IP address as source on another server's port */         \
    X(drop_same_port)       /* the destination is where it came from */                            \
    X(drop_to_switch)       /* for the switch itself, and nothing it answers */                    \
    X(drop_fenced)          /* from a server that does not own the flow */                         \
    X(drop_unowned)         /* no entry, without which it may not be said (flows.h) */             \
    X(drop_family)          /* flow and owner of different IP versions */                          \
    X(drop_vip_unknown)     /* to the service address, of no connection known yet */               \
    X(drop_vip_no_server)   /* a new connection that no server can take */                         \
    X(drop_vip_full)        /* a new connection that the directory has no slot for */              \
    X(drop_mig_client_port) /* TCPMig from a client-facing port */                                 \
    X(drop_mig_bypass)      /* TCPMig not addressed to the switch */                               \
    X(drop_mig_sender)      /* not the address or the id of a server on that port */               \
    X(drop_mig_malformed)                                                                          \
    X(drop_mig_tag)                                                                                \
    X(drop_mig_hash)                                                                               \
    X(drop_mig_field)   /* a server id or a port out of range */                                   \
    X(drop_mig_refused) /* an acknowledgement that contradicts the entry */                        \
    X(drop_mig_version) /* of another version than ours: the releases differ */

enum capy_switch_counter {
#define X(name) CAPY_COUNT_##name,
    CAPY_SWITCH_COUNTERS(X)
#undef X
        CAPY_COUNT_END
};

#endif
