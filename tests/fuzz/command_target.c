/* The words of the control sockets, of a server and of the switch: any line gets one JSON object for an
 * answer, and nothing stops.
 *
 * Input: one byte that says whose socket, then lines. */
#include "bytes.h"
#include "drv/drv.h"
#include "sock/control.h"
#include "sock/os.h"
#include "switch/user/program.h"
#include "target.h"
#include "world.h"

static uint64_t still_clock(void *ctx)
{
    (void)ctx;
    return CAPY_SEC(1);
}

static void fill_rack(struct capy_rack *rack)
{
    capy_rack_default(rack);
    rack->key[0] = 1;
    rack->conn_max = 16;
    rack->buffer_mib = 1;
    rack->migrate_max = 4;
    rack->memory_max = 16;
    rack->server_cnt = WORLD_SERVERS;
    const struct capy_ip tor = world_ip(253, false);
    memcpy(rack->switch_ip, tor.b, 16);
    for (unsigned i = 0; i < WORLD_SERVERS; i++) {
        struct capy_rack_server *s = &rack->server[i];
        const struct capy_ip ip = world_ip(i, false);
        memcpy(s->ip, ip.b, 16);
        memcpy(s->mac, (uint8_t[]){2, 0xca, 0, 0, 0, (uint8_t)(1 + i)}, 6);
        s->name[0] = 's';
        s->name[1] = (char)('1' + (int)i);
    }
}

/* ---- whose socket -------------------------------------------------------------------------- */

static struct capy *open_server(struct capy_drv **wire)
{
    static struct capy_rack rack;
    struct capy_drv *mine;
    char err[256] = "";
    fill_rack(&rack);
    fuzz_check(capy_drv_link_pair(16, &mine, wire) == CAPY_OK, "link");
    struct capy *os = capy_open_with(mine, &rack, "s1", still_clock, NULL, err, sizeof err);
    fuzz_check(os, "%s", err);
    return os;
}

static struct program *open_switch(void)
{
    static struct program p;
    static struct world w;
    if (p.plane)
        return &p;
    world_configure(&w, false, 16);
    world_start_switch(&w);
    fill_rack(&p.rack);
    p.cfg = w.switch_cfg;
    p.plane = w.plane;
    p.now = p.started_at = w.now;
    return &p;
}

/* ---- lines --------------------------------------------------------------------------------- */

static void ask_server(struct capy *os, const char *line, size_t len)
{
    json_error_t error;
    json_t *request = json_loadb(line, len, 0, &error);
    if (json_is_object(request)) {
        json_t *reply = capy_command(os, request);
        fuzz_check(json_is_object(reply), "no answer");
        char *text = json_dumps(reply, JSON_COMPACT);
        fuzz_check(text, "an answer that is no text");
        free(text);
        json_decref(reply);
    }
    json_decref(request);
}

static void ask_switch(struct program *p, const char *line, size_t len)
{
    char *text = program_answer(p, line, len);
    size_t text_len = text ? strlen(text) : 0;
    fuzz_check(text_len > 2 && text[0] == '{' && strchr(text, '\n') == text + text_len - 1,
               "no answer of one line");
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_bytes b = {data, size, NULL};
    bool server = fuzz_u8(&b) & 1;
    struct capy_drv *wire = NULL;
    struct capy *os = server ? open_server(&wire) : NULL;
    while (!fuzz_over(&b)) {
        const uint8_t *nl = memchr(b.p, '\n', b.left);
        size_t len;
        const uint8_t *line = fuzz_take(&b, nl ? (size_t)(nl - b.p) : b.left, &len);
        if (nl)
            (void)fuzz_u8(&b);
        if (server)
            ask_server(os, (const char *)line, len);
        else
            ask_switch(open_switch(), (const char *)line, len);
    }
    if (server) {
        capy_close_os(os);
        wire->ops->close(wire);
    }
    return 0;
}
