/* The switch program, whole: a child process between two veth pairs in a network namespace of its
 * own, spoken to through its control socket. We are the client on one side and the server on the
 * other. */
#include "tests/unit/drv/rig.h"

#include "capy/rack.h"
#include "switch/user/switch.h"
#include "wire/frame.h"
#include "wire/tcpmig.h"

#include <jansson.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIES 6000 /* of 10 ms: only a broken program needs so many */

static const struct capy_key KEY = {0x0123456789abcdef, 0xfedcba9876543210};

struct rig {
    char dir[64], rack_file[96], capture_dir[96], socket_path[96];
    pid_t child;
    int fd; /* to the control socket */
    struct capy_drv *server, *client;
};

static void write_rack(const struct rig *rig)
{
    static struct capy_rack rack;
    capy_rack_default(&rack);
    snprintf(rack.run_dir, sizeof rack.run_dir, "%s", rig->dir);
    rack.key[0] = KEY.k0;
    rack.key[1] = KEY.k1;
    struct capy_ip ip = capy_ip_from_v4(0x0a0000fe);
    memcpy(rack.switch_ip, ip.b, sizeof ip.b);
    memcpy(rack.switch_mac, (uint8_t[]){0x02, 0xca, 10, 0, 0, 254}, 6);
    memcpy(rack.switch_ip6, (uint8_t[16]){0xfd, 0x99, [14] = 0x02, 0x54}, 16);
    rack.server_cnt = rack.client_port_cnt = rack.service_cnt = 1;
    struct capy_rack_server *s = &rack.server[0];
    strcpy(s->name, "alpha");
    strcpy(s->device, "veth1");
    strcpy(s->port, "veth0");
    ip = capy_ip_from_v4(0x0a000001);
    memcpy(s->ip, ip.b, sizeof ip.b);
    memcpy(s->ip6, (uint8_t[16]){0xfd, 0x99, [15] = 0x11}, 16);
    memcpy(s->mac, (uint8_t[]){0x02, 0xca, 10, 0, 0, 1}, 6);
    strcpy(rack.client_port[0].device, "veth2");
    strcpy(rack.service[0].name, "web");
    rack.service[0].port = 80;
    assert_int_equal(capy_rack_write(&rack, rig->rack_file), CAPY_OK);
}

static int run_switch(const struct rig *rig, const struct capy_fault_cfg *fault, char *err)
{
    struct capy_switch_run run = {.rack_file = rig->rack_file, .capture_dir = rig->capture_dir};
    if (fault)
        run.fault = *fault;
    return capy_switch_main_run(&run, err, ERR_LEN);
}

static int connect_to(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (void *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

static json_t *ask(const struct rig *rig, const char *request)
{
    static char line[1 << 16];
    size_t len = 0;
    assert_int_equal(send(rig->fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
    while (len == 0 || line[len - 1] != '\n') {
        ssize_t n = recv(rig->fd, line + len, sizeof line - len, 0);
        assert_true(n > 0);
        len += (size_t)n;
    }
    json_t *answer = json_loadb(line, len, 0, NULL);
    assert_true(json_is_object(answer));
    return answer;
}

static bool ask_ok(const struct rig *rig, const char *request)
{
    json_t *answer = ask(rig, request);
    bool ok = json_is_true(json_object_get(answer, "ok"));
    assert_int_equal(json_is_string(json_object_get(answer, "error")), !ok);
    json_decref(answer);
    return ok;
}

/* A number of the n-th port: of its own, or with fault, of its fault's. */
static json_int_t port_number(const struct rig *rig, size_t n, const char *fault, const char *key)
{
    json_t *answer = ask(rig, "{\"cmd\":\"ports\"}\n");
    json_t *port = json_array_get(json_object_get(answer, "ports"), n);
    assert_non_null(port);
    json_int_t v =
        json_integer_value(json_object_get(fault ? json_object_get(port, fault) : port, key));
    json_decref(answer);
    return v;
}

static void start(struct rig *rig, const struct capy_fault_cfg *fault)
{
    rig->child = fork();
    assert_true(rig->child >= 0);
    if (rig->child == 0) {
        char err[ERR_LEN] = "";
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int rc = run_switch(rig, fault, err);
        if (rc != CAPY_OK)
            fprintf(stderr, "%s\n", err);
        _exit(rc == CAPY_OK ? 0 : 1);
    }
    rig->fd = -1;
    for (unsigned i = 0; i < TRIES && rig->fd < 0; i++) {
        if (waitpid(rig->child, NULL, WNOHANG) == rig->child) {
            rig->child = 0;
            break;
        }
        rig->fd = connect_to(rig->socket_path);
        if (rig->fd < 0)
            usleep(10000);
    }
    assert_true(rig->fd >= 0);
    assert_true(ask_ok(rig, "{\"cmd\":\"status\"}\n"));
}

/* Ends the child by signal; its wait status. */
static int stop(struct rig *rig, int signal)
{
    int status = -1;
    close(rig->fd);
    rig->fd = -1;
    assert_int_equal(kill(rig->child, signal), 0);
    assert_int_equal(waitpid(rig->child, &status, 0), rig->child);
    rig->child = 0;
    return status;
}

static int rig_up(void **state)
{
    static struct rig rig;
    rig = (struct rig){.fd = -1};
    *state = &rig;
    return 0;
}

/* First in every test and not in its setup, because only a test can be skipped. */
static struct rig *build(void **state)
{
    struct rig *rig = *state;
    char err[ERR_LEN];
    rig_veth(1500);
    rig_run("ip link add veth2 type veth peer name veth3 && for d in veth2 veth3; do "
            "ip link set $d addrgenmode none up || exit 1; done");
    strcpy(rig->dir, "/tmp/capy-switch-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    snprintf(rig->rack_file, sizeof rig->rack_file, "%s/rack.conf", rig->dir);
    snprintf(rig->capture_dir, sizeof rig->capture_dir, "%s/pcap", rig->dir);
    snprintf(rig->socket_path, sizeof rig->socket_path, "%s/switch.sock", rig->dir);
    write_rack(rig);
    rig->server = capy_drv_af_xdp_open("veth1", err, sizeof err);
    rig->client = capy_drv_af_xdp_open("veth3", err, sizeof err);
    if (!rig->server || !rig->client) {
        print_message("skipped: %s\n", err);
        skip();
    }
    return rig;
}

static int rig_down(void **state)
{
    struct rig *rig = *state;
    char command[96];
    if (rig->child > 0)
        stop(rig, SIGKILL);
    if (rig->server)
        rig->server->ops->close(rig->server);
    if (rig->client)
        rig->client->ops->close(rig->client);
    snprintf(command, sizeof command, "rm -rf %s", rig->dir);
    return rig->dir[0] ? system(command) : 0;
}

static void frames_pass_and_are_counted_and_captured(void **state)
{
    struct rig *rig = build(state);
    struct stat st;
    char path[128];
    start(rig, NULL);
    for (uint32_t n = 0; n < 2000; n += 50) {
        rig_send(rig->client, n, 50);
        rig_expect(rig->server, n, 50);
        rig_send(rig->server, n, 20);
        rig_expect(rig->client, n, 20);
    }
    assert_true(port_number(rig, 0, NULL, "tx_frames") >= 2000); /* the server's */
    assert_true(port_number(rig, 1, NULL, "rx_frames") >= 2000);
    assert_true(port_number(rig, 1, NULL, "tx_frames") >= 800);
    assert_int_equal(port_number(rig, 0, NULL, "tx_full"), 0);
    assert_int_equal(stop(rig, SIGTERM), 0);
    snprintf(path, sizeof path, "%s/veth2.pcapng", rig->capture_dir);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size > 2000 * CAPY_FRAME_MIN);
}

static void requests_are_answered_and_bad_ones_refused(void **state)
{
    struct rig *rig = build(state);
    start(rig, NULL);
    assert_true(ask_ok(rig, "{\"cmd\":\"counters\"}\n"));
    assert_true(ask_ok(rig, "{\"cmd\":\"entries\",\"limit\":5}\n"));
    json_t *answer = ask(rig, "{\"cmd\":\"servers\"}\n");
    json_t *alpha = json_array_get(json_object_get(answer, "servers"), 0);
    assert_string_equal(json_string_value(json_object_get(alpha, "name")), "alpha");
    assert_string_equal(json_string_value(json_object_get(alpha, "ip")), "10.0.0.1");
    assert_string_equal(json_string_value(json_object_get(alpha, "ip6")), "fd99::11");
    assert_true(json_is_false(json_object_get(alpha, "alive")));
    json_decref(answer);

    static const char *const bad[] = {
        "not json\n",
        "[1]\n",
        "\n",
        "{\"cmd\":\"dance\"}\n",
        "{\"cmd\":7}\n",
        "{\"cmd\":\"entries\",\"limit\":-1}\n",
        "{\"cmd\":\"fault\",\"loss_ppm\":1000001}\n",
        "{\"cmd\":\"fault\",\"delay_us\":0.5}\n",
        "{\"cmd\":\"fault\",\"drop_type\":\"CONN\"}\n",
        "{\"cmd\":\"fault\",\"port\":\"veth9\",\"loss_ppm\":1}\n",
        "{\"cmd\":\"fault\",\"port\":9}\n",
        "{\"cmd\":\"fault\",\"lose_ppm\":1}\n",
    };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(ask_ok(rig, bad[i]));

    /* A line without end costs its sender the connection, and nobody else anything. */
    static char endless[8192];
    memset(endless, 'x', sizeof endless);
    ssize_t sent = send(rig->fd, endless, sizeof endless, MSG_NOSIGNAL);
    assert_true(sent > 0 || errno == EPIPE);
    while (recv(rig->fd, endless, sizeof endless, 0) > 0)
        ;
    close(rig->fd);
    rig->fd = connect_to(rig->socket_path);
    assert_true(rig->fd >= 0);
    assert_true(ask_ok(rig, "{\"cmd\":\"status\"}\n"));
}

/* alpha says that it runs this flow of its own, which was away. */
static void announce(struct rig *rig, const struct capy_flow_key *key)
{
    struct capy_frame f;
    const struct capy_mig_msg msg = {.type = CAPY_MIG_ANNOUNCE,
                                     .target = CAPY_SERVER_ANY,
                                     .epoch = 3,
                                     .target_port = key->home_port,
                                     .key = *key};
    const struct capy_frame_to to = {.dst_mac = {{0x02, 0xca, 10, 0, 0, 254}},
                                     .src_mac = {{0x02, 0xca, 10, 0, 0, 1}},
                                     .src = capy_ip_from_v4(0x0a000001),
                                     .dst = capy_ip_from_v4(0x0a0000fe),
                                     .src_port = 7777,
                                     .dst_port = 7777};
    assert_int_equal(rig->server->ops->reserve(rig->server, &f, 1), 1);
    size_t len = capy_mig_build(f.data + CAPY_UDP_AT, KEY, &msg);
    f.len = (uint32_t)capy_frame_build_udp(f.data, &to, len);
    rig->server->ops->submit(rig->server, &f, 1);
    rig->server->ops->flush(rig->server);
}

static void entries_of_both_versions_are_shown_as_people_write_them(void **state)
{
    struct rig *rig = build(state);
    const struct capy_flow_key keys[] = {
        {capy_ip_from_v4(0x0a0000c8), capy_ip_from_v4(0x0a000001), 5000, 80},
        {{{0xfd, 0x99, [15] = 0xc8}}, {{0xfd, 0x99, [15] = 0x11}}, 5000, 80}};
    const char *const shown[][2] = {{"10.0.0.200:5000", "10.0.0.1:80"},
                                    {"[fd99::c8]:5000", "[fd99::11]:80"}};
    start(rig, NULL);
    for (unsigned k = 0; k < 2; k++) {
        json_t *answer = NULL, *entry = NULL;
        announce(rig, &keys[k]);
        for (unsigned i = 0; i < TRIES && !entry; i++) {
            json_decref(answer);
            answer = ask(rig, "{\"cmd\":\"entries\"}\n");
            json_t *list = json_object_get(answer, "entries"), *one;
            size_t n;
            json_array_foreach(list, n,
                               one) if (strcmp(json_string_value(json_object_get(one, "client")),
                                               shown[k][0]) == 0) entry = one;
            usleep(10000);
        }
        assert_non_null(entry);
        assert_string_equal(json_string_value(json_object_get(entry, "home")), shown[k][1]);
        assert_string_equal(json_string_value(json_object_get(entry, "owner")), "alpha");
        json_decref(answer);
    }
}

static void expect_twice(struct capy_drv *d, uint32_t number)
{
    struct capy_frame f[2];
    for (unsigned seen = 0; seen < 2;) {
        unsigned n = rig_burst(d, f, 2 - seen);
        for (unsigned i = 0; i < n; i++)
            rig_check(&f[i], number);
        d->ops->release(d, f, n);
        seen += n;
    }
}

static void faults_take_hold_at_the_port_they_are_set_for(void **state)
{
    struct rig *rig = build(state);
    start(rig, NULL);
    assert_true(ask_ok(rig, "{\"cmd\":\"fault\",\"port\":\"veth2\",\"loss_ppm\":1000000}\n"));
    rig_send(rig->client, 0, 10);
    for (unsigned i = 0; i < TRIES && port_number(rig, 1, "fault", "lost") < 10; i++)
        usleep(10000);
    assert_int_equal(port_number(rig, 1, "fault", "lost"), 10);
    rig_send(rig->server, 0, 10); /* the other way is whole */
    rig_expect(rig->client, 0, 10);

    assert_true(ask_ok(rig, "{\"cmd\":\"fault\",\"port\":\"all\",\"delay_us\":300}\n"));
    rig_send(rig->client, 10, 30);
    rig_expect(rig->server, 10, 30); /* none of the first ten ever comes */
    assert_int_equal(port_number(rig, 1, "fault", "delayed"), 30);

    assert_true(ask_ok(rig, "{\"cmd\":\"fault\",\"port\":\"alpha\",\"dup_ppm\":1000000}\n"));
    rig_send(rig->server, 77, 1);
    expect_twice(rig->client, 77);

    assert_true(ask_ok(rig, "{\"cmd\":\"fault\",\"clear\":true}\n"));
    rig_send(rig->server, 100, 40);
    rig_expect(rig->client, 100, 40);
    json_t *answer = ask(rig, "{\"cmd\":\"ports\"}\n"), *port;
    size_t i;
    json_array_foreach(json_object_get(answer, "ports"), i, port)
        assert_true(json_is_false(json_object_get(json_object_get(port, "fault"), "active")));
    json_decref(answer);
}

static void faults_can_be_there_from_the_start(void **state)
{
    struct rig *rig = build(state);
    start(rig, &(struct capy_fault_cfg){.loss_ppm = 5, .seed = 7});
    assert_int_equal(port_number(rig, 0, "fault", "loss_ppm"), 5);
    assert_int_equal(port_number(rig, 0, "fault", "seed"), 7);
    assert_int_equal(port_number(rig, 1, "fault", "seed"), 8);
}

static void second_switch_is_refused_and_a_killed_one_replaced(void **state)
{
    struct rig *rig = build(state);
    char err[ERR_LEN];
    start(rig, NULL);
    assert_int_equal(run_switch(rig, NULL, err), CAPY_E_INUSE);
    assert_non_null(strstr(err, "already answers"));
    assert_true(ask_ok(rig, "{\"cmd\":\"status\"}\n"));

    assert_true(WIFSIGNALED(stop(rig, SIGKILL)));
    assert_int_equal(access(rig->socket_path, F_OK), 0);
    start(rig, NULL);
    assert_int_equal(stop(rig, SIGINT), 0);
    assert_int_not_equal(access(rig->socket_path, F_OK), 0);
}

static void missing_device_is_named_and_nothing_is_left(void **state)
{
    struct rig *rig = build(state);
    char err[ERR_LEN];
    rig_run("ip link set veth2 down");
    assert_int_equal(run_switch(rig, NULL, err), CAPY_E_SYS);
    assert_non_null(strstr(err, "veth2"));
    assert_null(strchr(err, '\n'));
    assert_int_not_equal(access(rig->socket_path, F_OK), 0);
    struct capy_drv *d = capy_drv_af_xdp_open("veth0", err, sizeof err);
    assert_non_null(d);
    d->ops->close(d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_pass_and_are_counted_and_captured),
        TEST(requests_are_answered_and_bad_ones_refused),
        TEST(entries_of_both_versions_are_shown_as_people_write_them),
        TEST(faults_take_hold_at_the_port_they_are_set_for),
        TEST(faults_can_be_there_from_the_start),
        TEST(second_switch_is_refused_and_a_killed_one_replaced),
        TEST(missing_device_is_named_and_nothing_is_left),
    };
    return cmocka_run_group_tests_name("switch/program", tests, NULL, NULL);
}
