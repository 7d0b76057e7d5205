/* `capy`: one program, one subcommand for each thing it can be. Each subcommand's own --help says
 * more; this file only finds it. */
#include "apps/ctl/ctl.h"
#include "apps/demo/demo.h"
#include "apps/get/get.h"
#include "apps/httpd/httpd.h"
#include "apps/load/load.h"
#include "apps/rack/rack.h"
#include "apps/replay/command.h"
#include "apps/sim/command.h"
#include "apps/switch/command.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 2
#define WORD_MAX 32 /* longer than any subcommand: a longer word resembles none */

static const struct command {
    const char *name;
    int (*main)(int argc, char **argv);
    const char *what;
} commands[] = {
    {"switch", capy_switch_main, "the switch: steers packets, owns the directory"},
    {"httpd", capy_httpd_main, "a web server whose connections can move"},
    {"ctl", capy_ctl_main, "look at a running rack; move connections, drain a server"},
    {"rack", capy_rack_main, "a whole rack on this machine, in network namespaces"},
    {"load", capy_load_main, "requests at a rate; checks every byte of every answer"},
    {"get", capy_get_main, "an HTTP client on libcapy's own TCP"},
    {"demo", capy_demo_main, "thousands of live connections moving under load, and a report"},
    {"replay", capy_replay_main, "a recording of any of them, run again and compared bit for bit"},
    {"sim", capy_sim_main, "whole racks in one process, with faults, by seed; and what must hold"},
};

#define COMMAND_CNT (sizeof commands / sizeof *commands)

static void print_help(void)
{
    puts(
        "usage: capy SUBCOMMAND [options]\n"
        "\n"
        "Capybara moves live TCP connections from one server to another in microseconds; the\n"
        "client notices nothing. A rack is a switch and a few servers that share one rack file.\n");
    for (size_t i = 0; i < COMMAND_CNT; i++)
        printf("  %-8s %s\n", commands[i].name, commands[i].what);
    puts("\n"
         "`capy SUBCOMMAND --help` tells more of each; `capy --version` says which this is.\n"
         "\n"
         "Examples (as root):\n"
         "  capy demo                                      moves 10,000 connections under load\n"
         "  capy rack run -- curl -s http://s1/            a rack of three servers, asked once\n"
         "  capy httpd --rack rack.conf --server s1 --root /srv/www");
}

/* Edits (insert, delete, replace a letter) between two words: Levenshtein's distance, by rows. */
static size_t distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1], len = strlen(b);
    if (strlen(a) > WORD_MAX || len > WORD_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (; *a; a++) {
        size_t diagonal = row[0]++;
        for (size_t j = 1; j <= len; j++) {
            size_t best = diagonal + (*a != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[len];
}

static int unknown(const char *word)
{
    const struct command *nearest = NULL;
    size_t nearest_distance = 3; /* more edits than two: another word, not a slip */
    for (size_t i = 0; i < COMMAND_CNT; i++) {
        size_t d = distance(word, commands[i].name);
        if (d < nearest_distance) {
            nearest = &commands[i];
            nearest_distance = d;
        }
    }
    if (nearest)
        fprintf(stderr, "capy: no subcommand %s; did you mean: capy %s\n", word, nearest->name);
    else
        fprintf(stderr, "capy: no subcommand %s; try: capy --help\n", word);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs("capy: say what to do; try: capy --help\n", stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help();
        return EXIT_SUCCESS;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("capy " CAPY_VERSION);
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; i < COMMAND_CNT; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].main(argc - 1, argv + 1);
    }
    return unknown(argv[1]);
}
