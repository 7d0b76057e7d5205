/* The control socket: words, pages, refusals, lines that are too long, and a second program. */
#include "rig.h"
#include "sock/control.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct rig rig;
static char run_dir[64];
static int client = -1;

static void set_run_dir(struct capy_rack *rack)
{
    memcpy(rack->run_dir, run_dir, strlen(run_dir) + 1);
}

static int connect_to(const char *server)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s/%s.sock", run_dir, server);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static int open_rig(void **state)
{
    (void)state;
    char err[256];
    memcpy(run_dir, "/tmp/capy-control-XXXXXX", sizeof "/tmp/capy-control-XXXXXX");
    assert_non_null(mkdtemp(run_dir));
    rig_open(&rig, set_run_dir);
    for (unsigned i = 0; i < RIG_SERVERS; i++)
        assert_int_equal(capy_control_open(rig.os[i], err, sizeof err), CAPY_OK);
    client = connect_to("s1");
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    assert_int_equal(close(client), 0);
    rig_close(&rig);
    assert_int_equal(rmdir(run_dir), 0); /* no socket stays behind */
    return 0;
}

/* The next answer line; the run loop turns until it is whole. */
static json_t *answer(void)
{
    static char line[1 << 20];
    size_t len = 0;
    for (unsigned i = 0; i < 100000 && (len == 0 || line[len - 1] != '\n'); i++) {
        ssize_t n = recv(client, line + len, sizeof line - len, 0);
        if (n > 0)
            len += (size_t)n;
        else
            rig_turn(&rig);
    }
    assert_true(len > 0 && line[len - 1] == '\n');
    assert_null(memchr(line, '\n', len - 1));
    json_t *reply = json_loadb(line, len, 0, NULL);
    assert_non_null(reply);
    return reply;
}

static json_t *ask(const char *request)
{
    assert_int_equal(send(client, request, strlen(request), 0), strlen(request));
    assert_int_equal(send(client, "\n", 1, 0), 1);
    return answer();
}

static json_int_t number(const json_t *at, const char *name)
{
    const json_t *n = json_object_get(at, name);
    assert_true(json_is_integer(n));
    return json_integer_value(n);
}

static void expect_text(const json_t *at, const char *name, const char *text)
{
    assert_string_equal(json_string_value(json_object_get(at, name)), text);
}

static void expect_error(const char *request, const char *text)
{
    json_t *reply = ask(request);
    expect_text(reply, "error", text);
    json_decref(reply);
}

static void status_names_the_server(void **state)
{
    (void)state;
    capy_set_label(rig.os[0], "test app");
    json_t *st = ask("{\"cmd\":\"status\"}");
    expect_text(st, "name", "s1");
    expect_text(st, "app", "test app");
    expect_text(st, "ip", "10.99.0.11");
    assert_int_equal(number(st, "connections"), 0);
    assert_true(json_is_true(json_object_get(st, "switch_alive")));
    assert_true(json_is_false(json_object_get(st, "draining")));
    json_decref(st);
}

static void connections_come_in_pages(void **state)
{
    (void)state;
    int qd;
    for (int i = 0; i < 5; i++)
        (void)rig_connect(&rig, 0, &qd);
    json_t *page = ask("{\"cmd\":\"connections\",\"limit\":3}");
    const json_t *list = json_object_get(page, "connections");
    assert_int_equal(json_array_size(list), 3);
    const json_t *one = json_array_get(list, 0);
    expect_text(one, "home", "10.99.0.11:80");
    expect_text(one, "home_server", "s1");
    expect_text(one, "owner", "s1");
    expect_text(one, "state", "ESTABLISHED");
    expect_text(one, "migrating", "no");
    char request[96];
    (void)snprintf(request, sizeof request, "{\"cmd\":\"connections\",\"limit\":3,\"since\":%d}",
                   (int)number(page, "next"));
    json_decref(page);
    page = ask(request);
    assert_int_equal(json_array_size(json_object_get(page, "connections")), 2);
    assert_true(json_is_null(json_object_get(page, "next")));
    json_decref(page);
}

static void a_named_connection_is_moved(void **state)
{
    (void)state;
    int qd;
    (void)rig_connect(&rig, 0, &qd);
    assert_int_equal(capy_pop(rig.os[0], qd, 0), CAPY_OK);
    json_t *page = ask("{\"cmd\":\"connections\"}");
    const char *name = json_string_value(
        json_object_get(json_array_get(json_object_get(page, "connections"), 0), "client"));
    char request[128];
    (void)snprintf(request, sizeof request,
                   "{\"cmd\":\"migrate\",\"client\":\"%s\",\"target\":\"s2\"}", name);
    char same[128];
    (void)snprintf(same, sizeof same, "{\"cmd\":\"connections\",\"client\":\"%s\"}", name);
    json_decref(page);
    page = ask(same);
    assert_int_equal(json_array_size(json_object_get(page, "connections")), 1);
    json_decref(page);
    json_t *reply = ask(request);
    assert_true(json_is_true(json_object_get(reply, "ok")));
    json_decref(reply);
    (void)rig_expect(&rig, 0, CAPY_OP_MIGRATED_OUT);
    assert_true(rig_expect(&rig, 1, CAPY_OP_ACCEPT).migrated);
}

static void samples_of_both_ends_join_by_migration(void **state)
{
    (void)state;
    a_named_connection_is_moved(NULL);
    rig_turns(&rig, 50);
    json_t *here = ask("{\"cmd\":\"samples\",\"since\":0}");
    assert_int_equal(close(client), 0);
    client = connect_to("s2");
    json_t *there = ask("{\"cmd\":\"samples\"}");
    const json_t *first = json_array_get(json_object_get(here, "samples"), 0);
    const json_t *other = json_array_get(json_object_get(there, "samples"), 0);
    expect_text(first, "step", "prepare");
    expect_text(other, "step", "admit");
    expect_text(other, "mig_id", json_string_value(json_object_get(first, "mig_id")));
    assert_int_equal(number(here, "next"), json_array_size(json_object_get(here, "samples")));
    json_decref(here);
    json_decref(there);
}

static void counters_are_numbers_in_groups(void **state)
{
    (void)state;
    json_t *n = ask("{\"cmd\":\"counters\"}");
    assert_true(number(json_object_get(n, "frames"), "frames_in") > 0);
    assert_true(number(json_object_get(n, "driver"), "tx_frames") > 0);
    assert_true(number(json_object_get(n, "migration"), "out_HEARTBEAT") > 0);
    assert_int_equal(number(json_object_get(n, "tcp"), "segs_in"), 0);
    json_decref(n);
}

static void wrong_requests_are_told_why(void **state)
{
    (void)state;
    expect_error("{\"cmd\":\"dance\"}", "unknown cmd; known are status, connections, migrate, "
                                        "migrate_n, drain, undrain, counters, samples, decisions");
    expect_error("{}", "unknown cmd; known are status, connections, migrate, migrate_n, drain, "
                       "undrain, counters, samples, decisions");
    expect_error("[1,2]", "not a JSON object in one line");
    expect_error("nonsense", "not a JSON object in one line");
    expect_error("", "not a JSON object in one line");
    expect_error("{\"cmd\":\"migrate\",\"client\":\"10.0.0.1\"}", "client is not \"ADDRESS:PORT\"");
    expect_error("{\"cmd\":\"migrate\",\"client\":\"10.0.0.1:99999\"}",
                 "client is not \"ADDRESS:PORT\"");
    expect_error("{\"cmd\":\"migrate\",\"client\":\"[fd00::1]:80\"}", "no such connection here");
    expect_error("{\"cmd\":\"migrate\",\"client\":\"10.0.0.1:80\",\"target\":\"s9\"}",
                 "no such target server in the rack file");
    expect_error("{\"cmd\":\"migrate_n\",\"count\":0}", "count is not a number from 1 on");
    expect_error("{\"cmd\":\"migrate_n\",\"count\":1,\"target\":\"s1\"}",
                 "the target is this server itself");
    expect_error("{\"cmd\":\"connections\",\"limit\":-1}", "limit or since is out of range");
}

static void a_line_without_end_is_refused(void **state)
{
    (void)state;
    char block[5000];
    memset(block, 'x', sizeof block);
    assert_true(send(client, block, sizeof block, 0) > 0);
    json_t *reply = answer();
    expect_text(reply, "error", "the line is longer than 4096 bytes");
    json_decref(reply);
    rig_turns(&rig, 200);
    char byte;
    assert_true(recv(client, &byte, 1, 0) <= 0); /* and the server hangs up */
}

static void lines_sent_together_are_answered_one_by_one(void **state)
{
    (void)state;
    static const char two[] = "{\"cmd\":\"status\"}\n{\"cmd\":\"nope\"}";
    json_t *reply = NULL;
    assert_int_equal(send(client, two, sizeof two - 1, 0), sizeof two - 1);
    reply = answer();
    expect_text(reply, "name", "s1");
    json_decref(reply);
    reply = ask("");
    assert_non_null(json_object_get(reply, "error"));
    json_decref(reply);
}

static void one_client_too_many_is_told(void **state)
{
    (void)state;
    int more[CAPY_CONTROL_CLIENT_MAX];
    for (unsigned i = 0; i < CAPY_CONTROL_CLIENT_MAX; i++) {
        more[i] = connect_to("s1");
        rig_turns(&rig, 100);
    }
    char line[128] = "";
    assert_true(recv(more[CAPY_CONTROL_CLIENT_MAX - 1], line, sizeof line - 1, 0) > 0);
    assert_string_equal(line, "{\"error\":\"too many control clients; end one\"}\n");
    for (unsigned i = 0; i < CAPY_CONTROL_CLIENT_MAX; i++)
        assert_int_equal(close(more[i]), 0);
    rig_turns(&rig, 100);
    json_t *st = ask("{\"cmd\":\"status\"}");
    expect_text(st, "name", "s1");
    json_decref(st);
}

static void a_second_program_of_the_same_name_is_refused(void **state)
{
    (void)state;
    char err[256], want[256];
    assert_false(capy_control_is_free(&rig.rack, 0, err, sizeof err));
    (void)snprintf(want, sizeof want,
                   "server s1 already runs (%s/s1.sock answers); stop that program, or name "
                   "another server",
                   run_dir);
    assert_string_equal(err, want);
}

static void a_socket_left_behind_is_replaced(void **state)
{
    (void)state;
    char path[128], err[256];
    capy_control_close(rig.os[1]);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)snprintf(path, sizeof path, "%s/s2.sock", run_dir);
    memcpy(at.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(capy_control_open(rig.os[1], err, sizeof err), CAPY_OK);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_directory_that_cannot_be_made_is_told(void **state)
{
    (void)state;
    char err[256];
    capy_control_close(rig.os[1]);
    memcpy(rig.os[1]->rack.run_dir, "/proc/none", sizeof "/proc/none");
    assert_int_equal(capy_control_open(rig.os[1], err, sizeof err), CAPY_E_SYS);
    assert_string_equal(err, "cannot make the control socket /proc/none/s2.sock: No such file or "
                             "directory; name a writable run_dir in the rack file, or run as root");
}

int main(void)
{
#define IN_RIG(test) cmocka_unit_test_setup_teardown(test, open_rig, close_rig)
    const struct CMUnitTest tests[] = {
        IN_RIG(status_names_the_server),
        IN_RIG(connections_come_in_pages),
        IN_RIG(a_named_connection_is_moved),
        IN_RIG(samples_of_both_ends_join_by_migration),
        IN_RIG(counters_are_numbers_in_groups),
        IN_RIG(wrong_requests_are_told_why),
        IN_RIG(a_line_without_end_is_refused),
        IN_RIG(lines_sent_together_are_answered_one_by_one),
        IN_RIG(one_client_too_many_is_told),
        IN_RIG(a_second_program_of_the_same_name_is_refused),
        IN_RIG(a_socket_left_behind_is_replaced),
        IN_RIG(a_directory_that_cannot_be_made_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
