/* Records of carried connections from anywhere (stack/carry.c): a place in the host, then a snapshot
 * in any state. Refused, or a connection that runs, and whose record is the very bytes it came from.
 *
 * Input: one unused byte, then the record. */
#include "target.h"
#include "tests/unit/stack/forge.h"

enum { PORT = 80, RECORD_MAX = 65536 };

static void check_same(struct capy_stack *s, const uint8_t *data, uint32_t len)
{
    static uint8_t again[RECORD_MAX];
    uint32_t cursor = 0, len_again = capy_stack_carry_out(s, &cursor, again, sizeof again);
    fuzz_check(len_again == len, "%u bytes became %u", len, len_again);
    for (uint32_t i = 0; i < len; i++)
        fuzz_check(again[i] == data[i], "byte %u of %u: %02x became %02x", i, len, data[i],
                   again[i]);
}

/* It runs until it ends of itself, or a virtual while has passed. */
static void run(struct forge *f)
{
    struct capy_stack_event ev;
    for (unsigned guard = 0; guard < 64; guard++) {
        (void)forge_drain(f);
        while (capy_stack_event(f->s, &ev))
            ;
        uint64_t next = capy_stack_next_at(f->s);
        if (next == CAPY_NEVER)
            return;
        forge_pass(f, next > f->now ? next - f->now : 0);
    }
}

unsigned fuzz_accepted;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void *mem;
    struct capy_stack_cfg cfg = forge_cfg();
    capy_handle conn;
    uint64_t user;
    cfg.conn_max = 4;
    cfg.block_cnt = 256;
    if (size < 1 || size > RECORD_MAX)
        return 0;
    if (!mem)
        mem = fuzz_memory(capy_stack_size(&cfg));
    struct forge f = {.mem = mem, .now = CAPY_SEC(1000)};
    f.s = capy_stack_init(mem, &cfg, f.now);
    fuzz_check(capy_stack_listen(f.s, PORT, 0) == CAPY_OK, "listen");
    int rc = capy_stack_carry_in(f.s, data + 1, (uint32_t)size - 1, &conn, &user);
    if (rc == CAPY_OK) {
        fuzz_accepted++;
        check_same(f.s, data + 1, (uint32_t)size - 1);
        run(&f);
        if (conn != CAPY_HANDLE_NONE)
            (void)capy_stack_abort(f.s, conn, f.now);
        (void)forge_drain(&f);
    }
    struct capy_stack_status status;
    capy_stack_status(f.s, &status);
    fuzz_check(status.conn_cnt > 0 || status.block_free == status.block_cnt, "%u blocks leak",
               status.block_cnt - status.block_free);
    return 0;
}
