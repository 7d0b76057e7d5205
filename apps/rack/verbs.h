/* The verbs of `capy rack` that act on a rack that runs. */
#ifndef CAPY_APPS_RACK_VERBS_H
#define CAPY_APPS_RACK_VERBS_H

/* start, stop, kill, restart: of one program. Exit status. */
int rack_verb_steer(const char *dir, const char *verb, const char *name);
/* Who runs where. Exit status. */
int rack_verb_status(const char *dir);
/* Becomes argv inside the member's namespace; returns an exit status only when it cannot. */
int rack_verb_exec(const char *dir, const char *name, char **argv);

#endif
