/* A rack file that is right, line by line, for tests that spoil one line of it. */
#ifndef CAPY_TEST_RACK_GOOD_H
#define CAPY_TEST_RACK_GOOD_H

#include "capy/rack.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const good_lines[] = {
    /*  1 */ "rack: {",
    /*  2 */ "    key = \"000102030405060708090a0b0c0d0e0f\";",
    /*  3 */ "    tcpmig_port = 7777;",
    /*  4 */ "    run_dir = \"/run/capy\";",
    /*  5 */ "    driver = \"auto\";",
    /*  6 */ "    mig_port_first = 61440;",
    /*  7 */ "    prefix_len = 24;",
    /*  8 */ "};",
    /*  9 */ "switch: {",
    /* 10 */ "    ip = \"10.99.0.1\";",
    /* 11 */ "    client_ports = ( \"c1\", \"c2\" );",
    /* 12 */ "    directory = { levels = 2; slots = 65536; };",
    /* 13 */ "};",
    /* 14 */ "servers = (",
    /* 15 */ "    { name = \"s1\"; ip = \"10.99.0.11\"; device = \"eth0\"; port = \"s1\"; },",
    /* 16 */ "    { name = \"s2\"; ip = \"10.99.0.12\"; device = \"eth0\"; port = \"s2\"; }",
    /* 17 */ ");",
    /* 18 */ "services = (",
    /* 19 */ "    { name = \"http\"; port = 80; },",
    /* 20 */ "    { name = \"echo\"; port = 7; }",
    /* 21 */ ");",
    /* 22 */ "limits: { conn_max = 1000; };",
    /* 23 */ "trigger: { load_threshold = 8; interval_us = 500; };",
};

#define GOOD_LINE_CNT (sizeof good_lines / sizeof good_lines[0])

/* Reads a rack file with this text. Of the error line only what follows the path is left. */
static inline int read_text(const char *text, struct capy_rack *rack, char *err, size_t err_len)
{
    char path[] = "/tmp/capy-rack-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
    int rc = capy_rack_read(path, rack, err, err_len);
    size_t n = strlen(path);
    if (rc != CAPY_OK && strncmp(err, path, n) == 0)
        memmove(err, err + n, strlen(err + n) + 1);
    assert_int_equal(unlink(path), 0);
    return rc;
}

/* Reads the good file, with one line (1..) replaced unless it is 0. */
static inline int read_spoiled(unsigned line, const char *text, struct capy_rack *rack, char *err,
                               size_t err_len)
{
    char file[4096];
    size_t used = 0;
    for (unsigned i = 0; i < GOOD_LINE_CNT; i++)
        used += (size_t)snprintf(file + used, sizeof file - used, "%s\n",
                                 line == i + 1 ? text : good_lines[i]);
    assert_true(used < sizeof file);
    return read_text(file, rack, err, err_len);
}

#endif
