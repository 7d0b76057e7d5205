/* `capy load`: HTTP/1.1 load on the kernel's own sockets that checks every byte of every answer
 * (docs/operating.md). One thread, epoll. */
#ifndef CAPY_APPS_LOAD_LOAD_H
#define CAPY_APPS_LOAD_LOAD_H

/* argv[0] is "load". The exit status: 0 when every answer was right, 1 when anything failed, 2 for
 * a mistake on the command line. */
int capy_load_main(int argc, char **argv);

#endif
