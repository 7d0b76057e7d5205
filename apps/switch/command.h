/* `capy switch`: the command line of the user-space switch (switch/user). */
#ifndef CAPY_APPS_SWITCH_COMMAND_H
#define CAPY_APPS_SWITCH_COMMAND_H

/* argv[0] is "switch". The process's exit status: 0, 1 on failure, 2 for a wrong command line. */
int capy_switch_main(int argc, char **argv);

#endif
