/* An echo server on libcapy. Its connections move between the servers of a rack, and nothing here
 * has to know: a connection that arrives is one more ACCEPT.   echo out/rack/rack.conf s1 */
#include "capy/capy.h"
#include <stdio.h>

static void on_done(struct capy *os, const struct capy_done *d)
{
    if (d->op == CAPY_OP_ACCEPT) {
        capy_accept(os, d->qd);
        capy_pop(os, d->accepted, 0);
    } else if (d->op == CAPY_OP_POP && d->len == 0) {
        capy_close(os, d->qd); /* the client has said all */
    } else if (d->op == CAPY_OP_POP) {
        int64_t sent = capy_push(os, d->qd, d->data, d->len);
        capy_consume(os, d->qd, sent > 0 ? (uint32_t)sent : 0);
        if (sent == d->len)
            capy_pop(os, d->qd, 0); /* else a PUSH follows when there is room again */
    } else if (d->op == CAPY_OP_PUSH) {
        capy_pop(os, d->qd, 0);
    }
}

int main(int argc, char **argv)
{
    char err[256] = "usage: echo RACK_FILE SERVER";
    struct capy_options opt = {.rack_file = argv[1], .server = argc == 3 ? argv[2] : NULL};
    struct capy *os = opt.server ? capy_open(&opt, err, sizeof err) : NULL;
    int listener = os ? capy_listen(os, 7) : -1;
    if (listener < 0 || capy_accept(os, listener) < 0)
        return fprintf(stderr, "%s\n", os ? capy_strerror(listener) : err), 1;
    for (;;) {
        struct capy_done done[64];
        int cnt = capy_wait(os, done, 64, -1);
        for (int i = 0; i < cnt; i++)
            on_done(os, &done[i]);
    }
}
