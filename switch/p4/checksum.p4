/* One's complement sums (RFC 1071), for checksums that change incrementally (RFC 1624 eqn. 3). */
#ifndef CAPY_P4_CHECKSUM
#define CAPY_P4_CHECKSUM

#define SUM16(x) ((bit<32>)(x))
#define SUM32(x) ((bit<32>)((x)[31:16]) + (bit<32>)((x)[15:0]))
#define SUM48(x) ((bit<32>)((x)[47:32]) + SUM32(x))
#define SUM64(x) ((bit<32>)((x)[63:48]) + (bit<32>)((x)[47:32]) + SUM32(x))
#define SUM128(x) ((bit<32>)((x)[127:112]) + (bit<32>)((x)[111:96]) + (bit<32>)((x)[95:80]) + \
                   (bit<32>)((x)[79:64]) + SUM64(x))

/* What replacing the old value by the new one adds to a checksum's complement. */
#define CHANGE16(old, new) (SUM16(~(old)) + SUM16(new))
#define CHANGE32(old, new) (SUM32(~(old)) + SUM32(new))
#define CHANGE64(old, new) (SUM64(~(old)) + SUM64(new))
#define CHANGE128(old, new) (SUM128(~(old)) + SUM128(new))

/* delta: a sum of changes; not many more than 60,000 of them. */
control Amend(inout bit<16> check, in bit<32> delta) {
    bit<32> sum;
    apply {
        if (delta != 0) {
            sum = SUM16(~check) + delta;
            sum = (sum & 0xffff) + (sum >> 16);
            sum = (sum & 0xffff) + (sum >> 16);
            check = ~sum[15:0];
        }
    }
}

#endif
