/* `capy ctl`: shows and steers a running rack through the control sockets that its rack file names.
 */
#ifndef CAPY_APPS_CTL_H
#define CAPY_APPS_CTL_H

/* argv[0] is "ctl". 0; 1 when the rack refused or an operation failed; 2 for a wrong command line,
 * a wrong rack file, or when nobody answers. */
int capy_ctl_main(int argc, char **argv);

#endif
