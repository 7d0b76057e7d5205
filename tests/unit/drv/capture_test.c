/* The capture: the file is parsed back block by block here, and by tshark where there is one. */
#include "rig.h"

#include <sys/wait.h>
#include <unistd.h>

enum { BLOCK_SHB = 0x0a0d0d0a, BLOCK_IDB = 1, BLOCK_EPB = 6 };
#define FILE_MAX (1u << 20)

struct rig {
    char path[64];
    struct capy_drv *captured, *peer;
};

static int rig_up(void **state)
{
    static struct rig rig;
    char err[ERR_LEN];
    struct capy_drv *inner;
    snprintf(rig.path, sizeof rig.path, "/tmp/capy-capture-%d.pcapng", (int)getpid());
    if (capy_drv_link_pair(64, &inner, &rig.peer) != CAPY_OK)
        return -1;
    rig.captured = capy_drv_capture(inner, rig.path, err, sizeof err);
    *state = &rig;
    return rig.captured ? 0 : -1;
}

static int rig_down(void **state)
{
    struct rig *rig = *state;
    if (rig->captured)
        rig->captured->ops->close(rig->captured);
    rig->peer->ops->close(rig->peer);
    unlink(rig->path);
    return 0;
}

static void rig_close_capture(struct rig *rig)
{
    rig->captured->ops->close(rig->captured);
    rig->captured = NULL;
}

static uint32_t word(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* The value of an option in a block's option list, or NULL. */
static const uint8_t *option(const uint8_t *p, const uint8_t *end, uint16_t code, uint16_t *len)
{
    while (p + 4 <= end) {
        uint16_t got;
        memcpy(&got, p, sizeof got);
        memcpy(len, p + 2, sizeof *len);
        if (got == code)
            return p + 4;
        p += 4 + (*len + 3u) / 4u * 4u;
    }
    return NULL;
}

struct parsed {
    unsigned blocks, in, out;
    char ifname[32];
    uint8_t tsresol;
    uint32_t next_in, next_out; /* the number of the next frame each way */
    uint64_t last_ns;
};

static void parse_interface(struct parsed *out, const uint8_t *block, uint32_t len)
{
    uint16_t n;
    const uint8_t *name = option(block + 16, block + len - 4, 2, &n);
    assert_non_null(name);
    assert_in_range(n, 1, sizeof out->ifname - 1);
    memcpy(out->ifname, name, n);
    const uint8_t *tsresol = option(block + 16, block + len - 4, 9, &n);
    assert_non_null(tsresol);
    out->tsresol = *tsresol;
}

static void parse_frame(struct parsed *out, const uint8_t *block, uint32_t len)
{
    uint32_t captured = word(block + 20);
    uint16_t n;
    assert_int_equal(captured, word(block + 24));
    const uint8_t *flags = option(block + 28 + (captured + 3u) / 4u * 4u, block + len - 4, 2, &n);
    assert_non_null(flags);
    assert_int_equal(n, 4);
    uint64_t ns = (uint64_t)word(block + 12) << 32 | word(block + 16);
    assert_true(ns >= out->last_ns);
    out->last_ns = ns;

    struct capy_frame f = {.data = (uint8_t *)(uintptr_t)(block + 28), .len = captured};
    bool in = (word(flags) & 3u) == 1;
    assert_true(in || (word(flags) & 3u) == 2);
    rig_check(&f, in ? out->next_in++ : out->next_out++);
    *(in ? &out->in : &out->out) += 1;
}

static struct parsed parse_file(const char *path, uint32_t first_in, uint32_t first_out)
{
    static _Alignas(8) uint8_t file[FILE_MAX];
    struct parsed out = {.next_in = first_in, .next_out = first_out};
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t len = fread(file, 1, sizeof file, f);
    fclose(f);

    for (size_t at = 0; at < len; out.blocks++) {
        assert_true(at + 12 <= len);
        uint32_t block_len = word(file + at + 4);
        assert_int_equal(block_len % 4, 0);
        assert_true(block_len >= 12 && at + block_len <= len);
        assert_int_equal(word(file + at + block_len - 4), block_len);
        uint32_t type = word(file + at);
        assert_int_equal(type == BLOCK_SHB, at == 0);
        assert_int_equal(type == BLOCK_IDB, out.blocks == 1);
        if (type == BLOCK_IDB)
            parse_interface(&out, file + at, block_len);
        else if (type == BLOCK_EPB)
            parse_frame(&out, file + at, block_len);
        at += block_len;
    }
    return out;
}

static void captured_frames_read_back_with_direction(void **state)
{
    struct rig *rig = *state;
    rig_send(rig->captured, 0, 30);
    rig_expect(rig->peer, 0, 30);
    rig_send(rig->peer, 500, 20);
    rig_expect(rig->captured, 500, 20);
    rig_close_capture(rig);

    struct parsed p = parse_file(rig->path, 500, 0);
    assert_int_equal(p.out, 30);
    assert_int_equal(p.in, 20);
    assert_string_equal(p.ifname, "linka");
    assert_int_equal(p.tsresol, 9);
    assert_true(p.last_ns > CAPY_SEC(1600000000)); /* wall clock, in ns */
}

static void frames_given_back_unsent_are_not_captured(void **state)
{
    struct rig *rig = *state;
    struct capy_frame f[8];
    assert_int_equal(rig->captured->ops->reserve(rig->captured, f, 8), 8);
    rig->captured->ops->submit(rig->captured, f, 8);
    rig_close_capture(rig);
    assert_int_equal(parse_file(rig->path, 0, 0).out, 0);
}

static void counters_are_the_inner_drivers(void **state)
{
    struct rig *rig = *state;
    rig_send(rig->captured, 0, 5);
    rig_send(rig->peer, 0, 6);
    rig_expect(rig->captured, 0, 6);
    assert_int_equal(rig->captured->tx_frames, 5);
    assert_int_equal(rig->captured->rx_frames, 6);
    assert_string_equal(rig->captured->ifname, "linka");
}

/* More than the buffer holds, and never closed: what reached the file is whole blocks. */
static void file_of_a_killed_program_ends_at_a_whole_block(void **state)
{
    struct rig *rig = *state;
    for (uint32_t i = 0; i < 1000; i += 50) {
        rig_send(rig->captured, i, 50);
        rig_expect(rig->peer, i, 50);
    }
    struct parsed p = parse_file(rig->path, 0, 0);
    assert_in_range(p.out, 1, 999);
}

static void tshark_agrees(void **state)
{
    struct rig *rig = *state;
    if (system("command -v tshark >/dev/null 2>&1") != 0) {
        print_message("skipped: no tshark\n");
        skip();
    }
    rig_send(rig->captured, 0, 12);
    rig_close_capture(rig);
    char command[256];
    snprintf(command, sizeof command,
             "HOME=/tmp tshark -n -r %s -T fields -e frame.packet_flags_direction 2>/dev/null",
             rig->path);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    unsigned lines = 0;
    for (char line[64]; fgets(line, sizeof line, f); lines++)
        assert_int_equal(strtoul(line, NULL, 0), 2);
    assert_int_equal(pclose(f), 0);
    assert_int_equal(lines, 12);
}

static void unwritable_path_is_refused_and_the_driver_stays(void **state)
{
    (void)state;
    struct capy_drv *a, *b;
    char err[ERR_LEN];
    assert_int_equal(capy_drv_link_pair(8, &a, &b), CAPY_OK);
    assert_null(capy_drv_capture(a, "/nonexistent/x.pcapng", err, sizeof err));
    assert_non_null(strstr(err, "writable directory"));
    rig_send(a, 0, 1);
    rig_expect(b, 0, 1);
    a->ops->close(a);
    b->ops->close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(captured_frames_read_back_with_direction, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(frames_given_back_unsent_are_not_captured, rig_up,
                                        rig_down),
        cmocka_unit_test_setup_teardown(counters_are_the_inner_drivers, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(file_of_a_killed_program_ends_at_a_whole_block, rig_up,
                                        rig_down),
        cmocka_unit_test_setup_teardown(tshark_agrees, rig_up, rig_down),
        cmocka_unit_test(unwritable_path_is_refused_and_the_driver_stays),
    };
    return cmocka_run_group_tests_name("drv/capture", tests, NULL, NULL);
}
