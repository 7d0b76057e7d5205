/* `capy sim`: the command line of the simulator (sim/): which seeds, on how many cores, and what to
 * say of them. */
#ifndef CAPY_APPS_SIM_COMMAND_H
#define CAPY_APPS_SIM_COMMAND_H

/* argv[0] is "sim". The process's exit status: 0, 1 when a seed failed, 2 for a wrong command line. */
int capy_sim_main(int argc, char **argv);

#endif
