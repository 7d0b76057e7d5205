/* See tally.h. */
#include "sim/tally.h"

const char *sim_tally_group(unsigned i)
{
#define X(group, name) #group,
    static const char *const groups[] = {SIM_TALLY(X)};
#undef X
    return groups[i];
}

const char *sim_tally_text(unsigned i)
{
#define X(group, name) #name,
    static const char *const names[] = {SIM_TALLY(X)};
#undef X
    return names[i];
}
