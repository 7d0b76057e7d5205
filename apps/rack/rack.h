/* `capy rack`: a whole rack on one machine, in network namespaces (docs/operating.md). */
#ifndef CAPY_APPS_RACK_RACK_H
#define CAPY_APPS_RACK_RACK_H

/* argv[0] is "rack". The exit status: 0, 2 for a mistake or a missing privilege (one line on
 * stderr, nothing left behind), otherwise that of the command that ran. */
int capy_rack_main(int argc, char **argv);

#endif
