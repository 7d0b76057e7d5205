/* Frames as fuzzers make them: any bytes, whose lengths and checksums are then put right so that they
 * get past the parser. */
#ifndef CAPY_TESTS_FUZZ_FRAMES_H
#define CAPY_TESTS_FUZZ_FRAMES_H

#include <stddef.h>
#include <stdint.h>

/* Puts right, in place, as far as there are headers: IPv4's total length, header checksum and IPv6's
 * payload length; the length of UDP; the checksums of TCP, UDP, ICMP and ICMPv6. */
void fuzz_fix_frame(uint8_t *frame, size_t len);
/* Sets both ECN bits when one is set: congestion was experienced (RFC 3168). */
void fuzz_mark_frame(uint8_t *frame, size_t len);

#endif
