/* The head of an HTTP answer as the load generator reads it (apps/load/response.h): growing byte by
 * byte it is unfinished, then of one length for good, or no head from some byte on.
 *
 * Input: the answer. */
#include "apps/load/response.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct load_response out, again;
    int whole = load_response_parse((const char *)data, size, &out);
    fuzz_check(whole >= -1 && whole <= (int)size, "a head of %d of %zu bytes", whole, size);
    for (size_t len = 0; len < size && size <= 512; len++) {
        int part = load_response_parse((const char *)data, len, &again);
        if (whole < 0)
            fuzz_check(part <= 0, "%zu bytes have a head of %d, all have none", len, part);
        else
            fuzz_check(part == ((int)len < whole || whole == 0 ? 0 : whole),
                       "%zu bytes have a head of %d, all of %d", len, part, whole);
    }
    if (whole > 0)
        fuzz_check(out.status < 1000, "status %u", out.status);
    return 0;
}
