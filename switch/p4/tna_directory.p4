/* The migration directory on a Tofino (paper §3.2): a register per word of the entry and level, each touched
 * once in a pass. The words that say whose a slot is are read of both levels; the others of the one that
 * counts, so that they need their place in the packet's headers once. "What it takes": docs/switch.md. */
#ifndef CAPY_P4_TNA_DIRECTORY
#define CAPY_P4_TNA_DIRECTORY

struct name_t {
    bool write; /* put this there; else read it */
    bit<32> client;
    bit<32> ports; /* client port, home port */
    bit<32> who;   /* home, owner, previous: a byte each; phase */
    bit<32> local; /* ports of owner and previous */
}

struct words_t {
    bool write;
    bit<32> epoch;
    bit<32> gens; /* of owner and previous */
    bit<32> mig_high;
    bit<32> mig_low;
    bit<8> flags;
}

#define WORD(s, name, type) \
    Register<type, bit<16>>(CAPY_SLOTS, 0) name; \
    RegisterAction<type, bit<16>, type>(name) read_##name = { \
        void apply(inout type value, out type result) { \
            result = value; \
        } \
    }; \
    RegisterAction<type, bit<16>, type>(name) write_##name = { \
        void apply(inout type value, out type result) { \
            value = s.name; \
            result = value; \
        } \
    };
#define READ_OR_WRITE(s, name) \
    if (s.write) \
        write_##name.execute(slot); \
    else \
        s.name = read_##name.execute(slot);

control Name(inout name_t n, in bit<16> slot) {
    WORD(n, client, bit<32>)
    WORD(n, ports, bit<32>)
    WORD(n, who, bit<32>)
    WORD(n, local, bit<32>)
    apply {
        READ_OR_WRITE(n, client)
        READ_OR_WRITE(n, ports)
        READ_OR_WRITE(n, who)
        READ_OR_WRITE(n, local)
    }
}

/* steered: a segment passes, which leaves its mark in the flags, and the time. A mark is only ever added
 * here; what takes one away is a message. */
control Words(inout words_t w, in bit<16> slot, in bool steered, in bit<8> mark, in bit<32> now) {
    WORD(w, epoch, bit<32>)
    WORD(w, gens, bit<32>)
    WORD(w, mig_high, bit<32>)
    WORD(w, mig_low, bit<32>)
    WORD(w, flags, bit<8>)
    RegisterAction<bit<8>, bit<16>, bit<8>>(flags) mark_flags = {
        void apply(inout bit<8> value, out bit<8> result) {
            value = value | mark;
            result = value;
        }
    };
    Register<bit<32>, bit<16>>(CAPY_SLOTS, 0) touched; /* the control program reads it */
    RegisterAction<bit<32>, bit<16>, bit<32>>(touched) touch = {
        void apply(inout bit<32> value, out bit<32> result) {
            value = now;
            result = value;
        }
    };
    apply {
        READ_OR_WRITE(w, gens)
        READ_OR_WRITE(w, epoch)
        READ_OR_WRITE(w, mig_high)
        READ_OR_WRITE(w, mig_low)
        if (steered)
            w.flags = mark_flags.execute(slot);
        else READ_OR_WRITE(w, flags)
        if (steered || w.write)
            touch.execute(slot);
    }
}

#endif
