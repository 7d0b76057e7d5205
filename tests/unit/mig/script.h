/* A small stage for scripts over the migration machines: fixed key, settable time, a pool of blocks,
 * and a stub snapshot of patterned bytes (the machines read nothing else of a connection). */
#ifndef CAPY_TESTS_MIG_SCRIPT_H
#define CAPY_TESTS_MIG_SCRIPT_H

#include "mig/message.h"
#include "mig/mig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SELF 1u
#define OTHER 2u
#define MIG_ID 0x1111222200000001u
#define EPOCH 5u

struct stage {
    struct capy_mig_cfg cfg;
    struct capy_blocks blocks;
    struct capy_mig_env env;
    struct capy_mig_tagger tagger;
    struct capy_mig_pace origin_pace, target_pace;
    void *mem;
    uint8_t out[CAPY_MIG_HEADER_LEN + CAPY_MIG_PAYLOAD_MAX];
    struct capy_mig_msg msg; /* the last one taken */
};

static const struct capy_key STAGE_KEY = {0x0102030405060708u, 0x1112131415161718u};

static inline struct capy_flow_key stage_flow(void)
{
    return (struct capy_flow_key){capy_ip_from_v4(0x0a0000c8), capy_ip_from_v4(0x0a000001), 5000,
                                  80};
}

static inline void stage_open(struct stage *s, uint32_t block_cnt)
{
    struct capy_arena a = {NULL, 0};
    memset(s, 0, sizeof *s);
    capy_blocks_init(&s->blocks, &a, block_cnt);
    s->mem = aligned_alloc(64, (a.used + 63u) & ~(size_t)63u);
    a = (struct capy_arena){s->mem, 0};
    capy_blocks_init(&s->blocks, &a, block_cnt);
    capy_mig_cfg_default(&s->cfg);
    capy_mig_pace_init(&s->origin_pace, &s->cfg);
    capy_mig_pace_init(&s->target_pace, &s->cfg);
    capy_mig_tagger_init(&s->tagger, STAGE_KEY);
    s->env = (struct capy_mig_env){.cfg = &s->cfg,
                                   .blocks = &s->blocks,
                                   .key = STAGE_KEY,
                                   .tagger = &s->tagger,
                                   .self = SELF,
                                   .now = CAPY_SEC(1),
                                   .origin_pace = &s->origin_pace,
                                   .target_pace = &s->target_pace};
}

static inline void stage_close(struct stage *s)
{
    assert_int_equal(s->blocks.pool.free_cnt, s->blocks.pool.cnt);
    free(s->mem);
}

static inline uint8_t stage_byte(uint32_t i)
{
    return (uint8_t)(i * 13u + (i >> 8) * 5u + 1u);
}

uint32_t capy_snap_len(const struct capy_snap *snap)
{
    return snap->recv_len;
}

void capy_snap_read(struct capy_snap *snap, const struct capy_blocks *blocks, uint32_t offset,
                    uint8_t *out, uint32_t len)
{
    (void)blocks;
    assert_true(offset + len <= snap->recv_len);
    for (uint32_t i = 0; i < len; i++)
        out[i] = stage_byte(offset + i);
}

/* Parses what a machine wrote. */
static inline bool stage_take(struct stage *s, size_t len)
{
    if (len == 0)
        return false;
    assert_int_equal(capy_mig_parse(s->out, len, STAGE_KEY, &s->msg), CAPY_MIG_GOOD);
    return true;
}

#endif
