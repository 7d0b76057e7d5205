/* The servers' control sockets: migrations are asked for here, and what they cost is read here. */
#ifndef CAPY_APPS_DEMO_FLEET_H
#define CAPY_APPS_DEMO_FLEET_H

#include "apps/demo/steps.h"
#include "capy/rack.h"

struct demo_server {
    char name[CAPY_RACK_NAME_MAX];
    int fd;
    uint64_t moved_out, moved_in, refused;
    uint64_t mark_next;  /* the first sample not yet read */
    uint64_t mark_total; /* how many it must have taken by now */
    uint32_t connections, under_way;
    uint64_t begun; /* asked for, and neither moved nor refused yet */
};

struct demo_fleet {
    unsigned cnt;
    struct demo_server server[CAPY_RACK_SERVER_MAX];
    char driver[128];
};

/* 0, or -1 with one line in err; likewise below. */
int demo_fleet_open(struct demo_fleet *f, const struct capy_rack *rack, char *err, size_t err_len);
/* Reads how far the servers are. Samples are read too where they would soon be overwritten, or with
 * all set: writing them out costs a server time that its clients would notice. */
int demo_fleet_read(struct demo_fleet *f, struct demo_marks *marks, bool all, char *err,
                    size_t err_len);
/* Has the servers begin cnt moves, each as many as fits its share of the connections, to wherever
 * the load is least. */
int demo_fleet_move(struct demo_fleet *f, uint64_t cnt, char *err, size_t err_len);
void demo_fleet_close(struct demo_fleet *f);

uint64_t demo_fleet_moved(const struct demo_fleet *f);
uint64_t demo_fleet_refused(const struct demo_fleet *f);
uint32_t demo_fleet_under_way(const struct demo_fleet *f);
/* Moves asked for that are still to come, as of the last read. */
uint64_t demo_fleet_begun(const struct demo_fleet *f);

#endif
