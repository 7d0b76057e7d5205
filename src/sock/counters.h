/* All counters of a server as one JSON object of named numbers. */
#ifndef CAPY_SOCK_COUNTERS_H
#define CAPY_SOCK_COUNTERS_H

#include <jansson.h>

struct capy;

/* A new reference. Groups: driver, frames, drops, tcp, migration, trigger. */
json_t *capy_counters_json(struct capy *os);

#endif
