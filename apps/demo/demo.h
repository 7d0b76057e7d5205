/* `capy demo`: a rack, a load, and thousands of live connections moving under it
 * (docs/operating.md). Everything it makes lies under out/. */
#ifndef CAPY_APPS_DEMO_DEMO_H
#define CAPY_APPS_DEMO_DEMO_H

/* argv[0] is "demo". The exit status: 0 when the asked number of migrations was done and no client
 * noticed any; 1 when anything failed; 2 for a mistake or a missing privilege. */
int capy_demo_main(int argc, char **argv);

#endif
