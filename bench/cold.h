/* Caches as a server's program finds them that did other work before this frame came. */
#ifndef CAPY_BENCH_COLD_H
#define CAPY_BENCH_COLD_H

/* Reads and writes more than the second-level cache holds: neither code nor data of what comes next is
 * left above the last level, which the whole processor shares. */
void cold_caches(void);

#endif
