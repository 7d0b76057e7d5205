/* What a migration costs the servers against what is queued in the connection, and against how many
 * connections are open beside it. Each prints the value of one key of bench-migrate's JSON. */
#ifndef CAPY_BENCH_SWEEP_H
#define CAPY_BENCH_SWEEP_H

/* Bytes in the send queue, that the client has no room for: [{"bytes", "host_ns"}]. */
void sweep_queued(double tick_ns);
/* Of many that are open, some thousands move in a scattered order: [{"connections", "host_ns"}]. */
void sweep_open(double tick_ns);

#endif
