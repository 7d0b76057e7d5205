/* The load itself: N keep-alive connections, each with at most one request in flight, and requests that
 * are due by a clock or as soon as answers come. Knows neither sockets nor the time: a transport has
 * both. */
#ifndef CAPY_APPS_LOAD_ENGINE_H
#define CAPY_APPS_LOAD_ENGINE_H

#include "apps/load/options.h"
#include "apps/load/result.h"
#include "apps/load/transport.h"

/* Opens all connections, asks until the duration or the number of requests is over, or a stop comes, and
 * closes them; answers in flight are still waited for. 0; 1: a stop came; -1 with one line in err when it
 * could not even begin. load_timeline_free frees what the result holds. */
int load_run(const struct load_options *opt, struct load_transport *t, struct load_result *result,
             char *err, size_t err_len);

#endif
