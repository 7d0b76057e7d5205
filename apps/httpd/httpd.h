/* `capy httpd`: an HTTP/1.1 server (RFC 9110, RFC 9112) whose connections can be moved to another
 * server at any byte: between requests, in the middle of a download, an upload or an event stream.
 *
 *   httpd.c     options                      http.c      request heads
 *   loop.c      libcapy's completions        route.c     from a request to its resource
 *   table.c     connections, whose turn      response.c  answer heads, the bytes of an answer
 *   session.c   one connection               files.c synthetic.c events.c upload.c  resources
 *   state.c     what moves                   site.c      what all connections share */
#ifndef CAPY_APPS_HTTPD_HTTPD_H
#define CAPY_APPS_HTTPD_HTTPD_H

/* argv[0] is "httpd". The process's exit status: 0, 1 on failure, 2 for a wrong command line. */
int capy_httpd_main(int argc, char **argv);

#endif
