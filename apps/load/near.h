/* Where load may go without being asked twice: this machine, and networks it is directly on. */
#ifndef CAPY_APPS_LOAD_NEAR_H
#define CAPY_APPS_LOAD_NEAR_H

#include "apps/common/endpoint.h"
#include <stdbool.h>

/* True when the address is loopback or in the subnet of one of this namespace's interfaces: no router
 * lies between. Also true when the interfaces cannot be listed. */
bool load_is_near(const union capy_endpoint *target);

#endif
