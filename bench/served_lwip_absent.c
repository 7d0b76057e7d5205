/* In place of served_lwip.c where lwIP is not installed. */
#include "served.h"

bool served_by_lwip(struct served *served)
{
    (void)served;
    return false;
}
