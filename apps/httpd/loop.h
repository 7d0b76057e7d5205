/* The HTTP server on libcapy: takes completions, gives connections their turns. */
#ifndef CAPY_APPS_HTTPD_LOOP_H
#define CAPY_APPS_HTTPD_LOOP_H

#include "apps/httpd/site.h"
#include "capy/capy.h"

/* Serves until stop_fd becomes readable. CAPY_OK, or a negative code with nothing listening. */
int capy_httpd_loop(struct capy *os, struct capy_httpd_site *site, uint16_t port, int stop_fd);

#endif
