/* rack/text: any value, a rack or not, goes to text and comes back the same; other text is refused. */
#include "good.h"
#include "rack/text.h"

/* Cleared memory has the same padding each time. */
static struct capy_rack rack, back;

static void assert_round_trip(void)
{
    char err[512] = "";
    size_t len;
    char *text = capy_rack_text(&rack, &len);
    assert_non_null(text);
    assert_int_equal(strlen(text), len);
    int rc = capy_rack_text_read(text, len, &back, err, sizeof err);
    free(text);
    assert_string_equal(err, "");
    assert_int_equal(rc, CAPY_OK);
    memset(rack.path, 0, sizeof rack.path);
    memset(back.path, 0, sizeof back.path);
    assert_memory_equal(&back, &rack, sizeof back);
}

static void a_rack_comes_back(void **state)
{
    (void)state;
    char err[512];
    assert_int_equal(read_spoiled(0, NULL, &rack, err, sizeof err), CAPY_OK);
    assert_round_trip();
}

/* What a host in no rack makes up of itself: no key, no switch, no ports; and values that no rack
 * file may have. */
static void what_is_no_rack_comes_back(void **state)
{
    (void)state;
    capy_rack_default(&rack);
    rack.server_cnt = 1;
    strcpy(rack.server[0].name, "host");
    strcpy(rack.server[0].device, "eth0");
    memcpy(rack.server[0].ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x63\0\x65", 16);
    assert_round_trip();
    rack.conn_max = UINT32_MAX;
    rack.heartbeat_us = 1;
    rack.lease_us = 0;
    rack.prefix_len = 255;
    rack.tcpmig_port = 0;
    assert_round_trip();
    rack.server_cnt = 0;
    memset(&rack.server[0], 0, sizeof rack.server[0]);
    assert_round_trip();
}

static void other_text_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "rack",
        "rack: { mtu = ; };",
        "rack: { mtu = -1; }; switch: { client_ports = ( ); };",
        "rack: { mtu = 4294967296L; }; switch: { client_ports = ( ); };",
        "rack: { driver = \"longer than any driver's name\"; }; switch: { client_ports = ( ); };",
        "@include \"/etc/passwd\"\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char err[512] = "";
        assert_int_equal(capy_rack_text_read(texts[i], strlen(texts[i]), &back, err, sizeof err),
                         CAPY_E_CONFIG);
        assert_true(err[0] != 0 && !strchr(err, '\n'));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rack_comes_back),
        cmocka_unit_test(what_is_no_rack_comes_back),
        cmocka_unit_test(other_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
