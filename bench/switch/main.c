/* What the switch costs per frame, in user space and in the kernel, beside forwarders that look at
 * nothing: by what happens to the frame, and by how full the directory is.
 *
 *   bench-switch                               prints JSON: medians of interleaved rounds, and quartiles
 *   bench-switch count FILL WAY FRAMES         user space alone and nothing else, for callgrind, which
 *   bench-switch count bare FRAMES             counts inside measured_* (bench/run-switch)
 *   bench-switch million                       a million entries in both, and their memory
 *
 * "one": all frames are of one flow, so everything it needs is in the cache. "many": of 4096 flows by
 * turns. Root, for the kernel's plane; without, user space alone. */
#include "figures.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static json_t *machine(void)
{
    char line[256], model[200] = "unknown";
    struct utsname u = {.sysname = "?"};
    FILE *f = fopen("/proc/cpuinfo", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "model name : %199[^\n\"]", model) == 1)
            break;
    if (f)
        fclose(f);
    uname(&u);
    return json_pack("{s:s, s:I, s:s, s:s}", "cpu", model, "cores",
                     (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "kernel", u.release, "compiler",
                     __VERSION__);
}

static int print(json_t *all)
{
    json_object_set_new(all, "machine", machine());
    int rc = json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(5));
    putchar('\n');
    json_decref(all);
    return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The kinds that this machine has; says what is left out. */
static unsigned kinds(const struct plane_kind *kind[2])
{
    char err[256];
    struct plane p = {.kind = &plane_xdp};
    kind[0] = &plane_user;
    rack_cfg(&p.cfg, 2, 1024);
    if (!plane_xdp.open(&p, err, sizeof err)) {
        fprintf(stderr, "switch: xdp skipped: %s\n", err);
        return 1;
    }
    plane_xdp.close(&p);
    kind[1] = &plane_xdp;
    return 2;
}

int main(int argc, char **argv)
{
    const struct plane_kind *kind[2];
    if (argc > 2 && strcmp(argv[1], "count") == 0)
        return figures_count(argc - 2, argv + 2);
    if (argc > 2 || (argc == 2 && strcmp(argv[1], "million") != 0)) {
        fputs("usage: bench-switch [million | count bare FRAMES | count FILL WAY FRAMES]\n",
              stderr);
        return 2;
    }
    json_t *all = json_object();
    unsigned cnt = kinds(kind);
    for (unsigned i = 0; i < cnt; i++)
        json_object_set_new(all, kind[i]->name,
                            argc == 2 ? figures_million(kind[i]) : json_object());
    if (argc == 1)
        figures_take(all, kind, cnt);
    return print(all);
}
