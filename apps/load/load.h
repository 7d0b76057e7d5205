/* `capy load`: HTTP/1.1 load, open or closed loop, on the kernel's sockets or on libcapy's own TCP, that
 * checks every byte of every answer (docs/operating.md, bench/README.md). One thread. */
#ifndef CAPY_APPS_LOAD_LOAD_H
#define CAPY_APPS_LOAD_LOAD_H

/* argv[0] is "load". The exit status: 0 when every answer was right, 1 when anything failed, 2 for
 * a mistake on the command line, or a file or device that cannot be had. */
int capy_load_main(int argc, char **argv);

#endif
