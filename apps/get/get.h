/* `capy get`: an HTTP/1.1 client on libcapy (docs/operating.md), the client role of our own stack:
 * from a server of a rack, whose transfers can move to another one in the middle, or from any host
 * with a device to spare. */
#ifndef CAPY_APPS_GET_GET_H
#define CAPY_APPS_GET_GET_H

/* argv[0] is "get". The exit status: 0 when every answer came whole, 1 when anything failed, 2 for
 * a mistake on the command line or a device that cannot be had. */
int capy_get_main(int argc, char **argv);

#endif
