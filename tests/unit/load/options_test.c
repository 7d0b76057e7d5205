/* apps/load/options and schedule: command lines that are right, what they come to, and those that are
 * wrong, each with one line that says what to write instead. */
#include "apps/load/options.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct load_options opt;
static char said[4096]; /* on stderr */

/* Parses the words of line, blanks between them. */
static int parse(const char *line)
{
    static char text[512];
    static char *argv[40];
    int argc = 1, rc, saved = dup(STDERR_FILENO);
    FILE *file = tmpfile();
    snprintf(text, sizeof text, "%s", line);
    argv[0] = strcpy((char[8]){0}, "load");
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    rc = load_options_parse(&opt, argc, argv);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    said[fread(said, 1, sizeof said - 1, file)] = 0;
    fclose(file);
    return rc;
}

static void is_right(const char *line)
{
    if (parse(line) != 0)
        fail_msg("%s: %s", line, said);
}

static void is_wrong(const char *line, const char *remedy)
{
    if (parse(line) != -1)
        fail_msg("taken: %s", line);
    const char *end = strchr(said, '\n');
    if (!end || end[1] || !strstr(said, remedy))
        fail_msg("%s: no line of \"%s\": %s", line, remedy, said);
}

static void the_plainest_is_a_closed_loop(void **state)
{
    (void)state;
    is_right("127.0.0.1");
    assert_false(opt.open_loop);
    assert_int_equal(opt.connection_cnt, 64);
    assert_int_equal(opt.duration_ns, 10000000000);
    assert_null(opt.own.device);
}

static void everything_is_taken(void **state)
{
    (void)state;
    is_right("--rate 20k --arrivals bursty:10ms:5 --skew zipf:1.1 --weights 8,1 --shift "
             "2s:rate=1.5x --shift 2s:weights=1,8 --shift 3s:rotate=4 --shift 4s:rate=5k --warm-up "
             "500ms --seconds 5.5 --interval 20ms --kernel --connections 150 --bytes 1k --us 7 "
             "127.0.0.1 127.0.0.2:81");
    assert_true(opt.open_loop);
    assert_int_equal(opt.phase[0].rate, 20000);
    assert_int_equal(opt.process.burst_period_ns, 10000000);
    assert_int_equal(opt.process.burst_factor, 5);
    assert_int_equal(opt.zipf_milli, 1100);
    assert_int_equal(opt.spread, LOAD_SPREAD_WEIGHTS);
    assert_int_equal(opt.phase_cnt, 4);
    assert_int_equal(opt.phase[1].at_ns, 2000000000);
    assert_int_equal(opt.phase[1].rate, 30000);
    assert_int_equal(opt.phase[1].weights[1], 8);
    assert_int_equal(opt.phase[2].rotate, 4);
    assert_int_equal(opt.phase[2].rate, 30000);
    assert_int_equal(opt.phase[3].rate, 5000);
    assert_int_equal(opt.phase[3].rotate, 4);
    assert_int_equal(opt.duration_ns, 5500000000);
    assert_int_equal(opt.bytes, 1000);
}

static void a_sweep_scales_what_is_relative(void **state)
{
    (void)state;
    is_right("--sweep 10k..30k/10k --shift 1s:rate=2x --shift 2s:rate=7k 127.0.0.1");
    load_options_set_rate(&opt, 10000);
    assert_int_equal(opt.phase[0].rate, 10000);
    assert_int_equal(opt.phase[1].rate, 20000);
    assert_int_equal(opt.phase[2].rate, 7000);
}

static void weights_mean_a_skew(void **state)
{
    (void)state;
    is_right("--rate 1 --weights 1,0 127.0.0.1 127.0.0.1:8080");
    assert_int_equal(opt.spread, LOAD_SPREAD_WEIGHTS);
    is_right("--rate 1 --shift 1s:weights=1,0 127.0.0.1 127.0.0.1:8080");
    assert_int_equal(opt.spread, LOAD_SPREAD_WEIGHTS);
    assert_int_equal(opt.phase[0].weights[1], 1);
}

static void what_is_wrong_is_named_with_its_remedy(void **state)
{
    (void)state;
    is_wrong("", "target");
    is_wrong("10.99.0", "IP[:PORT]");
    is_wrong("--rate x 127.0.0.1", "10k");
    is_wrong("--rate 0 127.0.0.1", "leave --rate out"); /* as fast as can be is the opposite */
    is_wrong("--rate 101M 127.0.0.1", "100M");
    is_wrong("--rate 1k --arrivals burst 127.0.0.1", "bursty:10ms:5");
    is_wrong("--rate 1k --arrivals bursty:10ms 127.0.0.1", "bursty:10ms:5");
    is_wrong("--rate 1k --arrivals bursty:10ms:1 127.0.0.1", "bursty:10ms:5");
    is_wrong("--rate 50M --arrivals bursty:10ms:5 127.0.0.1", "100M");
    is_wrong("--rate 1k --skew zipf 127.0.0.1", "zipf:1.2");
    is_wrong("--rate 1k --skew zipf:0 127.0.0.1", "zipf:1.2");
    is_wrong("--rate 1k --weights 1,2 127.0.0.1", "targets");
    is_wrong("--rate 1k --weights 1, 127.0.0.1", "8,1,1");
    is_wrong("--rate 1k --shift 2:rate=2x 127.0.0.1", "2s:rate=2x");
    is_wrong("--rate 1k --shift 2s:rate=0x 127.0.0.1", "2s:rate=2x");
    is_wrong("--rate 1k --shift 2s:speed=2x 127.0.0.1", "2s:rate=2x");
    is_wrong("--rate 1k --shift 2s:rate=2x --shift 1s:rate=2x 127.0.0.1", "order");
    is_wrong("--shift 2s:rate=2x 127.0.0.1", "--rate");
    is_wrong("--skew uniform 127.0.0.1", "--rate");
    is_wrong("--arrivals constant 127.0.0.1", "--rate");
    is_wrong("--arrivals poisson 127.0.0.1", "--rate");
    is_wrong("--rate 1k --seconds 5 --shift 5s:rate=2x 127.0.0.1", "--seconds");
    is_wrong("--sweep 10k..5k/1k 127.0.0.1", "10k..100k/10k");
    is_wrong("--sweep 1..10k/1 127.0.0.1", "STEP");
    is_wrong("--sweep 1k..2k/1k --rate 5 127.0.0.1", "--rate");
    is_wrong("--sweep 1k..2k/1k --seconds 0 127.0.0.1", "--seconds");
    is_wrong("--warm-up 5 127.0.0.1", "10ms");
    is_wrong("--interval 10us 127.0.0.1", "1ms");
    is_wrong("--seconds 1x 127.0.0.1", "0.5");
    is_wrong("--connections 0 127.0.0.1", "1 to 50000");
    is_wrong("--connections 50001 127.0.0.1", "1 to 50000");
    is_wrong("--kernel --device lo 127.0.0.1", "exclude");
    is_wrong("--address 127.0.0.1/8 127.0.0.1", "--device");
    is_wrong("--device nonesuch 127.0.0.1", "ip link");
    is_wrong("--device lo --address 10.1.0.1/16 10.2.0.1", "--routed");
    is_wrong("--marks /tmp 127.0.0.1", "--interval");
    is_wrong("--json", "value");
    is_wrong("--nonesuch 127.0.0.1", "no option");
    is_wrong("203.0.113.1", "--routed");
}

static void the_devices_own_address_is_found(void **state)
{
    (void)state;
    is_right("--device lo 127.0.0.5");
    assert_string_equal(opt.own.address, "127.0.0.1/8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plainest_is_a_closed_loop),
        cmocka_unit_test(everything_is_taken),
        cmocka_unit_test(a_sweep_scales_what_is_relative),
        cmocka_unit_test(weights_mean_a_skew),
        cmocka_unit_test(what_is_wrong_is_named_with_its_remedy),
        cmocka_unit_test(the_devices_own_address_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
