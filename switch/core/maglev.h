/* The table by which new connections to the service address choose their server: consistent hashing
 * after Maglev (Eisenbud et al., NSDI '16, §3.4). Every server fills slots in an order of its own until
 * all are taken, so each has nearly the same share, and when one comes or goes few of the others'
 * slots change hands. A lookup is one load. Plain data, for every plane. */
#ifndef CAPY_SWITCH_MAGLEV_H
#define CAPY_SWITCH_MAGLEV_H

#include <stdint.h>

/* A prime. Shares of 64 servers differ by some percent, a rebuild takes a tenth of a millisecond. */
#define CAPY_MAGLEV_SLOTS 4093u
#define CAPY_MAGLEV_NONE 0xffu

struct capy_maglev {
    uint64_t members; /* bit i: server i has a share */
    uint8_t slot[CAPY_MAGLEV_SLOTS];
};

/* Fills the table for these members. name[i], a number that is server i's wherever it stands in the rack
 * file, decides its order: so a rack file with one server more disturbs as little as a death. */
void capy_maglev_build(struct capy_maglev *m, uint64_t members, const uint64_t name[64]);

#endif
