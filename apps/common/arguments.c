/* See arguments.h. */
#include "apps/common/arguments.h"

#include <stdio.h>

void capy_arguments_begin(void)
{
    opterr = 0;
    optind = 1;
}

int capy_arguments_wrong(const char *subcommand, const char *what, const char *remedy)
{
    fprintf(stderr, "capy %s: %s%s; try: capy %s --help\n", subcommand, what, remedy, subcommand);
    return CAPY_EXIT_USAGE;
}

int capy_arguments_next(int argc, char **argv, const char *subcommand, const struct option *known)
{
    int at = optind, c = getopt_long(argc, argv, ":", known, NULL);
    if (c != ':' && c != '?')
        return c;
    (void)capy_arguments_wrong(subcommand, argv[at], c == ':' ? " needs a value" : " is no option");
    return CAPY_ARGUMENT_WRONG;
}
