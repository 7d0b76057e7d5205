/* Indices of the counters; their names and their order are those of switch/core/counters.h. */
#ifndef CAPY_P4_COUNTERS
#define CAPY_P4_COUNTERS

#define COUNT_frames_in 0
#define COUNT_forwarded 1
#define COUNT_flooded 2
#define COUNT_routed 3
#define COUNT_rewritten_to_owner 4
#define COUNT_rewritten_from_owner 5
#define COUNT_errors_to_owner 6
#define COUNT_to_home_of_tombstone 7
#define COUNT_entries_installed 8
#define COUNT_entries_settled 9
#define COUNT_entries_given_back 10
#define COUNT_entries_announced 11
#define COUNT_entries_burned 12
#define COUNT_entries_removed 13
#define COUNT_entries_aged 14
#define COUNT_directory_full 15
#define COUNT_vip_assigned 16
#define COUNT_vip_to_reset 17
#define COUNT_vip_half_evicted 18
#define COUNT_arp_answered 19
#define COUNT_arp_proxied 20
#define COUNT_nd_answered 21
#define COUNT_nd_proxied 22
#define COUNT_echo_answered 23
#define COUNT_heartbeats 24
#define COUNT_server_restarts 25
#define COUNT_mig_passed 26
#define COUNT_mig_bounced 27
#define COUNT_verdict_ok 28
#define COUNT_verdict_no_target 29
#define COUNT_verdict_full 30
#define COUNT_verdict_stale 31
#define COUNT_verdict_settled 32
#define COUNT_verdict_learning 33
#define COUNT_drop_bad_port 34
#define COUNT_drop_runt 35
#define COUNT_drop_mixed_ip 36
#define COUNT_drop_mac_spoofed 37
#define COUNT_drop_ip_spoofed 38
#define COUNT_drop_same_port 39
#define COUNT_drop_to_switch 40
#define COUNT_drop_fenced 41
#define COUNT_drop_unowned 42
#define COUNT_drop_family 43
#define COUNT_drop_vip_unknown 44
#define COUNT_drop_vip_no_server 45
#define COUNT_drop_vip_full 46
#define COUNT_drop_mig_client_port 47
#define COUNT_drop_mig_bypass 48
#define COUNT_drop_mig_sender 49
#define COUNT_drop_mig_malformed 50
#define COUNT_drop_mig_tag 51
#define COUNT_drop_mig_hash 52
#define COUNT_drop_mig_field 53
#define COUNT_drop_mig_refused 54
#define COUNT_drop_mig_version 55
#define CAPY_COUNTERS 56

#endif
