/* Division by a number that is known only at run time, which P4 does not have: bit by bit. */
#ifndef CAPY_P4_DIVIDE
#define CAPY_P4_DIVIDE

#define DIVIDE_BIT \
    rest = (rest << 1) | (bit<33>)(quotient >> 31); \
    quotient = quotient << 1; \
    if (rest >= (bit<33>)b) { \
        rest = rest - (bit<33>)b; \
        quotient = quotient | 1; \
    }
#define DIVIDE_4_BITS DIVIDE_BIT DIVIDE_BIT DIVIDE_BIT DIVIDE_BIT

/* b: not 0. */
control Divide(in bit<32> a, in bit<32> b, out bit<32> quotient, out bit<32> remainder) {
    bit<33> rest;
    apply {
        rest = 0;
        quotient = a;
        DIVIDE_4_BITS
        DIVIDE_4_BITS
        DIVIDE_4_BITS
        DIVIDE_4_BITS
        DIVIDE_4_BITS
        DIVIDE_4_BITS
        DIVIDE_4_BITS
        DIVIDE_4_BITS
        remainder = (bit<32>)rest;
    }
}

#endif
