/* A frame's bytes as a line in the vectors' own language, as far as they are regular: what a failed
 * vector shows of what really came out. It reads leniently and never beyond len. */
#ifndef CAPY_TESTS_VECTORS_DESCRIBE_H
#define CAPY_TESTS_VECTORS_DESCRIBE_H

#include "spec.h"

#define DESCRIBE_MAX 600u

char *describe(enum rack_kind rack, const uint8_t *frame, size_t len, char out[DESCRIBE_MAX]);

#endif
