/* Where load may go without being asked twice: this machine, and networks it is directly on. */
#ifndef CAPY_APPS_LOAD_NEAR_H
#define CAPY_APPS_LOAD_NEAR_H

#include "apps/common/endpoint.h"
#include <stdbool.h>

#define LOAD_SUBNET_TEXT_MAX (CAPY_ADDRESS_TEXT_MAX + 4) /* "/" and a prefix length */

/* True when the address is loopback or in the subnet of one of this namespace's interfaces: no router
 * lies between. Also true when the interfaces cannot be listed. */
bool load_is_near(const union capy_endpoint *target);
/* True when the address is in the subnet of "ADDRESS/PREFIX". */
bool load_is_in(const union capy_endpoint *target, const char *subnet);
/* An address that the kernel has on this device, of the target's IP version and best in its subnet, as
 * "ADDRESS/PREFIX". False: there is none. */
bool load_device_address(const char *device, const union capy_endpoint *target,
                         char out[LOAD_SUBNET_TEXT_MAX]);

#endif
