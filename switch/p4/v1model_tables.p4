/* What the control program tells: the rack. Included inside the ingress control. */

    /* The switch itself, and the numbers of the rack file. Until it is told, it passes nothing. */
    bool configured = false;
    bit<48> own_mac = 0;
    bit<128> own_ip = 0;  /* TCPMig comes here, from the servers' primary addresses */
    bit<128> own_ip6 = 0; /* a second one, or 0 */
    bit<128> vip_ip = 0;  /* the service address */
    bit<128> vip_ip6 = 0; /* a second one, or 0 */
    bit<16> vip_cnt = 0;  /* its services; 0: there is none */
    bit<1> vip_by_table = 0; /* new connections ask maglev first */
    bit<16> server_cnt = 0;
    bit<16> mig_port_first = 0; /* a server's local ports for flows that migrated in */
    bit<16> mig_port_last = 0;
    time_t lease = 0;
    time_t learn = 0;
    time_t age = 0;
    time_t linger = 0;
    bit<64> boot_id = 0;
    bit<32> slot_mask = 0;
    bit<1> levels_are_two = 0;
    bit<64> rack_k0 = 0;
    bit<64> rack_k1 = 0;
    bit<64> hash_k0 = 0;
    bit<64> hash_k1 = 0;

    action configure(bit<48> mac, bit<128> ip, bit<128> ip6, bit<128> vip, bit<128> vip6,
                     bit<16> services, bit<1> by_table, bit<16> servers, bit<16> port_first,
                     bit<16> port_last, time_t lease_us, time_t learn_us, time_t age_us,
                     time_t linger_us, bit<64> boot, bit<32> mask, bit<1> two_levels, bit<64> key0,
                     bit<64> key1, bit<64> hash0, bit<64> hash1) {
        configured = true;
        own_mac = mac;
        own_ip = ip;
        own_ip6 = ip6;
        vip_ip = vip;
        vip_ip6 = vip6;
        vip_cnt = services;
        vip_by_table = by_table;
        server_cnt = servers;
        mig_port_first = port_first;
        mig_port_last = port_last;
        lease = lease_us;
        learn = learn_us;
        age = age_us;
        linger = linger_us;
        boot_id = boot;
        slot_mask = mask;
        levels_are_two = two_levels;
        rack_k0 = key0;
        rack_k1 = key1;
        hash_k0 = hash0;
        hash_k1 = hash1;
    }

    table rack {
        actions = { configure; NoAction; }
        default_action = NoAction();
    }

    /* Which ports there are, and who is behind them. */
    bool port_exists = false;
    bool from_server_port = false;

    action is_client_port() {
        port_exists = true;
    }

    action is_server_port() {
        port_exists = true;
        from_server_port = true;
    }

    action is_control_port() {
    }

    table ports {
        key = { standard_metadata.ingress_port: exact; }
        actions = { is_client_port; is_server_port; is_control_port; NoAction; }
        default_action = NoAction();
        size = 128;
    }

    /* The service address's services, by index and by port. Whoever is none has index VIP_PORTS. */
#define SERVICE_TABLE(name, what, none) \
    bit<16> name = none; \
    action set_##name(bit<16> value) { \
        name = value; \
    } \
    table name##_table { \
        key = { what: exact; } \
        actions = { set_##name; NoAction; } \
        default_action = NoAction(); \
        size = VIP_PORTS; \
    }

    SERVICE_TABLE(dst_service, meta.dst_port, VIP_PORTS)     /* index: of a client's segment, */
    SERVICE_TABLE(mig_service, hdr.mig.home_port, VIP_PORTS) /* of the flow that a message is about */
    SERVICE_TABLE(born_service, born_index, 0)               /* port: of a server's segment */

    /* Servers by address, of either version. */
#define SERVER_TABLE(name, address) \
    bit<16> name = NOBODY; \
    action set_##name(bit<16> id) { \
        name = id; \
    } \
    table name##_table { \
        key = { address: exact; } \
        actions = { set_##name; NoAction; } \
        default_action = NoAction(); \
        size = 2 * CAPY_SERVERS + 2; \
    }

    SERVER_TABLE(src_server, meta.src)
    SERVER_TABLE(dst_server, meta.dst)
    SERVER_TABLE(home_server, flow_home)
    SERVER_TABLE(asked_server, asked)
    SERVER_TABLE(src_mac_server, hdr.ethernet.src)
    SERVER_TABLE(dst_mac_server, hdr.ethernet.dst)

    /* Servers by id. */
#define PLACE_TABLE(name, id) \
    bit<48> name##_mac = 0; \
    bit<128> name##_ip = 0; \
    bit<128> name##_ip4 = 0; \
    bit<128> name##_ip6 = 0; \
    bit<16> name##_port = 0; \
    @noWarn("unused") action set_##name(bit<48> mac, bit<128> ip, bit<128> ip4, bit<128> ip6, bit<16> port) { \
        name##_mac = mac; \
        name##_ip = ip; \
        name##_ip4 = ip4; \
        name##_ip6 = ip6; \
        name##_port = port; \
    } \
    table name##_table { \
        key = { id: exact; } \
        actions = { set_##name; NoAction; } \
        default_action = NoAction(); \
        size = CAPY_SERVERS + 1; \
    }

    /* Of homes, the service address's also. One for each place of the program that asks: a table has one successor on bmv2. */
    PLACE_TABLE(mac_place, src_mac_server)     /* whose MAC it bears as source */
    PLACE_TABLE(dst_mac_place, dst_mac_server)
    PLACE_TABLE(segment_place, sender)         /* who sent a segment, if it is a server; */
    PLACE_TABLE(sender_place, sender)          /* or a message */
    PLACE_TABLE(home_place, home)              /* who the client thinks it talks to */
    PLACE_TABLE(owner_place, to)               /* who has the flow */
    PLACE_TABLE(named_place, e.home)           /* whose the flow is by name */
    PLACE_TABLE(peer_place, peer)              /* whom a message goes on to */
    PLACE_TABLE(asked_place, asked_server)     /* who is looked for by ARP */
    PLACE_TABLE(route_place, dst_server)
