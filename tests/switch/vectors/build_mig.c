/* TCPMig messages of a description: docs/protocol.md §1, byte by byte. */
#include "base/siphash.h"
#include "build.h"
#include <string.h>

enum { HEADER = 96, TAGGED = 76 };

static void put_flow(enum rack_kind rack, const struct spec_mig *m, uint8_t *p)
{
    place_address(rack, &m->client, p + 32);
    place_address(rack, &m->home, p + 48);
    if (m->client.n == PLACE_NONE && m->home.n == PLACE_NONE) /* a message about no flow */
        memset(p + 32, 0, 32);
    build_put16(p + 64, m->client.port);
    build_put16(p + 66, m->home.port);
}

/* What the tag is of, in its order: docs/protocol.md §1. */
static uint64_t tag_of(struct capy_key key, const uint8_t *p)
{
    static const struct {
        uint8_t at, len;
    } part[] = {{8, 8}, {32, 36}, {16, 4}, {24, 8}, {0, 8}, {72, 8}, {20, 4}};
    uint8_t bytes[TAGGED];
    size_t len = 0;
    for (size_t i = 0; i < sizeof part / sizeof part[0]; i++) {
        memcpy(bytes + len, p + part[i].at, part[i].len);
        len += part[i].len;
    }
    return capy_siphash13(key, bytes, len);
}

size_t build_message(enum rack_kind rack, const struct spec *s, uint8_t *p)
{
    static const struct capy_key key = {BUILD_KEY0, BUILD_KEY1};
    const struct spec_mig *m = &s->mig;
    memset(p, 0, HEADER);
    memcpy(p + HEADER, s->payload, s->payload_len);
    p[0] = m->version;
    p[1] = m->type;
    p[2] = m->reason;
    p[3] = m->flags;
    build_put16(p + 4, m->origin);
    build_put16(p + 6, m->target);
    build_put64(p + 8, m->id);
    build_put32(p + 16, m->epoch);
    build_put32(p + 20, m->total_set ? m->total : m->offset + s->payload_len);
    build_put32(p + 24, m->offset);
    build_put16(p + 28, (uint16_t)(s->payload_len + m->length_more));
    build_put16(p + 30, m->target_port);
    put_flow(rack, m, p);
    uint64_t hash = s->payload_len > 0 ? capy_siphash13(key, p + HEADER, s->payload_len) : 0;
    build_put64(p + 72, hash + m->bad_hash);
    build_put64(p + 80, tag_of(key, p) + m->bad_tag);
    p[88] = m->verdict;
    p[89] = m->phase;
    build_put16(p + 90, m->owner);
    build_put32(p + 92, m->entry_epoch);
    return HEADER + s->payload_len;
}
