/* The command line of a subcommand: long options only, and one line for what is wrong with them. */
#ifndef CAPY_APPS_COMMON_ARGUMENTS_H
#define CAPY_APPS_COMMON_ARGUMENTS_H

#include <getopt.h>

#define CAPY_EXIT_USAGE 2 /* it cannot start so, whoever's fault that is */

enum { CAPY_ARGUMENT_END = -1, CAPY_ARGUMENT_WRONG = '?' };

/* Before the first capy_arguments_next. */
void capy_arguments_begin(void);
/* The value of the next option in `known`, its own value in optarg; CAPY_ARGUMENT_END, and what is left
 * begins at optind; CAPY_ARGUMENT_WRONG, and said so. */
int capy_arguments_next(int argc, char **argv, const char *subcommand, const struct option *known);
/* Says what is wrong, the remedy, and where to look. CAPY_EXIT_USAGE. */
int capy_arguments_wrong(const char *subcommand, const char *what, const char *remedy);

#endif
