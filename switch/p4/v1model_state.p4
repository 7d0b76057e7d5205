/* The memory of the v1model program: registers, and the actions that read and write them. Included inside
 * the ingress control. A packet passes ingress alone, so what is read is still so when it is written. */

    /* ---- the migration directory (paper §3.2): two levels, one after the other ---- */

    register<bit<48>>(2 * CAPY_SLOTS) dir_client_high; /* in three: the control program can read 63 bits */
    register<bit<48>>(2 * CAPY_SLOTS) dir_client_middle;
    register<bit<32>>(2 * CAPY_SLOTS) dir_client_low;
    register<bit<48>>(2 * CAPY_SLOTS) dir_flow;     /* home server, client port, home port */
    register<bit<48>>(2 * CAPY_SLOTS) dir_state;    /* epoch, phase, flags */
    register<bit<48>>(2 * CAPY_SLOTS) dir_owner;    /* id, port, generation */
    register<bit<48>>(2 * CAPY_SLOTS) dir_previous; /* likewise */
    register<bit<64>>(2 * CAPY_SLOTS) dir_mig_id;
    register<time_t>(2 * CAPY_SLOTS) dir_touched;
    register<time_t>(2 * CAPY_SLOTS) dir_closing;
    register<time_t>(2 * CAPY_SLOTS) dir_pending;

    bit<48> word = 0;
    bit<48> client_high = 0;
    bit<32> client_low = 0;

    action load_entry(in bit<32> at, out entry_t x) {
        dir_client_high.read(client_high, at);
        dir_client_low.read(client_low, at);
        dir_client_middle.read(word, at);
        x.client = client_high ++ word ++ client_low;
        dir_flow.read(word, at);
        x.home = word[47:32];
        x.client_port = word[31:16];
        x.home_port = word[15:0];
        dir_state.read(word, at);
        x.epoch = word[47:16];
        x.phase = word[15:8];
        x.flags = word[7:0];
        dir_owner.read(word, at);
        x.owner = word[47:32];
        x.owner_port = word[31:16];
        x.owner_gen = word[15:0];
        dir_previous.read(word, at);
        x.previous = word[47:32];
        x.previous_port = word[31:16];
        x.previous_gen = word[15:0];
        dir_mig_id.read(x.mig_id, at);
        dir_touched.read(x.touched_at, at);
        dir_closing.read(x.closing_at, at);
        dir_pending.read(x.pending_at, at);
    }

    action store_entry(in bit<32> at, in entry_t x) {
        dir_client_high.write(at, x.client[127:80]);
        dir_client_middle.write(at, x.client[79:32]);
        dir_client_low.write(at, x.client[31:0]);
        dir_flow.write(at, x.home ++ x.client_port ++ x.home_port);
        dir_state.write(at, x.epoch ++ x.phase ++ x.flags);
        dir_owner.write(at, x.owner ++ x.owner_port ++ x.owner_gen);
        dir_previous.write(at, x.previous ++ x.previous_port ++ x.previous_gen);
        dir_mig_id.write(at, x.mig_id);
        dir_touched.write(at, x.touched_at);
        dir_closing.write(at, x.closing_at);
        dir_pending.write(at, x.pending_at);
    }

    /* ---- the servers: each one's own report, raised by what was sent there since ---- */

    register<time_t>(CAPY_SERVERS) server_heard; /* 0: never */
    register<bit<64>>(CAPY_SERVERS) server_incarnation;
    register<bit<16>>(CAPY_SERVERS) server_gen; /* counts incarnations */
    register<bit<32>>(CAPY_SERVERS) server_load;
    register<bit<32>>(CAPY_SERVERS) server_free;
    register<bit<32>>(CAPY_SERVERS) server_share; /* what a connection of it costs, on average */
    register<bit<8>>(CAPY_SERVERS) server_takes;  /* families it has addresses of; 0: draining */
    register<bit<8>>(CAPY_SERVERS) server_families; /* by the control program */
    register<bit<16>>(1) last_chosen;             /* equals take turns */
    register<time_t>(1) booted;
    register<bit<8>>(CAPY_MAGLEV_SLOTS) maglev; /* servers, by the control program; 255: none */

    bit<16> watched_gen = 0;
    time_t watched_from = 0;

    action watch(in entry_t x, out watch_t of) {
        server_gen.read(watched_gen, (bit<32>)x.owner);
        server_heard.read(watched_from, (bit<32>)x.owner);
        of.owner_alive = watched_from != 0 && meta.now < watched_from + lease;
        watched_from = watched_from == 0 ? learn_until : watched_from;
        of.owner_restarted = watched_gen != x.owner_gen;
        of.owner_dead = of.owner_restarted || meta.now >= watched_from + (lease << 3);
        of.owner_gone = of.owner_restarted || meta.now >= watched_from + (lease << 4);
        server_gen.read(watched_gen, (bit<32>)x.previous);
        server_heard.read(watched_from, (bit<32>)x.previous);
        watched_from = watched_from == 0 ? learn_until : watched_from;
        of.previous_dead = watched_gen != x.previous_gen || meta.now >= watched_from + (lease << 3);
    }

    /* ---- stations: where MAC addresses were last heard; one that finds its place taken takes it ---- */

    register<bit<64>>(CAPY_STATIONS) station_place; /* port, MAC */
    register<time_t>(CAPY_STATIONS) station_heard;

    /* ---- counters ---- */

    register<bit<64>>(CAPY_COUNTERS) counts;
    bit<64> count_value = 0;

    action count_at(in bit<32> i) {
        counts.read(count_value, i);
        counts.write(i, count_value + 1);
    }
#define COUNT(name) count_at(COUNT_##name)
