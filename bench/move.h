/* Connections of a real client go back and forth between two servers (wire.h): what one migration
 * costs both of them. Everything but the network is the production code: TCPMig with tags, directory,
 * snapshot, import, timers. */
#ifndef CAPY_BENCH_MOVE_H
#define CAPY_BENCH_MOVE_H

#include "wire.h"

enum { MOVE_SPREAD = 10000 };

struct move {
    struct wire wire;
    struct placed {
        capy_handle conn;
        unsigned at;
    } * conn;
    unsigned conn_cnt, turn;
    uint64_t step[CAPY_STEP_CNT]; /* ticks of the last migration, where the steps are probed */
    uint64_t step_at[CAPY_STEP_CNT];
};

/* conn_cnt connections to the first server; queued: bytes in each one's send queue there, for which
 * the client has no room. */
void move_open(struct move *m, unsigned conn_cnt, uint32_t queued);
void move_close(struct move *m);
/* Probes the steps (paper Fig. 4a), which costs a call and a counter read at each end of each. */
void move_probe(struct move *m, bool on);
/* Moves the next connection, of MOVE_SPREAD that lie scattered among them all: ticks that both servers
 * spent. */
uint64_t move_once(struct move *m);

#endif
