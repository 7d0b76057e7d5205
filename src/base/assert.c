/* The end of the road for our own bugs. The only place in the core that prints or aborts. */
#include "base/assert.h"
#include <stdio.h>
#include <stdlib.h>

_Noreturn void capy_assert_failed(const char *file, int line, const char *expr)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
    abort();
}
