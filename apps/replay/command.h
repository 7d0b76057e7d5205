/* `capy replay`: a recording of a program, run again. */
#ifndef CAPY_APPS_REPLAY_COMMAND_H
#define CAPY_APPS_REPLAY_COMMAND_H

int capy_replay_main(int argc, char **argv);

#endif
