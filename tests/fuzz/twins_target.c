/* A connection that is encoded and decoded behaves as the one that stays (twins.h).
 *
 * Input: the run's choices. */
#include "target.h"
#include "twins.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct twins_seen seen;
    struct fuzz_bytes b = {data, size, NULL};
    twins_run(&b, &seen);
    return 0;
}
