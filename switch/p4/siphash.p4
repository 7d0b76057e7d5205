/* SipHash-1-3 (Aumasson and Bernstein, 2012; src/base/siphash.h) of up to nine whole words and a last one,
 * which holds the bytes behind them and, in its top byte, the length. For v1model: 64-bit additions and
 * rotations by any number of bits are what a Tofino's stage does not have. */
#ifndef CAPY_P4_SIPHASH
#define CAPY_P4_SIPHASH

/* Eight bytes of a header, a big-endian number to P4, are a little-endian one to SipHash. */
#define LE64(x) ((x)[7:0] ++ (x)[15:8] ++ (x)[23:16] ++ (x)[31:24] ++ \
                 (x)[39:32] ++ (x)[47:40] ++ (x)[55:48] ++ (x)[63:56])

struct sip_t {
    bit<64> k0;
    bit<64> k1;
    bit<8> words; /* how many of the following count */
    bit<64> w0; bit<64> w1; bit<64> w2; bit<64> w3; bit<64> w4;
    bit<64> w5; bit<64> w6; bit<64> w7; bit<64> w8;
    bit<64> last;
}

#define SIP_ROTATE(x, n) x = (x << n) | (x >> (64 - n))
#define SIP_ROUND \
    v0 = v0 + v1; SIP_ROTATE(v1, 13); v1 = v1 ^ v0; SIP_ROTATE(v0, 32); \
    v2 = v2 + v3; SIP_ROTATE(v3, 16); v3 = v3 ^ v2; \
    v0 = v0 + v3; SIP_ROTATE(v3, 21); v3 = v3 ^ v0; \
    v2 = v2 + v1; SIP_ROTATE(v1, 17); v1 = v1 ^ v2; SIP_ROTATE(v2, 32)
#define SIP_TAKE(w) v3 = v3 ^ w; SIP_ROUND; v0 = v0 ^ w
#define SIP_WORD(n) if (s.words > n) { SIP_TAKE(s.w##n); }

control SipHash(in sip_t s, out bit<64> tag) {
    bit<64> v0;
    bit<64> v1;
    bit<64> v2;
    bit<64> v3;
    apply {
        v0 = s.k0 ^ 0x736f6d6570736575;
        v1 = s.k1 ^ 0x646f72616e646f6d;
        v2 = s.k0 ^ 0x6c7967656e657261;
        v3 = s.k1 ^ 0x7465646279746573;
        SIP_WORD(0)
        SIP_WORD(1)
        SIP_WORD(2)
        SIP_WORD(3)
        SIP_WORD(4)
        SIP_WORD(5)
        SIP_WORD(6)
        SIP_WORD(7)
        SIP_WORD(8)
        SIP_TAKE(s.last);
        v2 = v2 ^ 0xff;
        SIP_ROUND;
        SIP_ROUND;
        SIP_ROUND;
        tag = v0 ^ v1 ^ v2 ^ v3;
    }
}

#endif
