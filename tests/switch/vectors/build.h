/* Bytes of a described frame. A builder of its own, from the RFCs and docs/protocol.md §1, and not the
 * code under test: what both got wrong in the same way would go unseen. SipHash alone is shared
 * (base/siphash.h, tested against its authors' vectors). */
#ifndef CAPY_TESTS_VECTORS_BUILD_H
#define CAPY_TESTS_VECTORS_BUILD_H

#include "spec.h"

#define BUILD_MAX 2200u
#define TCPMIG_PORT 10002u

/* The rack key that tags are made with. */
#define BUILD_KEY0 11u
#define BUILD_KEY1 22u

struct frame {
    size_t len;
    uint8_t data[BUILD_MAX];
};

/* A frame to or from the switch's port of this number: an outgoing TCPMig message goes to who is
 * there, from who sent it when that is another, else from the switch. */
void build_in(enum rack_kind rack, const struct spec *s, struct frame *out);
void build_out(enum rack_kind rack, const struct spec *s, uint16_t port, struct frame *out);

/* TCPMig's 96 bytes and the payload at p; returns their length (build_mig.c). */
size_t build_message(enum rack_kind rack, const struct spec *s, uint8_t *p);

/* One's complement sum (RFC 1071) of bytes, not complemented. */
uint32_t build_sum(uint32_t sum, const uint8_t *p, size_t len);
uint16_t build_fold(uint32_t sum);
void build_put16(uint8_t *p, uint16_t value);
void build_put32(uint8_t *p, uint32_t value);
void build_put64(uint8_t *p, uint64_t value);

#endif
