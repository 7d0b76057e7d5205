/* What a run found. See result.h. */
#include "apps/load/result.h"

#include <string.h>

int load_result_server(struct load_result *r, const char *name)
{
    unsigned i = 0;
    while (i < r->server_cnt && strcmp(r->server[i], name) != 0)
        i++;
    if (i == LOAD_SERVER_MAX)
        return -1;
    if (i == r->server_cnt)
        snprintf(r->server[r->server_cnt++], LOAD_SERVER_NAME_MAX, "%s", name);
    return (int)i;
}

uint64_t load_errors(const struct load_result *r)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < LOAD_ERROR_CNT; i++)
        sum += r->error[i];
    return sum;
}

double load_per_second(const struct load_result *r)
{
    return r->seconds > 0 ? (double)r->requests / r->seconds : 0;
}
