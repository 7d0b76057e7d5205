/* The configuration of the switch's plane: what the rack file says, and a few random numbers. The same
 * for a running switch and for a replay. Server i is at port i; the client ports follow. */
#ifndef CAPY_SWITCH_CONFIG_H
#define CAPY_SWITCH_CONFIG_H

#include "capy/rack.h"
#include "switch/core/plane.h"

void capy_plane_cfg(const struct capy_rack *rack, struct capy_key hash_key, uint64_t boot_id,
                    struct capy_switch_cfg *cfg);

#endif
