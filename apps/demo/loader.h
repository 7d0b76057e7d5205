/* `capy load` as a child inside the client's namespace, with its progress as it goes. */
#ifndef CAPY_APPS_DEMO_LOADER_H
#define CAPY_APPS_DEMO_LOADER_H

#include "apps/rack/local.h"
#include <jansson.h>

struct demo_loader {
    pid_t pid;
    int progress;                      /* read end: a JSON line now and then */
    char json[300];                    /* where its result will lie */
    uint64_t requests, errors, resets; /* as last told */
    size_t line_len;
    char line[512];
};

/* Starts it on all servers of the rack; ipv6: on their second addresses. 0, or -1 with one line in err. */
int demo_loader_start(struct demo_loader *l, const struct capy_rack_local *local,
                      unsigned connections, bool ipv6, char *err, size_t err_len);
/* Takes in what it told meanwhile. False: it ended. */
bool demo_loader_listen(struct demo_loader *l);
/* Ends it in order and returns its result (a new reference), or NULL when it left none. */
json_t *demo_loader_finish(struct demo_loader *l);

#endif
