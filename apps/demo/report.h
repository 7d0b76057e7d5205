/* What the demo found, for people and as JSON. */
#ifndef CAPY_APPS_DEMO_REPORT_H
#define CAPY_APPS_DEMO_REPORT_H

#include "apps/demo/steps.h"
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

struct demo_result {
    uint64_t asked, migrations, refused; /* refused: kept by their server, and served on there */
    double seconds;                      /* of migrating */
    unsigned connections, server_cnt;
    const char *driver;
    struct demo_cost cost;
    json_t *load; /* result of `capy load`; NULL: it left none */
};

/* NULL when all is well, else what is not, in a few words. */
const char *demo_verdict(const struct demo_result *r);
void demo_print(struct demo_result *r, FILE *out);
/* 0, or -1 with errno. */
int demo_write_json(struct demo_result *r, const char *path);

#endif
