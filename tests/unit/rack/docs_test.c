/* The rack file that docs/operating.md shows with every key: it reads, and its values are the
 * defaults, as the page says. argv[1]: the page. */
#include "good.h"

static const char *page_path;

/* The first fenced block of the page, in a file of its own that the caller unlinks. */
static void extract(char path[])
{
    char line[512];
    bool inside = false, over = false;
    FILE *page = fopen(page_path, "r");
    assert_non_null(page);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *out = fdopen(fd, "w");
    assert_non_null(out);
    while (!over && fgets(line, sizeof line, page)) {
        bool fence = strncmp(line, "```", 3) == 0;
        over = inside && fence;
        if (inside && !fence)
            (void)fputs(line, out);
        inside |= fence;
    }
    assert_true(over);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(fclose(page), 0);
}

static void the_page_shows_the_defaults(void **state)
{
    (void)state;
    char path[] = "/tmp/capy-rack-test-XXXXXX", err[512] = "";
    struct capy_rack shown, base;
    extract(path);
    int rc = capy_rack_read(path, &shown, err, sizeof err);
    assert_int_equal(unlink(path), 0);
    assert_string_equal(err, "");
    assert_int_equal(rc, CAPY_OK);
    assert_memory_equal(shown.server[0].mac, "\x02\xca\x0a\x63\x00\x0b", 6);
    /* What has no default is taken over; the rest must be equal. */
    capy_rack_default(&base);
    memcpy(base.path, shown.path, sizeof base.path);
    memcpy(base.key, shown.key, sizeof base.key);
    memcpy(base.gateway, shown.gateway, sizeof base.gateway);
    memcpy(base.gateway6, shown.gateway6, sizeof base.gateway6);
    memcpy(base.vip, shown.vip, sizeof base.vip);
    memcpy(base.vip6, shown.vip6, sizeof base.vip6);
    memcpy(base.switch_ip6, shown.switch_ip6, sizeof base.switch_ip6);
    memcpy(base.switch_ip, shown.switch_ip, sizeof base.switch_ip);
    memcpy(base.switch_mac, shown.switch_mac, sizeof base.switch_mac);
    base.server_cnt = shown.server_cnt;
    base.client_port_cnt = shown.client_port_cnt;
    base.service_cnt = shown.service_cnt;
    memcpy(base.server, shown.server, sizeof base.server);
    memcpy(base.client_port, shown.client_port, sizeof base.client_port);
    memcpy(base.service, shown.service, sizeof base.service);
    assert_memory_equal(&shown, &base, sizeof base);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_page_shows_the_defaults)};
    page_path = argc > 1 ? argv[1] : "docs/operating.md";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
