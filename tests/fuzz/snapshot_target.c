/* Snapshots from anywhere: whatever is decoded is refused, or is a connection that behaves, and whose
 * encoding is the very bytes it came from.
 *
 * Input: one byte of conditions, then the encoding. */
#include "bytes.h"
#include "target.h"
#include "tcp/ranges.h"
#include "tcp/snapshot.h"

#define NOW CAPY_SEC(1000) /* of the host that decodes: some ages are longer */
#define BLOCKS 512u        /* what queues of 512 KiB take, and as much to decode from */
#define ROUNDS 24u

enum { SCARCE = 1, OLD = 2, OFFLOAD = 4 }; /* conditions: few blocks; a late now; large segments */

struct world {
    struct capy_tcp_cfg cfg;
    struct capy_tcp_counters count;
    struct capy_blocks blocks;
    struct capy_tcp_env env;
    struct capy_tcp tcb;
    struct capy_stream whole, app;
    struct capy_snap_meta meta;
};

static struct world w;

static void set_up(uint8_t conditions)
{
    static void *mem;
    struct capy_arena a = {NULL, 0};
    uint32_t cnt = conditions & SCARCE ? 8 : BLOCKS;
    if (!mem) {
        capy_blocks_init(&w.blocks, &a, BLOCKS);
        mem = fuzz_memory(a.used);
    }
    a = (struct capy_arena){mem, 0};
    capy_blocks_init(&w.blocks, &a, cnt);
    capy_tcp_cfg_default(&w.cfg);
    w.cfg.mss_max = 1460;
    w.count = (struct capy_tcp_counters){0};
    w.env = (struct capy_tcp_env){.cfg = &w.cfg,
                                  .blocks = &w.blocks,
                                  .count = &w.count,
                                  .now = conditions & OLD ? NOW << 16 : NOW,
                                  .burst_max = conditions & OFFLOAD ? 64000 : 0};
    capy_stream_init(&w.whole, 0);
}

static void check_same(const uint8_t *data, uint32_t len)
{
    static uint8_t again[BLOCKS * CAPY_BLOCK_LEN];
    struct capy_snap snap;
    capy_snap_take(&snap, &w.tcb, &w.env, &w.meta, &w.app);
    fuzz_check(capy_snap_len(&snap) == len, "%u bytes became %u", len, capy_snap_len(&snap));
    capy_snap_read(&snap, &w.blocks, 0, again, len);
    for (uint32_t i = 0; i < len; i++)
        fuzz_check(again[i] == data[i], "byte %u of %u: %02x became %02x", i, len, data[i],
                   again[i]);
}

/* A segment that the connection will take, or nearly. */
static void feed(uint32_t round)
{
    static const uint8_t data[1460];
    struct capy_tcp_segment seg = {
        .seq = {w.tcb.rcv.irs.v + (uint32_t)w.tcb.rcv.nxt},
        .ack = {w.tcb.snd.iss.v + (uint32_t)(round & 1 ? w.tcb.snd.nxt : w.tcb.snd.una)},
        .flags = (uint8_t)(CAPY_TCP_ACK | (round == 16 ? CAPY_TCP_FIN : 0) |
                           (round & 4 ? CAPY_TCP_ECE : 0)),
        .opts = w.tcb.ts_ok ? CAPY_TCP_OPT_TS : 0,
        .ts_val = w.tcb.rcv.ts_recent + 1,
        .ts_ecr = w.tcb.ts_offset,
        .window = (uint16_t)(round % 5 == 0 ? 0 : 1000 * round),
        .data = data,
        .data_len = round % 3 == 0   ? 0
                    : round % 3 == 1 ? 7
                                     : sizeof data,
    };
    if (round % 7 == 3)
        seg.seq.v += 2000; /* leaves a hole */
    if (w.tcb.sack_ok && round % 4 == 2) {
        seg.sack_cnt = 1;
        seg.sack[0] = (struct capy_sack_block){{seg.ack.v + 100}, {seg.ack.v + 1600}};
    }
    (void)capy_tcp_input(&w.tcb, &w.env, &seg, round & 3);
}

/* Uses it in every way there is: nothing may be assumed that the decoder did not check. */
static void use(void)
{
    static uint8_t out[65536];
    struct capy_tcp_segment seg;
    uint64_t offset;
    uint32_t got;
    for (uint32_t round = 0; round < ROUNDS && w.tcb.state != CAPY_TCP_CLOSED; round++) {
        for (int k = 0; k < 64 && capy_tcp_output(&w.tcb, &w.env, &seg, &offset); k++)
            if (seg.data_len > 0)
                capy_stream_read(&w.tcb.snd.queue, &w.blocks, offset, out, seg.data_len);
        feed(round);
        if (capy_tcp_read_span(&w.tcb, &w.env, 0, &got))
            capy_tcp_consume(&w.tcb, &w.env, got);
        if (round == 4)
            (void)capy_tcp_write(&w.tcb, &w.env, out, 5000);
        if (round == 12)
            capy_tcp_shutdown(&w.tcb, &w.env);
        if (round == 20)
            capy_tcp_close(&w.tcb, &w.env);
        uint64_t next = capy_tcp_next_at(&w.tcb);
        w.env.now = next == CAPY_NEVER ? w.env.now + CAPY_US(100) : capy_max64(w.env.now, next);
        (void)capy_tcp_expire(&w.tcb, &w.env);
    }
}

unsigned fuzz_accepted;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 65536)
        return 0;
    set_up(data[0]);
    uint32_t len = (uint32_t)size - 1, free_cnt = w.blocks.pool.free_cnt;
    if (len > 0 && capy_stream_write(&w.whole, &w.blocks, 0, data + 1, len) != CAPY_OK)
        return 0;
    const struct capy_snap_source source = {.stream = &w.whole};
    int rc = capy_snap_restore(&source, len, &w.tcb, &w.env, &w.meta, &w.app);
    capy_stream_clear(&w.whole, &w.blocks);
    if (rc == CAPY_OK) {
        fuzz_accepted++;
        check_same(data + 1, len);
        use();
        capy_stream_clear(&w.app, &w.blocks);
        capy_tcp_free(&w.tcb, &w.env);
    } else {
        fuzz_check(rc == CAPY_E_FORMAT || rc == CAPY_E_NOMEM, "error %d", rc);
    }
    fuzz_check(w.blocks.pool.free_cnt == free_cnt, "blocks leak: %u of %u are free",
               w.blocks.pool.free_cnt, free_cnt);
    return 0;
}
